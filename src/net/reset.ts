/**
 * Ends a plain connection by a reset. The runtime's own way to end at once closes in order (FIN), and a peer that reads
 * until the end would take half an answer for a whole one.
 */
import { libc, pinnedPtr } from "./_libc.ts";
import type { RawSocket } from "./socket.ts";

const SOL_SOCKET = 1;
const SO_LINGER = 13;

/** struct linger { on = 1, seconds = 0 }: close discards and resets. */
const linger = new Int32Array(new ArrayBuffer(8));
linger[0] = 1;
const lingerPtr = pinnedPtr(linger);

/** Resets a plain TCP connection. */
export function resetConnection(socket: RawSocket): void {
  const { fd } = socket;
  if (fd >= 0) libc.setsockopt(fd, SOL_SOCKET, SO_LINGER, lingerPtr, 8);
  socket.terminate();
}
