/** Bounds what the kernel keeps of a connection until it is read, and with it the size of a read. */
import { libc, pinnedPtr } from "./_libc.ts";
import type { RawSocket } from "./socket.ts";

const SOL_SOCKET = 1;
const SO_RCVBUF = 8;

const size = new Int32Array(new ArrayBuffer(4));
const sizePtr = pinnedPtr(size);

/** The kernel doubles it for its own use; the peer sees a window of about as many bytes. */
export function limitReceiveBuffer(socket: RawSocket, bytes: number): void {
  size[0] = bytes;
  if (socket.fd >= 0) libc.setsockopt(socket.fd, SOL_SOCKET, SO_RCVBUF, sizePtr, 4);
}
