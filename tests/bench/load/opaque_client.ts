/**
 * Client of the opaque cases: `opaque_client.ts MODE HOST PORT WARM_MS RUN_MS CLIENTS BYTES`, MODE up, down or ping.
 * Counts bytes (up, down) or round trips (ping).
 */
import type { Socket } from "bun";
import { Meter } from "./_meter.ts";

const [mode = "up", host = "", port = "", warmMs = "0", runMs = "0", clients = "1", bytes = "1"] = process.argv.slice(
  2,
);
const CHUNK = new Uint8Array(256 * 1024).fill(0x62);
const message = new Uint8Array(Number(bytes)).fill(0x63);

const meter = new Meter();

interface Client {
  sentAt: number;
  missing: number;
}

function send(socket: Socket<Client>): void {
  socket.data.sentAt = Bun.nanoseconds();
  socket.data.missing = message.length;
  if (socket.write(message) !== message.length) meter.fail("a message did not fit into the socket");
}

function pour(socket: Socket<Client>): void {
  for (;;) {
    const written = socket.write(CHUNK);
    if (written > 0) meter.done(-1, written);
    if (written !== CHUNK.length) return;
  }
}

async function connect(): Promise<Socket<Client>> {
  return await Bun.connect<Client>({
    hostname: host,
    port: Number(port),
    data: { sentAt: 0, missing: 0 },
    socket: {
      open(socket) {
        socket.data = { sentAt: 0, missing: 0 };
        socket.setNoDelay(true);
        socket.write(mode === "up" ? "U" : mode === "down" ? "D" : "P");
        if (mode === "up") pour(socket);
        if (mode === "ping") send(socket);
      },
      data(socket, chunk) {
        if (mode === "down") {
          meter.done(-1, chunk.length);
          return;
        }
        socket.data.missing -= chunk.length;
        if (socket.data.missing > 0) return;
        meter.done(Bun.nanoseconds() - socket.data.sentAt);
        send(socket);
      },
      drain(socket) {
        if (mode === "up") pour(socket);
      },
      close() {
        if (meter.isMeasuring) meter.fail("a connection was closed");
      },
      error(_socket, error) {
        meter.fail(error.message);
      },
    },
  });
}

const sockets = await Promise.all(Array.from({ length: Number(clients) }, connect));
await meter.run(Number(warmMs), Number(runMs));
for (const socket of sockets) socket.terminate();
process.exit(0);
