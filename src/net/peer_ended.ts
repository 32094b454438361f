/** Whether the peer has closed a connection already, although the event loop does not know yet. */
import { libc, pinnedPtr } from "./_libc.ts";
import type { RawSocket } from "./socket.ts";

const MSG_PEEK_DONTWAIT = 0x02 | 0x40;

const bytePtr = pinnedPtr(new Uint8Array(new ArrayBuffer(1)));

/** True when the peer's FIN waits to be read: what is written from here on meets nobody. One system call. */
export function peerHasEnded(socket: RawSocket): boolean {
  return libc.recv(socket.fd, bytePtr, 1, MSG_PEEK_DONTWAIT) === 0;
}

/** True when bytes wait to be read. One system call. */
export function hasBytes(socket: RawSocket): boolean {
  return libc.recv(socket.fd, bytePtr, 1, MSG_PEEK_DONTWAIT) > 0;
}

/** True when anything waits to be read, a FIN included: before a request was sent nothing should. One system call. */
export function hasInput(socket: RawSocket): boolean {
  return libc.recv(socket.fd, bytePtr, 1, MSG_PEEK_DONTWAIT) >= 0;
}
