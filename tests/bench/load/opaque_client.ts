/**
 * Client of the opaque cases: `opaque_client.ts MODE HOST PORT WARM_MS RUN_MS CLIENTS BYTES`, MODE up, down or ping.
 * Prints "begin" and "end" around the measured time and then one line of JSON: {count, failed, p50Us, p99Us}, where
 * count is bytes (up, down) or round trips (ping).
 */
import type { Socket } from "bun";
import { percentile } from "./result.ts";

const [mode = "up", host = "", port = "", warmMs = "0", runMs = "0", clients = "1", bytes = "1"] = process.argv.slice(
  2,
);
const CHUNK = new Uint8Array(256 * 1024).fill(0x62);
const message = new Uint8Array(Number(bytes)).fill(0x63);

let count = 0;
let failed = 0;
let measuring = false;
const latencies: number[] = [];

interface Client {
  sentAt: number;
  missing: number;
}

function send(socket: Socket<Client>): void {
  socket.data.sentAt = Bun.nanoseconds();
  socket.data.missing = message.length;
  if (socket.write(message) !== message.length) failed++;
}

function pour(socket: Socket<Client>): void {
  for (;;) {
    const written = socket.write(CHUNK);
    if (written > 0 && measuring) count += written;
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
          if (measuring) count += chunk.length;
          return;
        }
        socket.data.missing -= chunk.length;
        if (socket.data.missing > 0) return;
        if (measuring) {
          count++;
          latencies.push((Bun.nanoseconds() - socket.data.sentAt) / 1000);
        }
        send(socket);
      },
      drain(socket) {
        if (mode === "up") pour(socket);
      },
      close() {
        if (measuring) failed++;
      },
      error() {
        failed++;
      },
    },
  });
}

const sockets = await Promise.all(Array.from({ length: Number(clients) }, connect));
await Bun.sleep(Number(warmMs));
measuring = true;
const startedAt = Bun.nanoseconds();
console.log("begin");
await Bun.sleep(Number(runMs));
measuring = false;
const seconds = (Bun.nanoseconds() - startedAt) / 1e9;
console.log("end");
for (const socket of sockets) socket.terminate();
const sorted = Float64Array.from(latencies).sort();
console.log(
  JSON.stringify({ count, seconds, failed, p50Us: percentile(sorted, 0.5), p99Us: percentile(sorted, 0.99) }),
);
process.exit(0);
