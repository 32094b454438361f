/**
 * Idle connections: `hold_connections.ts HOST PORT COUNT HOLD_MS`. Opens COUNT connections of HTTP/1.1, each for one GET,
 * and then keeps all of them open and quiet. The measured time is the quiet one; count is connections, and one that is
 * closed meanwhile has failed.
 */
import type { Socket } from "bun";
import { Meter } from "./_meter.ts";

const [host = "", port = "", count = "1", holdMs = "0"] = process.argv.slice(2);
/** Connections that are opened at a time. */
const BATCH = 100;
/** They stay so long after the measured time, for whoever reads memory then. */
const LINGER_MS = 2_000;
const GET = Buffer.from("GET /s HTTP/1.1\r\nHost: bench.test\r\n\r\n");
const meter = new Meter();

function open(): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  let head = "";
  Bun.connect({
    hostname: host,
    port: Number(port),
    socket: {
      open(socket: Socket) {
        socket.write(GET);
      },
      data(_socket, bytes) {
        head += bytes.toString("latin1");
        if (!head.includes("\r\n\r\n") || !head.endsWith("\n")) return; // the body ends with a newline
        if (head.startsWith("HTTP/1.1 200")) resolve();
        else reject(new Error(head));
      },
      close() {
        if (meter.isMeasuring) meter.fail("an idle connection was closed");
        reject(new Error("closed before the answer"));
      },
      error() {},
    },
  }).catch(reject);
  return promise;
}

let opened = 0;
while (opened < Number(count)) {
  const batch = Math.min(BATCH, Number(count) - opened);
  const results = await Promise.allSettled(Array.from({ length: batch }, open));
  for (const result of results) if (result.status === "rejected") meter.fail(String(result.reason));
  opened += batch;
}
const held = opened - meter.failed;
await meter.run(0, Number(holdMs), () => meter.done(-1, held));
await Bun.sleep(LINGER_MS);
process.exit(0);
