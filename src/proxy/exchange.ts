/**
 * One request and its response, between the leg it came from and the leg it goes to.
 *
 *   start ─pipeline decides→ waiting for a leg ─→ request sent ─→ response head ─→ body ─→ finished
 *            └ refused: answered here             └ failed before the head: another endpoint, if that is safe
 *
 * The body of the request is passed on as it comes. Its first bytes are also kept, bounded, until the response begins,
 * so that a request that an endpoint certainly did not act on can be sent to another one.
 */
import { Timer, type TimerOwner } from "../base/timer_wheel.ts";
import { Http1Client, type Http1Request } from "../http/http1_client.ts";
import { Http1Server } from "../http/http1_server.ts";
import type { Leg } from "../http/leg.ts";
import type { RouteRule } from "../model/outbound.ts";
import { arm, disarm } from "../net/ticker.ts";
import { ByteSink } from "../base/byte_sink.ts";
import { type HeaderBlock, IS_GRPC } from "../wire/header_block.ts";
import { CANCEL, NO_ERROR, REFUSED_STREAM } from "../wire/http2/error_code.ts";
import type { Verdict } from "./policy/verdict.ts";
import type { HttpContext } from "./http_context.ts";
import { errorResponse, withStatus } from "./respond.ts";
import type { EndpointState } from "./upstream/endpoint_state.ts";
import { type Failure, failure } from "./upstream/failure.ts";
import type { Waiter } from "./upstream/waiter.ts";

/** Bytes of a request body kept for a second try (Linkerd's number): larger requests are sent once. */
export const MAX_REPLAY_BYTES = 64 * 1024;
/** Tries of one request when endpoints refuse it unseen: enough to get past two that are just leaving. */
export const MAX_ATTEMPTS = 4;

const REQUEST_TIMEOUT = 0;
const TRY_TIMEOUT = 1;
const EMPTY = new Uint8Array(0);
const PLAIN: Http1Request = { minorVersion: 1, upgrade: "" };

/** What inbound and outbound do differently. */
export interface HttpPipeline {
  /** Decides about a new request: `exchange.dispatch` or `exchange.fail`, before it returns. */
  route(exchange: Exchange): void;
  /** An attempt failed before the response began: dispatches again and returns true, or returns false. */
  retry(exchange: Exchange, failure: Failure): boolean;
  /** The final head has arrived; returns what the client gets, or null to drop it because the request was dispatched again. */
  responseHead(exchange: Exchange, head: HeaderBlock): HeaderBlock | null;
  /** The exchange is over. */
  finished(exchange: Exchange): void;
}

export class Exchange implements Waiter, TimerOwner {
  readonly pipeline: HttpPipeline;
  readonly context: HttpContext;
  /** As the client sent it. */
  readonly request: HeaderBlock;
  readonly startedMs: number;
  down: Leg;
  up: Leg | null = null;
  http1: Http1Request = PLAIN;
  /** What the client asked an HTTP/1.1 connection to be upgraded to; "" for nothing. */
  upgrade = "";
  /** HTTP/1 minor version of the client, -1 when it speaks HTTP/2. */
  clientMinorVersion = -1;
  endpoint: EndpointState | null = null;
  /** The endpoint of the latest attempt, also when it has failed. */
  lastEndpoint: EndpointState | null = null;
  /** Reason phrase for the client, "" for the usual one. */
  reason = "";
  /** Inbound: what the policy said. */
  verdict: Verdict | null = null;
  rule: RouteRule | null = null;
  attempts = 0;
  /** When the present attempt began. */
  triedMs = 0;
  /** When the response head came; 0 before. */
  headMs = 0;
  status = 0;
  /** -1: none seen. */
  grpcStatus = -1;
  error: Failure | null = null;
  requestBytes = 0;
  responseBytes = 0;
  cancelled = false;
  finished = false;
  tunnel = false;
  /** Slot for what the pipeline wants to find again. */
  series: unknown = null;
  #head: HeaderBlock | null = null;
  #kept: ByteSink | null = null;
  #replayable = true;
  #requestDone: boolean;
  #trailers: HeaderBlock | null = null;
  #waiting = false;
  #responseStarted = false;
  #responseDone = false;
  #upConsumed = 0;
  #credited = 0;
  #requestTimer: Timer | null = null;
  #tryTimer: Timer | null = null;

  constructor(
    pipeline: HttpPipeline,
    context: HttpContext,
    down: Leg,
    request: HeaderBlock,
    end: boolean,
    nowMs: number,
  ) {
    this.pipeline = pipeline;
    this.context = context;
    this.down = down;
    this.request = request;
    this.startedMs = nowMs;
    this.#requestDone = end;
  }

  /** The response has begun: the request cannot be sent elsewhere any more. */
  get responseStarted(): boolean {
    return this.#responseStarted;
  }

  /** The request could be sent once more from the start. */
  get canReplay(): boolean {
    return this.#replayable && !this.#responseStarted && !this.cancelled && this.attempts < MAX_ATTEMPTS;
  }

  /** The request asks for a tunnel: CONNECT in its forms, or an upgrade. */
  get wantsTunnel(): boolean {
    return this.upgrade !== "" || this.request.method === "CONNECT";
  }

  // --- decisions of the pipeline

  /** Limits the whole exchange; 0 for no limit. */
  limit(timeoutMs: number): void {
    if (timeoutMs > 0) arm(this.#requestTimer ??= new Timer(this, REQUEST_TIMEOUT), timeoutMs);
  }

  /**
   * Sends the request (again) to an endpoint.
   *
   * @param head what is sent; may differ from `request`
   * @param http1 what an HTTP/1 connection must know
   * @param http2 the application speaks HTTP/2
   * @param tryTimeoutMs limit until the response head; 0 for none
   */
  dispatch(
    endpoint: EndpointState,
    head: HeaderBlock,
    http1: Http1Request,
    http2: boolean,
    tryTimeoutMs: number,
  ): void {
    this.attempts++;
    this.endpoint = endpoint;
    this.lastEndpoint = endpoint;
    this.headMs = 0;
    this.#head = head;
    this.http1 = http1;
    this.#upConsumed = 0;
    this.triedMs = this.context.clock();
    endpoint.pending++;
    endpoint.breaker.onRequest();
    this.#waiting = true;
    if (tryTimeoutMs > 0) arm(this.#tryTimer ??= new Timer(this, TRY_TIMEOUT), tryTimeoutMs);
    endpoint.acquireRequest(this, http2, this.attempts > 1);
  }

  /** Ends an attempt whose answer is not wanted; another one follows. */
  dropAttempt(penaltyMs: number): void {
    this.endpoint?.ewma.observe(penaltyMs, this.context.clock());
    const { up } = this;
    this.up = null;
    up?.abort(CANCEL);
    this.#leaveEndpoint(false);
  }

  /** Answers the request here, with an error. */
  fail(error: Failure): void {
    if (this.finished) return;
    this.error = error;
    this.#leaveUpstream(CANCEL, error.code !== "timeout");
    if (this.#responseStarted) {
      // Too late for a status: the client must see that the response is not complete.
      this.down.abort(CANCEL);
      return this.#finish();
    }
    const { head, body } = errorResponse(error, (this.request.flags & IS_GRPC) !== 0, this.context.clientId !== null);
    this.status = head.status;
    this.#responseStarted = true;
    const hasBody = body.length > 0 && this.request.method !== "HEAD";
    this.down.sendHead(head, !hasBody, "");
    if (hasBody) this.down.sendData(body, 0, body.length, true);
    if (!this.#requestDone) this.down.abort(NO_ERROR);
    this.#finish();
  }

  // --- events of the pool

  onUpstream(leg: Leg): void {
    this.#waiting = false;
    this.up = leg;
    const kept = this.#kept;
    const body = kept !== null && kept.length > 0;
    const isTunnel = this.wantsTunnel;
    const end = this.#requestDone && !body && this.#trailers === null && !isTunnel;
    leg.sendHead(this.#head as HeaderBlock, end, ""); // set by dispatch
    if (end || this.up !== leg) return;
    if (body) leg.sendData(kept.buffer, 0, kept.length, this.#requestDone && this.#trailers === null && !isTunnel);
    if (this.#trailers !== null && this.up === leg) leg.sendTrailers(this.#trailers);
    if (!this.#replayable) this.#kept = null;
  }

  onUpstreamFailed(error: Failure): void {
    this.#waiting = false;
    this.#leaveEndpoint(false);
    if (this.cancelled || this.finished) return;
    if (!this.pipeline.retry(this, error)) this.fail(error);
  }

  // --- events of legs

  onHead(leg: Leg, head: HeaderBlock, end: boolean): void {
    if (leg !== this.up) return;
    this.headMs = this.context.clock();
    if (this.#tryTimer !== null) disarm(this.#tryTimer);
    this.status = head.status;
    const out = this.pipeline.responseHead(this, head);
    if (out === null) return;
    this.#responseStarted = true;
    this.#kept = null;
    this.#replayable = false;
    if (this.#opensTunnel(leg, head.status)) return this.#openTunnel(out);
    if (end) this.#readGrpcStatus(head);
    this.down.sendHead(out, end, this.reason);
    if (end) this.#responded();
  }

  onInterim(leg: Leg, head: HeaderBlock): void {
    if (leg === this.up) this.down.sendInterim(head);
  }

  onData(leg: Leg, buffer: Uint8Array, start: number, end: number, fin: boolean): void {
    if (leg === this.down) return this.#requestData(buffer, start, end, fin);
    if (leg !== this.up) return;
    this.responseBytes += end - start;
    this.down.sendData(buffer, start, end, fin);
    if (fin) this.#responded();
  }

  onTrailers(leg: Leg, trailers: HeaderBlock): void {
    if (leg === this.down) {
      this.#requestDone = true;
      this.#trailers = trailers;
      if (this.up !== null) this.up.sendTrailers(trailers);
      return;
    }
    if (leg !== this.up) return;
    this.#readGrpcStatus(trailers);
    this.down.sendTrailers(trailers);
    this.#responded();
  }

  onConsumed(leg: Leg, bytes: number): void {
    if (leg === this.up) {
      // A second attempt sends bytes again that the client was given credit for already.
      this.#upConsumed += bytes;
      if (this.#upConsumed > this.#credited) {
        this.down.consumed(this.#upConsumed - this.#credited);
        this.#credited = this.#upConsumed;
      }
    } else if (leg === this.down) this.up?.consumed(bytes);
  }

  onAbort(leg: Leg, h2Code: number, unprocessed: boolean, detail: string): void {
    if (this.finished) return;
    if (leg === this.down) {
      this.cancelled = true;
      this.error = { code: "cancelled", detail, unprocessed: false };
      this.#leaveUpstream(h2Code, true);
      return this.#finish();
    }
    if (leg !== this.up) return;
    this.up = null;
    this.#leaveEndpoint(false);
    if (this.#responseStarted) {
      this.error = failure("upstream_reset", detail);
      this.down.abort(h2Code);
      return this.#finish();
    }
    const code = unprocessed && h2Code !== REFUSED_STREAM ? "upstream_closed" : "upstream_reset";
    const error: Failure = { code, detail, unprocessed };
    if (!this.pipeline.retry(this, error)) this.fail(error);
  }

  onTimer(kind: number): void {
    if (this.finished) return;
    const error = failure(
      "timeout",
      kind === TRY_TIMEOUT ? "the endpoint did not answer in time" : "the request took too long",
    );
    if (kind === TRY_TIMEOUT && !this.#waiting) {
      this.#leaveUpstream(CANCEL, false);
      if (this.pipeline.retry(this, error)) return;
    }
    this.fail(error);
  }

  // --- inside

  #requestData(buffer: Uint8Array, start: number, end: number, fin: boolean): void {
    const bytes = end - start;
    this.requestBytes += bytes;
    if (fin) this.#requestDone = true;
    const up = this.up;
    if (bytes > 0 && (up === null || this.#replayable)) this.#keep(buffer, start, end, up === null);
    if (up !== null) {
      up.sendData(buffer, start, end, fin);
      if (fin && this.tunnel && this.#responseDone) this.#finish();
    }
  }

  #keep(buffer: Uint8Array, start: number, end: number, must: boolean): void {
    if (this.#replayable && this.requestBytes > MAX_REPLAY_BYTES) {
      this.#replayable = false;
      if (!must) this.#kept = null;
    }
    if (!this.#replayable && !must) return;
    (this.#kept ??= new ByteSink(end - start)).append(buffer, start, end);
  }

  #opensTunnel(leg: Leg, status: number): boolean {
    if (!this.wantsTunnel) return false;
    if (leg instanceof Http1Client && this.http1.upgrade !== "") return status === 101;
    return status >= 200 && status < 300;
  }

  #openTunnel(head: HeaderBlock): void {
    this.tunnel = true;
    this.#requestDone = false;
    const { up, down } = this;
    const upTcp = up instanceof Http1Client ? up.detach() : null;
    if (upTcp !== null) this.up = upTcp;
    const isUpgrade = down instanceof Http1Server && this.request.method !== "CONNECT";
    const status = isUpgrade ? 101 : 200;
    down.sendHead(head.status === status ? head : withStatus(head, status), false, "");
    if (down instanceof Http1Server) {
      const downTcp = down.detach();
      this.down = downTcp;
      down.drainHeld(downTcp);
    }
    if (upTcp !== null && up instanceof Http1Client && this.up === upTcp) up.drainHeld(upTcp);
  }

  /** The response is complete. */
  #responded(): void {
    if (this.finished) return;
    this.#responseDone = true;
    if (this.tunnel) {
      if (this.#requestDone) this.#finish();
      return;
    }
    if (!this.#requestDone) {
      // Answered before the request was read to its end: nobody wants the rest.
      this.up?.abort(NO_ERROR);
      this.down.abort(NO_ERROR);
    } else if (this.wantsTunnel) this.up?.sendData(EMPTY, 0, 0, true); // refused: nothing follows
    this.#finish();
  }

  #readGrpcStatus(block: HeaderBlock): void {
    if ((this.request.flags & IS_GRPC) === 0) return;
    const status = block.get("grpc-status");
    if (status !== null) this.grpcStatus = Number.parseInt(status, 10);
  }

  /** @param blameless the endpoint is not at fault (the client went away) */
  #leaveUpstream(h2Code: number, blameless: boolean): void {
    const { up } = this;
    this.up = null;
    if (this.#waiting) {
      this.#waiting = false;
      this.cancelled = true;
    } else if (up !== null) up.abort(h2Code);
    else return;
    this.#leaveEndpoint(blameless);
  }

  #leaveEndpoint(blameless: boolean): void {
    const { endpoint } = this;
    if (endpoint === null) return;
    this.endpoint = null;
    endpoint.pending--;
    if (blameless) endpoint.breaker.onCancelled();
    else endpoint.breaker.onFailure(this.context.clock(), this.context.random());
  }

  #finish(): void {
    if (this.finished) return;
    this.finished = true;
    if (this.#requestTimer !== null) disarm(this.#requestTimer);
    if (this.#tryTimer !== null) disarm(this.#tryTimer);
    this.#kept = null;
    const { endpoint } = this;
    this.pipeline.finished(this);
    if (endpoint !== null && !this.#waiting) {
      this.endpoint = null;
      endpoint.pending--;
    }
  }
}
