/** Exchanges between scripted sockets: real engines and pools, dialled by the test. */
import { FakeSocket } from "../../../tests/support/fake_socket.ts";
import { H2Peer, settings, settingsAck } from "../../../tests/support/h2_peer.ts";
import { Http1Server } from "../../http/http1_server.ts";
import { Http2Connection } from "../../http/http2_connection.ts";
import type { RouteRule } from "../../model/outbound.ts";
import type { HeaderBlock } from "../../wire/header_block.ts";
import { HeadCache } from "../../wire/http1/head_cache.ts";
import type { RequestHead } from "../../wire/http1/request_head.ts";
import { Downstream, type DownstreamOwner } from "./downstream.ts";
import type { Exchange, HttpPipeline } from "./exchange.ts";
import { Attempts } from "./attempts.ts";
import { accountOf, accountOfResponse } from "./retry.ts";
import { EndpointBreaker } from "../upstream/breaker.ts";
import type { EndpointState } from "../upstream/endpoint_state.ts";
import { type Failure, unsent } from "../upstream/failure.ts";
import { Http1Pool } from "../upstream/http1_pool.ts";
import { Http2Pool } from "../upstream/http2_pool.ts";
import { PeakEwma } from "../upstream/peak_ewma.ts";
import { Reachability } from "../upstream/reachability.ts";
import type { Waiter } from "../upstream/waiter.ts";
import { MAX_OUTBOUND_REQUESTS, RequestBudget, RequestShare } from "./request_share.ts";

const REQUESTS = new RequestBudget(MAX_OUTBOUND_REQUESTS);

/** A connection to a scripted server. */
export interface Dialled {
  readonly socket: FakeSocket;
  /** Set when the server speaks HTTP/2. */
  readonly peer: H2Peer;
}

/** An endpoint whose connections the test makes or refuses. */
export class TestEndpoint {
  pending = 0;
  unanswered = 0;
  readonly endpoint = { key: "192.0.2.7:80" };
  /** It is a sidecar. */
  meshed = false;
  http1UntilMs = 0;
  readonly ewma = new PeakEwma(1, 1000, 0);
  readonly breaker = new EndpointBreaker({ consecutiveFailures: 3, minPenaltyMs: 1000, maxPenaltyMs: 1000 });
  readonly http1 = new Http1Pool(() => this.#waiting.push("http1"));
  readonly http2 = new Http2Pool(false, 100, () => this.#waiting.push("http2"));
  readonly reachability = new Reachability();
  /** Connections made so far. */
  readonly dialled: Dialled[] = [];
  readonly #isHttp2: boolean;
  #waiting: ("http1" | "http2")[] = [];
  /** Makes each connection at once. */
  readonly #at: boolean;

  constructor(isHttp2: boolean, atOnce = true) {
    this.#isHttp2 = isHttp2;
    this.#at = atOnce;
  }

  get state(): EndpointState {
    return this as unknown as EndpointState; // exchanges use no other members
  }

  /** Connects under way. */
  get dialling(): number {
    return this.#waiting.length;
  }

  acquireRequest(waiter: Waiter, _http2: boolean, fresh: boolean): void {
    if (this.#isHttp2) this.http2.acquire(waiter);
    else this.http1.acquire(waiter, fresh);
    while (this.#at && this.#waiting.length > 0) this.accept();
  }

  acquireExtendedConnect(waiter: Waiter): void {
    if (this.meshed) this.http2.acquire(waiter);
    else this.http2.acquireExtended(waiter);
    while (this.#at && this.#waiting.length > 0) this.accept();
  }

  withdraw(waiter: Waiter): void {
    this.http1.withdraw(waiter);
    this.http2.withdraw(waiter);
  }

  onUnreached(): void {}

  entered(): void {
    this.pending++;
    this.unanswered++;
  }

  left(wasAnswered: boolean): void {
    this.pending--;
    if (!wasAnswered) this.unanswered--;
  }

  answered(): void {
    this.unanswered--;
  }

  /** The next connect succeeds. @param hello what an HTTP/2 server says first */
  accept(hello: readonly Uint8Array[] = [settings(), settingsAck()]): Dialled | null {
    const kind = this.#waiting.shift();
    if (kind === undefined) return null;
    const socket = new FakeSocket();
    const dialled = { socket, peer: new H2Peer(socket, true) };
    this.dialled.push(dialled);
    if (kind === "http1") this.http1.onConnected(socket.raw, null);
    else {
      this.http2.onConnected(socket.raw, null);
      dialled.peer.send(...hello);
    }
    return dialled;
  }

  /** The next connect fails. */
  refuse(): void {
    const kind = this.#waiting.shift();
    if (kind === undefined) return;
    (kind === "http1" ? this.http1 : this.http2).onDialFailed(unsent("connect_failed", "nobody listens"));
  }
}

/** Sends requests to the endpoints in turn, retries as proxies do. */
export class TestPipeline implements HttpPipeline {
  readonly exchanges: Exchange[] = [];
  finishedCount = 0;
  /** The rule's retries; null for none. */
  rule: Partial<RouteRule> | null = null;
  tryTimeoutMs = 0;
  readonly #endpoints: readonly TestEndpoint[];
  #next = 0;

  constructor(endpoints: readonly TestEndpoint[]) {
    this.#endpoints = endpoints;
  }

  route(exchange: Exchange): void {
    this.exchanges.push(exchange);
    exchange.rule = this.rule as RouteRule | null; // only its retries are asked for
    this.#send(exchange);
  }

  retry(exchange: Exchange, failure: Failure): boolean {
    const account = accountOf(exchange, failure);
    if (account === "no" || account === "limit") return false;
    const history = exchange.history ??= new Attempts(failure);
    if (account === "free") history.free++;
    else history.retries++;
    this.#send(exchange);
    return true;
  }

  resume(_exchange: Exchange): void {}

  responseHead(exchange: Exchange, head: HeaderBlock): HeaderBlock | null {
    if (accountOfResponse(exchange, head.status, -1) !== "budget") return head;
    const history = exchange.history ??= new Attempts({ code: "upstream_reset", detail: "", unprocessed: false });
    history.retries++;
    exchange.dropAttempt(1000);
    this.#send(exchange);
    return null;
  }

  interimHead(_exchange: Exchange, head: HeaderBlock): HeaderBlock {
    return head;
  }

  finished(exchange: Exchange): void {
    this.finishedCount++;
    if (exchange.endpoint !== null && exchange.headMs > 0) exchange.endpoint.breaker.onSuccess(0, 0, 0);
    else exchange.endpoint?.breaker.onCancelled();
  }

  #send(exchange: Exchange): void {
    const endpoint = this.#endpoints[this.#next++ % this.#endpoints.length] as TestEndpoint; // not empty
    const http1 = { minorVersion: 1 as const, upgrade: exchange.upgrade };
    exchange.dispatch(endpoint.state, exchange.request, http1, false, this.tryTimeoutMs);
  }
}

class Owner implements DownstreamOwner {
  closed = 0;
  bad = 0;

  badRequest(): void {
    this.bad++;
  }

  clientRefused(): void {}

  downstreamClosed(): void {
    this.closed++;
  }

  takeStream(): boolean {
    return false;
  }
}

export interface Client {
  readonly socket: FakeSocket;
  readonly peer: H2Peer;
  readonly connection: Http1Server | Http2Connection;
  readonly owner: Owner;
}

/** A client's connection in front of a pipeline; an HTTP/2 client has not sent its preface yet. */
export function clientOf(
  pipeline: HttpPipeline,
  isHttp2: boolean,
  clock: () => number = () => 1,
  route: unknown = null,
): Client {
  const socket = new FakeSocket();
  const owner = new Owner();
  const downstream = new Downstream(
    pipeline,
    owner,
    "192.0.2.1",
    null,
    route,
    clock,
    () => 0.5,
    new RequestShare(REQUESTS),
  );
  const connection = isHttp2
    ? new Http2Connection(socket.raw, true, false, downstream)
    : new Http1Server(socket.raw, downstream, new HeadCache<RequestHead>());
  downstream.connection = connection;
  return { socket, peer: new H2Peer(socket), connection, owner };
}
