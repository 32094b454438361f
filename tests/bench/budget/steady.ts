/**
 * Steady traffic through the engines in memory, for counting collections: `bun steady.ts <what> <n>`, run with BUN_JSC_logGC=1.
 *
 *   data1, data2  n pieces of 16 KiB of one body, HTTP/1.1 → HTTP/1.1 and HTTP/2 → HTTP/2
 *   http1, http2  n requests with small answers, each in its own protocol
 *
 * Bytes come from buffers that are made once, and sockets take everything: what is left to collect is the engines' own.
 */
import type { RawSocket, SocketOwner } from "../../../src/net/socket.ts";
import { dirtyOutboxes } from "../../../src/net/flush.ts";
import { clientOf, TestPipeline } from "../../../src/proxy/exchange/exchange_fixture.ts";
import type { EndpointState } from "../../../src/proxy/upstream/endpoint_state.ts";
import { Http1Pool } from "../../../src/proxy/upstream/http1_pool.ts";
import { Http2Pool } from "../../../src/proxy/upstream/http2_pool.ts";
import { EndpointBreaker } from "../../../src/proxy/upstream/breaker.ts";
import { PeakEwma } from "../../../src/proxy/upstream/peak_ewma.ts";
import type { Waiter } from "../../../src/proxy/upstream/waiter.ts";
import { data, headers, PREFACE, request, settings, windowUpdate } from "../../support/h2_peer.ts";

/** Takes every byte. */
class Sink {
  data!: SocketOwner; // set by the engine
  readonly fd = -1;
  bytesWritten = 0;

  write(_buffer: Uint8Array, _start: number, length: number): number {
    this.bytesWritten += length;
    return length;
  }
  pause(): void {}
  resume(): void {}
  end(): void {}
  shutdown(): void {}
  terminate(): void {}
  setNoDelay(): void {}
}

class Endpoint {
  pending = 0;
  readonly meshed = false;
  readonly endpoint = { key: "192.0.2.7:80" };
  readonly ewma = new PeakEwma(1, 1000, 0);
  readonly breaker = new EndpointBreaker({ consecutiveFailures: 0, minPenaltyMs: 1, maxPenaltyMs: 1 });
  readonly socket = new Sink();
  readonly #http1 = new Http1Pool((pool) => pool.onConnected(this.socket as unknown as RawSocket, null)); // see Sink
  readonly #http2 = new Http2Pool(false, 100, (pool) => {
    pool.onConnected(this.socket as unknown as RawSocket, null);
    this.socket.data.onData(settings());
  });
  readonly #isHttp2: boolean;

  constructor(isHttp2: boolean) {
    this.#isHttp2 = isHttp2;
  }

  entered(): void {
    this.pending++;
  }

  left(): void {
    this.pending--;
  }

  answered(): void {}

  acquireRequest(waiter: Waiter, _http2: boolean, fresh: boolean): void {
    if (this.#isHttp2) this.#http2.acquire(waiter);
    else this.#http1.acquire(waiter, fresh);
  }
}

const [what = "", count = "0"] = process.argv.slice(2);
const n = Number(count);
const isHttp2 = what.endsWith("2");
const endpoint = new Endpoint(isHttp2);
const pipeline = new TestPipeline([]);
pipeline.route = (exchange) =>
  exchange.dispatch(endpoint as unknown as EndpointState, exchange.request, PLAIN, false, 0); // see Endpoint
const PLAIN = { minorVersion: 1, upgrade: "" } as const;
const client = clientOf(pipeline, isHttp2);
const down = new Sink();
const { connection } = client;
// The fixture's socket keeps what it is given; this one does not.
Object.assign(client.socket, { write: down.write.bind(down), take: null });

if (what.startsWith("data")) body();
else requests();
console.log(JSON.stringify({ finished: pipeline.finishedCount, written: down.bytesWritten }));
process.exit(0); // idle connections have timers

function body(): void {
  const piece = isHttp2 ? data(1, 16_384) : Buffer.alloc(16_384, 0x61);
  if (isHttp2) {
    connection.onData(Buffer.concat([PREFACE, settings({ 4: 0x7fffffff }), request(1)]));
    connection.onData(windowUpdate(0, 0x7fffffff - 65_535));
    endpoint.socket.data.onData(headers(1, { ":status": "200" }));
  } else {
    connection.onData(Buffer.from("GET / HTTP/1.1\r\nhost: web\r\n\r\n"));
    endpoint.socket.data.onData(Buffer.from("HTTP/1.1 200 OK\r\ncontent-length: 9000000000000000\r\n\r\n"));
  }
  const more = windowUpdate(0, 16_384 * 64);
  const moreOfStream = windowUpdate(1, 16_384 * 64);
  for (let i = 0; i < n; i++) {
    endpoint.socket.data.onData(piece);
    if (i % 8 === 0) dirtyOutboxes.run();
    if (isHttp2 && i % 64 === 63) {
      connection.onData(more);
      connection.onData(moreOfStream);
    }
  }
}

function requests(): void {
  if (isHttp2) connection.onData(Buffer.concat([PREFACE, settings()]));
  const ask = isHttp2 ? request(1) : Buffer.from("GET / HTTP/1.1\r\nhost: web\r\nx-id: 7\r\n\r\n");
  const answer = isHttp2
    ? Buffer.concat([headers(1, { ":status": "200" }), data(1, 100, 1)])
    : Buffer.from(`HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n${"x".repeat(100)}`);
  const second = isHttp2 ? headers(1, { ":status": "200" }).length : 0;
  const credit = isHttp2 ? windowUpdate(0, 100) : null;
  for (let i = 0; i < n; i++) {
    if (isHttp2) {
      ask.writeUInt32BE(2 * i + 1, 5);
      answer.writeUInt32BE(2 * i + 1, 5);
      answer.writeUInt32BE(2 * i + 1, second + 5);
      if (credit !== null && i > 0) connection.onData(credit);
    }
    connection.onData(ask);
    dirtyOutboxes.run();
    endpoint.socket.data.onData(answer);
    dirtyOutboxes.run();
  }
}
