/**
 * Backend of the opaque cases: `opaque_server.ts HOST PORT`. The first byte of a connection says what it is:
 * U: swallow everything, and answer the end with the number of bytes in ASCII; D: send until the client goes;
 * P: send everything back.
 */
import type { Socket } from "bun";

interface Connection {
  mode: number;
  received: number;
  queued: Uint8Array | null;
}

const CHUNK = new Uint8Array(256 * 1024).fill(0x61);
const [UP, DOWN, PING] = [0x55, 0x44, 0x50];

function pour(socket: Socket<Connection>): void {
  while (socket.write(CHUNK) === CHUNK.length);
}

Bun.listen<Connection>({
  hostname: process.argv[2] ?? "127.0.0.1",
  port: Number(process.argv[3]),
  allowHalfOpen: true,
  socket: {
    open(socket) {
      socket.data = { mode: 0, received: 0, queued: null };
      socket.setNoDelay(true);
    },
    data(socket, bytes) {
      const state = socket.data;
      let start = 0;
      if (state.mode === 0) {
        state.mode = bytes[0] ?? 0;
        start = 1;
        if (state.mode === DOWN) pour(socket);
      }
      state.received += bytes.length - start;
      if (state.mode !== PING || bytes.length === start) return;
      const answer = start === 0 ? bytes : bytes.subarray(start);
      if (socket.write(answer) !== answer.length) socket.terminate(); // the client of this mode waits for each answer
    },
    drain(socket) {
      if (socket.data.mode === DOWN) pour(socket);
    },
    end(socket) {
      if (socket.data.mode === UP) socket.write(String(socket.data.received));
      socket.end();
    },
    error() {},
  },
});
