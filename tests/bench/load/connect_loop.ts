/**
 * New connections: `connect_loop.ts MODE HOST PORT CLIENTS WARM_MS RUN_MS`. CLIENTS at a time connect, exchange one
 * thing and close; a latency is the time from connect to the answer.
 *
 * h1: TCP, one GET. tls: a full TLS 1.3 handshake (nothing is resumed), one GET. opaque: TCP, 100 bytes that the backend
 * sends back.
 */
import type { Socket } from "bun";
import { clientTls } from "./_loop.ts";
import { Meter } from "./_meter.ts";

const [mode = "h1", host = "", port = "", clients = "1", warmMs = "0", runMs = "0"] = process.argv.slice(2);
const GET = Buffer.from("GET /s HTTP/1.1\r\nHost: bench.test\r\n\r\n");
const PING = Buffer.concat([Buffer.from("P"), Buffer.alloc(100, 0x63)]);
/** Ports of the own side are used up when connections linger; after this pause there are some again. */
const RETRY_MS = 50;
const meter = new Meter();

class Attempt {
  readonly startNs = Bun.nanoseconds();
  #received = 0;
  #head = "";
  #isDone = false;

  begin(socket: Socket<Attempt>): void {
    socket.write(mode === "opaque" ? PING : GET);
  }

  receive(socket: Socket<Attempt>, bytes: Buffer): void {
    this.#received += bytes.length;
    if (mode !== "opaque") this.#head += bytes.toString("latin1");
    const isWhole = mode === "opaque"
      ? this.#received >= PING.length - 1
      : this.#head.includes("\r\n\r\n") && this.#head.endsWith("\n"); // the body ends with a newline
    if (!isWhole || this.#isDone) return;
    this.#isDone = true;
    if (mode === "opaque" || this.#head.startsWith("HTTP/1.1 200")) meter.done(Bun.nanoseconds() - this.startNs);
    else meter.fail(this.#head);
    socket.end();
  }

  closed(): void {
    if (!this.#isDone) meter.fail("a connection was closed before the answer");
    connect();
  }
}

function connect(): void {
  void Bun.connect<Attempt>({
    hostname: host,
    port: Number(port),
    data: new Attempt(),
    ...(mode === "tls" ? { tls: clientTls("http/1.1") } : {}),
    socket: {
      open(socket) {
        socket.setNoDelay(true);
        if (mode !== "tls") socket.data.begin(socket);
      },
      handshake(socket) {
        socket.data.begin(socket);
      },
      data(socket, bytes) {
        socket.data.receive(socket, bytes);
      },
      close(socket) {
        socket.data.closed();
      },
      error() {},
    },
  }).catch((cause: Error) => {
    meter.fail(cause.message);
    setTimeout(connect, RETRY_MS);
  });
}

for (let index = 0; index < Number(clients); index++) connect();
await meter.run(Number(warmMs), Number(runMs));
process.exit(0);
