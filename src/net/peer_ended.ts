/** Whether the peer has closed a connection already, although the event loop does not know yet. */
import { ptr } from "bun:ffi";
import { libc } from "./_libc.ts";
import type { RawSocket } from "./socket.ts";

const MSG_PEEK_DONTWAIT = 0x02 | 0x40;

/** Backed by a buffer of its own: see orig_dst.ts. */
const byte = new Uint8Array(new ArrayBuffer(1));
const bytePtr = ptr(byte);

/** True when the peer's FIN waits to be read: what is written from here on meets nobody. One system call. */
export function peerHasEnded(socket: RawSocket): boolean {
  return libc.recv(socket.fd, bytePtr, 1, MSG_PEEK_DONTWAIT) === 0;
}

/** True when anything waits to be read, a FIN included: before a request was sent nothing should. One system call. */
export function hasInput(socket: RawSocket): boolean {
  return libc.recv(socket.fd, bytePtr, 1, MSG_PEEK_DONTWAIT) >= 0;
}
