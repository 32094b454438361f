/**
 * One request and its response, between the leg it came from and the leg it goes to.
 *
 *   start ─pipeline decides→ waiting for a leg ─→ request sent ─→ response head ─→ body ─→ finished
 *            └ refused: answered here             └ failed before the head: another endpoint, if that is safe,
 *                                                  or a pause (or a place in a queue) and then another attempt
 *
 * The body of the request is passed on as it comes. Its first bytes are also kept, bounded, until the response begins,
 * so that a request that an endpoint certainly did not act on can be sent to another one.
 */
import type { TimerOwner } from "../../base/timer_wheel.ts";
import { Http1Client, type Http1Request } from "../../http/http1_client.ts";
import { Http1Server } from "../../http/http1_server.ts";
import type { Leg } from "../../http/leg.ts";
import type { RouteRule, WeightedBackend } from "../../model/outbound.ts";
import { type HeaderBlock, IS_GRPC } from "../../wire/header_block.ts";
import { CANCEL, NO_ERROR, PROTOCOL_ERROR } from "../../wire/http2/error_code.ts";
import type { Verdict } from "../policy/verdict.ts";
import type { Attempts } from "./attempts.ts";
import { Deadlines, PAUSE, requestTimeout, TRY_TIMEOUT, tryTimeout } from "./deadlines.ts";
import type { HttpContext } from "./http_context.ts";
import type { HttpPipeline } from "./http_pipeline.ts";
import type { ExtendedConnect } from "./extended_connect.ts";
import { ignoredUpgrade, requestTrailers } from "./header_edits.ts";
import type { Hedge } from "./hedge.ts";
import { ReplayBody, type ReplayOwner } from "./replay_body.ts";
import { errorResponse, grpcStatusIn } from "./respond.ts";
import { endBegun } from "./revoke.ts";
import { isIdempotent } from "./methods.ts";
import { abortCode, opensTunnel, tunnelHead } from "./tunnel_heads.ts";
import { TunnelRequest } from "./tunnel_request.ts";
import type { EndpointState } from "../upstream/endpoint_state.ts";
import { brokenOff, type Failure, failure, unsent } from "../upstream/failure.ts";
import type { Origin, Waiter } from "../upstream/waiter.ts";

/** Interim responses to one request: no flow control bounds them, and more than a few are an attack or a loop. */
export const MAX_INTERIMS = 100;

export type { HttpPipeline } from "./http_pipeline.ts";

const EMPTY = new Uint8Array(0);
const PLAIN: Http1Request = { minorVersion: 1, upgrade: "" };

// long-file: one state machine; what has a state of its own is in replay_body, tunnel_request and deadlines
export class Exchange implements Waiter, TimerOwner, ReplayOwner {
  readonly pipeline: HttpPipeline;
  readonly context: HttpContext;
  readonly origin: Origin;
  /** As the client sent it. */
  readonly request: HeaderBlock;
  readonly startedMs: number;
  down: Leg;
  up: Leg | null = null;
  http1: Http1Request = PLAIN;
  /** What the client asked an HTTP/1.1 connection to be upgraded to; "" for nothing. */
  readonly upgrade: string;
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
  /** The share of the rule's requests that this one belongs to. */
  via: WeightedBackend | null = null;
  attempts = 0;
  /** What there is to remember once an attempt has failed. */
  history: Attempts | null = null;
  /** When the time of the whole exchange is over, on the context's clock; 0 for never. */
  endsByMs = 0;
  /** It was the client that gave the time (grpc-timeout). */
  isClientsDeadline = false;
  /** When the present attempt was sent: a connection that had to be made first says nothing about the endpoint's speed. */
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
  /** A second attempt, in case that the first is slow. */
  hedge: Hedge | null = null;
  /** The client has sent extended CONNECT, which goes to an application. */
  extended: ExtendedConnect | null = null;
  /** Slot for what the pipeline wants to find again. */
  series: unknown = null;
  #head: HeaderBlock | null = null;
  /** Null while there is no body, as in most requests. */
  body: ReplayBody | null = null;
  #replayable = true;
  readonly #tunnelRequest: TunnelRequest | null;
  /** Nothing more of the request will come. */
  requestDone: boolean;
  trailers: HeaderBlock | null = null;
  #waiting = false;
  #responseStarted = false;
  #responseDone = false;
  /** The upstream leg has served the request, and may serve another one by now: it is not ours any more. */
  #upOver = false;
  #interims = 0;
  #upConsumed = 0;
  #credited = 0;
  #deadlines: Deadlines | null = null;

  constructor(
    pipeline: HttpPipeline,
    context: HttpContext,
    down: Leg,
    request: HeaderBlock,
    end: boolean,
    nowMs: number,
    upgrade = "",
  ) {
    this.pipeline = pipeline;
    this.context = context;
    this.origin = context.origin;
    this.down = down;
    this.request = request;
    this.startedMs = nowMs;
    this.requestDone = end;
    this.upgrade = upgrade;
    this.#tunnelRequest = this.wantsTunnel ? new TunnelRequest(request.contentLength) : null;
  }

  /** The response has begun: the request cannot be sent elsewhere any more. */
  get responseStarted(): boolean {
    return this.#responseStarted;
  }

  /** The request could be sent once more from the start. */
  get canReplay(): boolean {
    return this.#replayable && !this.#responseStarted && !this.cancelled;
  }

  get isRepeatable(): boolean {
    return isIdempotent(this.request.method);
  }

  /** The request asks for a tunnel: CONNECT in its forms, or an upgrade. */
  get wantsTunnel(): boolean {
    return this.upgrade !== "" || this.request.method === "CONNECT";
  }

  // --- decisions of the pipeline

  /**
   * Limits the whole exchange.
   *
   * @param timeoutMs what the configuration says, 0 for no limit
   * @param clientMs what the client says (grpc-timeout), 0 for no limit; the shorter one holds
   */
  limit(timeoutMs: number, clientMs = 0): void {
    this.isClientsDeadline = clientMs > 0 && (timeoutMs === 0 || clientMs <= timeoutMs);
    const limitMs = this.isClientsDeadline ? clientMs : timeoutMs;
    if (limitMs <= 0) return;
    this.endsByMs = this.startedMs + limitMs;
    (this.#deadlines ??= new Deadlines(this)).armRequest(limitMs);
  }

  /** Lets the pipeline go on after a pause. */
  pause(pauseMs: number): void {
    (this.#deadlines ??= new Deadlines(this)).armPause(pauseMs);
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
    this.#upOver = false;
    this.triedMs = this.context.clock();
    endpoint.entered(this.triedMs);
    endpoint.breaker.onRequest(this.triedMs);
    this.#waiting = true;
    if (tryTimeoutMs > 0) (this.#deadlines ??= new Deadlines(this)).armTry(tryTimeoutMs);
    if (http2 && head.protocol !== "") endpoint.acquireExtendedConnect(this);
    else endpoint.acquireRequest(this, http2, this.attempts > 1);
  }

  /** Ends an attempt whose answer is not wanted; another one follows. */
  dropAttempt(penaltyMs: number): void {
    this.endpoint?.ewma.observe(penaltyMs, this.context.clock());
    const { up } = this;
    this.up = null;
    if (!this.#upOver) up?.abort(CANCEL);
    this.#leaveEndpoint(false);
    this.status = this.headMs = 0;
    this.grpcStatus = -1;
  }

  /** Answers the request here, with an error. */
  fail(error: Failure): void {
    if (this.finished) return;
    this.error = error;
    this.#slow();
    this.#leaveUpstream(CANCEL, error.code !== "timeout");
    if (this.#responseStarted || error.isReset === true) {
      endBegun(this.down, this.request, error);
      return this.#finish();
    }
    const { head, body } = errorResponse(error, (this.request.flags & IS_GRPC) !== 0, this.context.clientId !== null);
    this.answer(head, body);
  }

  /** Answers the request here. No attempt may be under way. */
  answer(head: HeaderBlock, body: Uint8Array): void {
    this.status = head.status;
    this.#responseStarted = true;
    const hasBody = body.length > 0 && this.request.method !== "HEAD";
    this.down.sendHead(head, !hasBody, "");
    if (hasBody) this.down.sendData(body, 0, body.length, true);
    if (!this.requestDone) this.down.abort(NO_ERROR);
    this.#finish();
  }

  // --- events of the pool

  onUpstream(leg: Leg): void {
    this.#waiting = false;
    this.triedMs = this.context.clock();
    this.up = leg;
    const kept = this.body === null ? null : this.body.first;
    const ends = this.requestDone && this.trailers === null && !this.wantsTunnel;
    leg.sendHead(this.#head as HeaderBlock, ends && kept === null, ""); // set by dispatch
    if (this.up !== leg) return;
    for (let piece = kept; piece !== null && this.up === leg; piece = piece.next) {
      leg.sendData(piece.buffer, piece.start, piece.end, ends && piece.next === null);
    }
    if (this.up !== leg) return;
    if (this.trailers !== null) leg.sendTrailers(this.trailers);
    if (this.body === null) return;
    this.body.sent();
    this.#replayable &&= this.body.isWhole;
  }

  onUpstreamFailed(error: Failure): void {
    this.#waiting = false;
    this.endpoint?.onUnreached(error, this.context.clock(), this.context.random());
    this.#leaveEndpoint(error.code === "not_http2" || error.code === "no_upgrade");
    if (this.cancelled || this.finished || this.extended?.retry(this, error)) return;
    if (!this.pipeline.retry(this, error)) this.fail(error);
  }

  // --- events of legs

  onHead(leg: Leg, head: HeaderBlock, end: boolean): void {
    if (leg !== this.up) return;
    this.headMs = this.context.clock();
    this.endpoint?.answered(this.headMs);
    this.#deadlines?.disarmTry();
    this.status = head.status;
    if (end) this.#upEnds();
    // Some servers end a response that is nothing but its status with an empty frame of its own.
    this.grpcStatus = grpcStatusIn(this.request, head);
    const bad = this.extended === null ? null : this.extended.failureOf(head);
    if (bad !== null) return this.fail(bad);
    const out = this.pipeline.responseHead(this, head);
    if (out === null) return;
    this.#responseStarted = true;
    this.#replayable = false;
    this.body?.drop();
    if (opensTunnel(this, leg, head)) return this.#openTunnel(out);
    // Over the mesh a 2xx would open the tunnel that the application has not opened.
    const ignored = this.http1.upgrade !== "" && this.upgrade === "" && head.status < 300;
    this.down.sendHead(ignored ? ignoredUpgrade(out) : out, end, this.reason);
    if (end) this.#responded();
  }

  onInterim(leg: Leg, head: HeaderBlock): void {
    if (leg !== this.up) return;
    if (++this.#interims > MAX_INTERIMS) return this.fail(failure("upstream_protocol", "too many interim responses"));
    this.down.sendInterim(this.pipeline.interimHead(this, head));
  }

  onData(leg: Leg, buffer: Uint8Array, start: number, end: number, fin: boolean): void {
    if (leg === this.down) return this.#requestData(buffer, start, end, fin);
    if (leg !== this.up) return;
    this.responseBytes += end - start;
    if (fin) this.#upEnds();
    this.down.sendData(buffer, start, end, fin);
    if (fin) this.#responded();
  }

  onTrailers(leg: Leg, trailers: HeaderBlock): void {
    if (leg === this.down) {
      const kept = this.wantsTunnel ? null : requestTrailers(trailers);
      if (kept === null) return this.#requestData(EMPTY, 0, 0, true);
      this.requestDone = true;
      this.trailers = kept;
      if (this.up !== null) this.up.sendTrailers(kept);
      return;
    }
    if (leg !== this.up) return;
    this.#upEnds();
    this.grpcStatus = grpcStatusIn(this.request, trailers);
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
    } else if (leg === this.down && !this.#upOver) this.up?.consumed(bytes);
  }

  onAbort(leg: Leg, h2Code: number, unprocessed: boolean, detail: string): void {
    if (this.finished) return;
    if (leg === this.down) {
      this.cancelled = true;
      this.error = { code: "cancelled", detail, unprocessed: false };
      this.#slow();
      // NO_ERROR would end what it leaves in order, as if it were complete.
      this.#leaveUpstream(h2Code === NO_ERROR ? CANCEL : h2Code, true);
      return this.#finish();
    }
    if (leg !== this.up) return;
    this.up = null;
    const isUnsayable = unprocessed && h2Code === PROTOCOL_ERROR;
    this.#leaveEndpoint(isUnsayable);
    if (isUnsayable) return this.fail(failure("bad_request", `the request cannot be said in HTTP/1.1: ${detail}`));
    if (this.#responseStarted) {
      this.error = failure("upstream_reset", detail);
      this.down.abort(abortCode(this, h2Code));
      return this.#finish();
    }
    const error = brokenOff(leg, h2Code, unprocessed, detail);
    if (!this.pipeline.retry(this, error)) this.fail(error);
  }

  onTimer(kind: number): void {
    if (this.finished) return;
    if (kind === PAUSE) return this.pipeline.resume(this);
    if (kind === TRY_TIMEOUT) return this.#tryTakesTooLong();
    this.fail(requestTimeout(this.isClientsDeadline));
  }

  /** Goes on with the leg of another attempt, which has an answer first. */
  adopt(endpoint: EndpointState, leg: Leg, sentMs: number): void {
    this.#abandon(true);
    this.endpoint = this.lastEndpoint = endpoint;
    this.triedMs = sentMs;
    this.#upOver = false;
    this.up = leg;
  }

  #tryTakesTooLong(): void {
    const error = tryTimeout(this.#abandon(false));
    if (!this.pipeline.retry(this, error)) this.fail(error);
  }

  /** Gives up an attempt that has no answer. @returns true when it was not even sent */
  #abandon(blameless: boolean): boolean {
    const wasWaiting = this.#waiting;
    this.#slow();
    if (wasWaiting) this.endpoint?.withdraw(this);
    this.#waiting = false;
    if (wasWaiting) this.#leaveEndpoint(blameless);
    else this.#leaveUpstream(CANCEL, blameless);
    return wasWaiting;
  }

  onBodyStuck(): void {
    this.fail(unsent("overloaded", "too much of the client's requests waits to be sent"));
  }

  // --- inside

  #requestData(buffer: Uint8Array, start: number, end: number, fin: boolean): void {
    this.requestBytes += end - start;
    if (fin) this.requestDone = true;
    const request = this.#tunnelRequest;
    if (request === null || this.tunnel) return this.#forward(buffer, start, end, fin);
    const body = request.take(buffer, start, end);
    if (body > 0) this.#forward(buffer, start, start + body, false);
    if (fin && request.bodyLeft > 0) {
      this.fail(failure("bad_request", "the request's body is shorter than it announced"));
    }
  }

  #forward(buffer: Uint8Array, start: number, end: number, fin: boolean): void {
    const { up } = this;
    if (end > start && (up === null || this.#replayable)) {
      const body = this.body ??= new ReplayBody(this, this.context.share);
      body.keep(buffer, start, end, up === null);
      this.#replayable &&= body.isWhole;
    }
    if (up === null) return;
    up.sendData(buffer, start, end, fin);
    if (fin && this.tunnel && this.#responseDone) this.#finish();
  }

  #openTunnel(head: HeaderBlock): void {
    this.tunnel = true;
    this.#deadlines?.disarm(); // the request is over, the tunnel has no limit
    const { up, down } = this;
    if (down instanceof Http1Server) this.requestDone = false; // its connection goes on
    const upTcp = up instanceof Http1Client ? up.detach() : null;
    if (upTcp !== null) this.up = upTcp;
    down.sendHead(tunnelHead(this, head), false, "");
    if (this.finished) return; // the client is gone
    if (down instanceof Http1Server) {
      const downTcp = down.detach();
      this.down = downTcp;
      down.drainHeld(downTcp);
    }
    if (this.up !== null) this.#tunnelRequest?.open(this.up, this.requestDone);
    if (upTcp !== null && up instanceof Http1Client && this.up === upTcp) up.drainHeld(upTcp);
  }

  #upEnds(): void {
    this.#upOver = this.requestDone && !this.wantsTunnel;
  }

  /** The response is complete. */
  #responded(): void {
    if (this.finished) return;
    this.#responseDone = true;
    if (this.tunnel) {
      if (this.requestDone) this.#finish();
      return;
    }
    if (!this.requestDone) {
      // Answered before the request was read to its end: nobody wants the rest.
      this.up?.abort(NO_ERROR);
      this.down.abort(NO_ERROR);
    } else if (this.wantsTunnel) this.up?.sendData(EMPTY, 0, 0, true); // refused: nothing follows
    this.#finish();
  }

  /** The attempt ends without an answer: it would have taken at least this long. */
  #slow(): void {
    if (this.headMs === 0) this.endpoint?.ewma.atLeast(this.context.clock() - this.triedMs, this.context.clock());
  }

  /** @param blameless the endpoint is not at fault (the client went away) */
  #leaveUpstream(h2Code: number, blameless: boolean): void {
    const { up } = this;
    this.up = null;
    if (this.#waiting) {
      this.#waiting = false;
      this.cancelled = true;
    } else if (up === null) return;
    else if (!this.#upOver) up.abort(h2Code);
    this.#leaveEndpoint(blameless);
  }

  #leaveEndpoint(blameless: boolean): void {
    const { endpoint } = this;
    if (endpoint === null) return;
    this.endpoint = null;
    endpoint.left(this.headMs > 0);
    if (blameless) endpoint.breaker.onCancelled();
    else endpoint.breaker.onFailure(this.context.clock(), this.context.random());
  }

  #finish(): void {
    if (this.finished) return;
    this.finished = true;
    this.#deadlines?.disarm();
    this.body?.drop();
    const { endpoint } = this;
    this.context.requestEnded();
    this.pipeline.finished(this);
    if (endpoint !== null && !this.#waiting) {
      this.endpoint = null;
      endpoint.left(this.headMs > 0);
    }
  }
}
