/** The engine as a reverse proxy inside the test's process: a listener, detection, and the outbound data path to one target. */
import { Http1Server } from "../../src/http/http1_server.ts";
import { Http2Connection } from "../../src/http/http2_connection.ts";
import { COMMON_SHARE } from "../../src/http/waiting_budget.ts";
import { listen } from "../../src/net/listener.ts";
import type { RawSocket } from "../../src/net/socket.ts";
import { Downstream, type DownstreamOwner } from "../../src/proxy/exchange/downstream.ts";
import type { Exchange } from "../../src/proxy/exchange/exchange.ts";
import { OutboundHttp } from "../../src/proxy/outbound/outbound_http.ts";
import { OutboundTargets, type TargetEntry } from "../../src/proxy/outbound/outbound_targets.ts";
import { Sniffer, type SnifferOwner } from "../../src/proxy/connection/sniffer.ts";
import { Upstreams } from "../../src/proxy/upstream/upstreams.ts";
import { HeadCache } from "../../src/wire/http1/head_cache.ts";
import type { RequestHead } from "../../src/wire/http1/request_head.ts";
import { MAX_OUTBOUND_REQUESTS, RequestBudget, RequestShare } from "../../src/proxy/exchange/request_share.ts";

const REQUESTS = new RequestBudget(MAX_OUTBOUND_REQUESTS);

const UNKNOWN = { kind: "", group: "", namespace: "", name: "", section: "" };
const NO_CREDENTIALS = {
  onCut() {},
  clientTls: () => null,
  verifyPeer: () => ({ ok: false, code: "none", reason: "no sidecars here" }) as const,
};

/** A proxy in front of 127.0.0.1:`upstreamPort`. Clients reach it in the version of HTTP that they speak themselves. */
export class Hop implements Disposable, SnifferOwner, DownstreamOwner {
  readonly port: number;
  /** Exchanges that are over, in that order. */
  readonly finished: Exchange[] = [];
  /** Connections of clients that are open. */
  open = 0;
  readonly #pipeline: OutboundHttp;
  readonly #entry: TargetEntry;
  readonly #upstreams: Upstreams;
  readonly #heads = new HeadCache<RequestHead>();
  readonly #listener: { stop(force?: boolean): void };
  readonly #clock = () => performance.now();

  constructor(upstreamPort: number) {
    this.#upstreams = new Upstreams(NO_CREDENTIALS, new Set(), this.#clock, Math.random);
    const targets = new OutboundTargets(this.#upstreams, this.#clock);
    const observer = {
      onVerdict() {},
      onRequest() {},
      onRetry() {},
      onEgress() {},
      onEgressRevoked() {},
      onFault() {},
      onMirror() {},
      onFinished: (exchange: Exchange) => this.finished.push(exchange),
    };
    this.#pipeline = new OutboundHttp(this.#upstreams, observer, 0, this.#clock);
    const target = { version: "", known: false, parent: UNKNOWN, authority: "", port: 0, protocol: "http1" } as const;
    const key = `127.0.0.1:${upstreamPort}`;
    const unrouted = { ...target, key, routes: [], backends: [], streamRoutes: [], egress: null };
    this.#entry = targets.put(unrouted, "127.0.0.1", upstreamPort);
    const listener = listen({ host: "127.0.0.1", port: 0 }, (socket) => {
      this.open++;
      return new Sniffer(socket, this, "http1", false, COMMON_SHARE.idle);
    });
    this.#listener = listener;
    this.port = listener.port;
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}`;
  }

  /** Requests in flight by the count of the endpoints. */
  get pending(): number {
    return [...this.#upstreams.all()].reduce((sum, state) => sum + state.pending, 0);
  }

  http(socket: RawSocket, isHttp2: boolean, early: Uint8Array): void {
    const downstream = new Downstream(
      this.#pipeline,
      this,
      "",
      null,
      this.#entry,
      this.#clock,
      Math.random,
      new RequestShare(REQUESTS),
    );
    const connection = isHttp2
      ? new Http2Connection(socket, true, false, downstream)
      : new Http1Server(socket, downstream, this.#heads);
    downstream.connection = connection;
    connection.onData(early as Buffer); // read as plain bytes
  }

  opaque(socket: RawSocket): void {
    this.open--;
    socket.terminate();
  }

  ahead(): null {
    return null;
  }

  closed(): void {
    this.open--;
  }

  badRequest(): void {}

  clientRefused(): void {}

  downstreamClosed(): void {
    this.open--;
  }

  takeStream(): boolean {
    return false;
  }

  [Symbol.dispose](): void {
    this.#listener.stop(true);
    this.#upstreams.shutdown();
  }
}
