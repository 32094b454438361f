/** A request of the pod's own processes: route → backend → endpoint → (another attempt) → response. */
import { backoffMs } from "../../model/backoff.ts";
import type { Egress } from "../../model/egress.ts";
import type { Backend, Protocol, RouteRule } from "../../model/outbound.ts";
import { type HeaderBlock, IS_GRPC } from "../../wire/header_block.ts";
import { Attempts } from "../exchange/attempts.ts";
import type { Downstream } from "../exchange/downstream.ts";
import { ENDPOINT_FAILURES, isGrpcStatusIn } from "../exchange/outcome.ts";
import type { Exchange, HttpPipeline } from "../exchange/exchange.ts";
import { decidedRequest, ExtendedConnect, isExtendedConnect } from "../exchange/extended_connect.ts";
import { grpcTimeoutMs, withGrpcTimeout } from "../exchange/grpc_timeout.ts";
import {
  declaringRequest,
  originalReason,
  outboundRequest,
  outboundResponse,
  upgradeRequest,
} from "../exchange/header_edits.ts";
import { Hedge, type HedgeOwner, isHedged, type Shot } from "../exchange/hedge.ts";
import { pickFor } from "./hash_key.ts";
import { Holds } from "./hold.ts";
import { InjectedFaults } from "./injected_faults.ts";
import type { CompiledTarget, TargetEntry } from "./outbound_targets.ts";
import type { OutboundHttpObserver } from "../observe/observe.ts";
import { egressFailure, EgressGate } from "./egress_gate.ts";
import { toldFailure } from "../exchange/respond.ts";
import { type Account, accountOf, accountOfResponse } from "../exchange/retry.ts";
import { mirrorRequest } from "./mirror.ts";
import { answerOf, editedRequest, editedResponse } from "./route_filters.ts";
import { hostOf } from "../route/host.ts";
import { noBackendReason, noRouteReason, pickBackend } from "../route/pick.ts";
import { keptEndpoint, withToken } from "./sessions.ts";
import type { EndpointState } from "../upstream/endpoint_state.ts";
import { type Failure, failure, unsent } from "../upstream/failure.ts";
import type { Upstreams } from "../upstream/upstreams.ts";

/** A failed answer counts as one that took this long, so that an endpoint that fails fast does not attract requests. */
const FAILURE_PENALTY_MS = 1000;
/** Pause before the same endpoint is asked once more, where the rule does not say how long: Linkerd's. */
const SAME_ENDPOINT_PAUSE_MS = 25;
/** Pauses double up to this many times the first. */
const MAX_PAUSE_FACTOR = 10;

export class OutboundHttp implements HttpPipeline, HedgeOwner {
  readonly holds: Holds;
  readonly #faults: InjectedFaults;
  readonly #upstreams: Upstreams;
  readonly #observer: OutboundHttpObserver;
  readonly #gate: EgressGate;

  /**
   * @param holdMs how long requests wait for an endpoint while none can be reached
   * @param clock monotonic milliseconds
   * @param gate decides what may leave the mesh; by default names are taken as they are said
   */
  constructor(
    upstreams: Upstreams,
    observer: OutboundHttpObserver,
    holdMs: number,
    clock: () => number,
    gate: EgressGate = new EgressGate(null, clock),
  ) {
    this.#upstreams = upstreams;
    this.#observer = observer;
    this.#gate = gate;
    this.holds = new Holds(holdMs, clock);
    this.#faults = new InjectedFaults(upstreams.self, observer);
  }

  route(exchange: Exchange): void {
    const entry = targetOf(exchange);
    const { current } = entry;
    if (current.target.egress !== null && !this.#mayLeave(exchange, entry, current.target.egress)) return;
    const rule = current.table.match(decidedRequest(exchange.request));
    entry.budget.deposit();
    if (rule === null) return exchange.fail(unsent("no_route", noRouteReason(current.target)));
    exchange.rule = rule;
    if (rule.plan !== null) {
      const answer = answerOf(rule, rule.plan, exchange.request, current.target);
      if (answer !== null) return exchange.answer(answer, NOTHING);
    }
    exchange.limit(rule.requestTimeoutMs, grpcTimeoutMs(exchange.request));
    if (rule.faults !== undefined && this.#faults.spoil(exchange, rule.faults)) return;
    this.#send(exchange, current, rule, false);
    if (rule.plan !== null || (exchange.via !== null && exchange.via.filters !== null)) this.#mirror(exchange, rule);
  }

  /** Answers a request that may not leave the mesh under the name that it gives. */
  #mayLeave(exchange: Exchange, entry: TargetEntry, egress: Egress): boolean {
    const host = hostOf(exchange.request.authority);
    const downstream = exchange.context as Downstream; // outbound connections are made with one
    const verdict = this.#gate.decide(entry, egress, host, downstream.heldName);
    this.#observer.onEgress(entry, "http", host, verdict);
    if (verdict.permit) downstream.heldName = this.#gate.held(entry, host, downstream.heldName);
    else exchange.fail(egressFailure(verdict));
    return verdict.permit;
  }

  /** Ends a request that is under way, or the tunnel it has become, if it may not leave the mesh any more. */
  rejudge(exchange: Exchange): void {
    const entry = targetOf(exchange);
    const { egress } = entry.current.target;
    if (egress === null || exchange.finished) return;
    const host = hostOf(exchange.request.authority);
    const { heldName } = exchange.context as Downstream; // as above
    const verdict = this.#gate.decide(entry, egress, host, heldName);
    if (verdict.permit) return;
    this.#observer.onEgressRevoked(entry, "http", host, verdict);
    exchange.fail(failure("revoked", verdict.reason));
  }

  retry(exchange: Exchange, error: Failure): boolean {
    this.#overloaded(exchange, error);
    if (exchange.hedge !== null && exchange.hedge.outlives(error)) return true;
    const account = accountOf(exchange, error);
    if (!this.#isGranted(exchange, account)) return false;
    this.#again(exchange, error, account);
    return true;
  }

  resume(exchange: Exchange): void {
    if (this.#faults.resume(exchange)) return;
    exchange.history?.rested();
    this.#resend(exchange, false);
  }

  responseHead(exchange: Exchange, head: HeaderBlock): HeaderBlock | null {
    const meshed = exchange.endpoint?.meshed === true;
    // Only where there may be something to read: an error, or a gRPC response that is a status and nothing else.
    const isSuspect = head.status >= 400 || exchange.grpcStatus >= 0;
    if (isSuspect && exchange.rule !== null && this.#triesAgain(exchange, head, meshed)) return null;
    exchange.hedge?.stop();
    this.#reached(exchange);
    exchange.reason = meshed ? originalReason(head) : exchange.up?.reason ?? "";
    const edited = editedResponse(exchange, meshed ? outboundResponse(head) : head);
    return exchange.rule === null || exchange.rule.plan === null ? edited : withToken(exchange, edited);
  }

  interimHead(exchange: Exchange, head: HeaderBlock): HeaderBlock {
    return exchange.endpoint?.meshed === true ? outboundResponse(head) : head;
  }

  finished(exchange: Exchange): void {
    exchange.hedge?.stop();
    const { endpoint } = exchange;
    if (endpoint !== null) this.#learn(exchange, endpoint);
    else if (exchange.error !== null) this.#overloaded(exchange, exchange.error);
    if (exchange.history !== null) exchange.history.hold?.left();
    this.#observer.onFinished(exchange);
  }

  /** Time that ran out says something about the limit of requests, as no answer will. */
  #overloaded({ lastEndpoint, context }: Exchange, { code }: Failure): void {
    if (code === "timeout" || code === "deadline") lastEndpoint?.limiter?.onOverload(context.clock());
  }

  #mirror(exchange: Exchange, rule: RouteRule): void {
    const { target } = targetOf(exchange).current;
    mirrorRequest(exchange, rule, this.#upstreams, (result) => this.#observer.onMirror(target, rule, result));
  }

  #learn(exchange: Exchange, endpoint: EndpointState): void {
    const now = exchange.context.clock();
    if (exchange.headMs === 0) return endpoint.breaker.onCancelled();
    const failed = exchange.status >= 500 || isGrpcStatusIn(exchange.grpcStatus, ENDPOINT_FAILURES);
    const rtt = exchange.headMs - exchange.triedMs;
    endpoint.limiter?.onAnswer(rtt, failed, endpoint.pending, now);
    if (failed) {
      endpoint.ewma.observe(Math.max(rtt, FAILURE_PENALTY_MS), now);
      endpoint.breaker.onFailure(now, exchange.context.random());
      return;
    }
    // The peaks of an outage would keep requests away for a minute after its end.
    if (endpoint.breaker.isOpen) endpoint.ewma.restart(rtt, now);
    else endpoint.ewma.observe(rtt, now);
    endpoint.breaker.onSuccess(now, rtt, exchange.context.random());
  }

  /** The answer came from the endpoint, not about it. */
  #reached(exchange: Exchange): void {
    const { endpoint } = exchange;
    if (endpoint === null) return;
    if (endpoint.reachability.failure !== null) endpoint.onBack(exchange.headMs - exchange.triedMs, exchange.headMs);
    if (!this.holds.isEmpty) this.holds.reached(endpoint.backendKey);
  }

  /** Looks whether a response is one to be tried again, and sends the request again if so. */
  #triesAgain(exchange: Exchange, head: HeaderBlock, meshed: boolean): boolean {
    const { endpoint, context } = exchange;
    const told = meshed ? toldFailure(head) : null;
    if (told?.unprocessed === true) endpoint?.onUnreached(told, context.clock(), context.random());
    let account = told === null ? "no" as const : accountOf(exchange, told);
    if (account === "no") account = accountOfResponse(exchange, head.status, exchange.grpcStatus);
    const error = told ?? failure("upstream_reset", `the endpoint answered ${head.status}`);
    if (!this.#isGranted(exchange, account)) return false;
    exchange.hedge?.stop();
    exchange.dropAttempt(FAILURE_PENALTY_MS);
    this.#again(exchange, error, account);
    return true;
  }

  /** Takes another try out of the account; false when it may not be, or there is nothing left. */
  #isGranted(exchange: Exchange, account: Account): boolean {
    if (account === "free") return true;
    if (account === "no") return false;
    const isOver = account === "limit";
    if (!isOver && targetOf(exchange).budget.withdraw(exchange.context.clock())) return true;
    this.#observer.onRetry(exchange, isOver ? "limit_exceeded" : "overflow");
    return false;
  }

  /** Sends the request again, or lets it pause or wait for that. */
  #again(exchange: Exchange, error: Failure, account: Account): void {
    const history = exchange.history ??= new Attempts(error);
    history.failure = error;
    if (account === "budget") history.retries++;
    else history.free++;
    // A connection that had been idle for too long says nothing about the endpoint.
    if (error.code !== "upstream_closed" && exchange.lastEndpoint !== null) history.tried.push(exchange.lastEndpoint);
    this.#observer.onRetry(exchange, "requests");
    const base = exchange.rule?.retry?.backoffMs ?? 0;
    if (account === "budget" && base > 0) this.#pause(exchange, history, base);
    else this.#resend(exchange, false);
  }

  #pause(exchange: Exchange, history: Attempts, firstMs: number): void {
    // Full jitter above the shortest pause: backoffMs gives half a step at least.
    const limits = { firstMs: firstMs * 2, maxMs: firstMs * MAX_PAUSE_FACTOR };
    exchange.pause(backoffMs(limits, Math.max(1, history.retries), exchange.context.random()));
  }

  #resend(exchange: Exchange, isProbe: boolean): void {
    const { current } = targetOf(exchange);
    // Matched anew: the snapshot it was matched in may have been replaced, and its endpoints be gone.
    const rule = current.table.match(decidedRequest(exchange.request));
    if (rule === null) return exchange.fail(unsent("no_route", noRouteReason(current.target)));
    exchange.rule = rule;
    this.#send(exchange, current, rule, isProbe);
  }

  /** @param isProbe also to an endpoint that could not be reached a moment ago */
  #send(exchange: Exchange, current: CompiledTarget, rule: RouteRule, isProbe: boolean): void {
    const { context, history } = exchange;
    const kept = rule.plan === null ? null : keptEndpoint(rule, exchange, this.#upstreams);
    const share = kept === null ? pickBackend(rule, context.random()) : kept.share;
    const backend = share === null ? null : share.backend;
    exchange.via = share;
    if (backend === null) return exchange.fail(unsent("invalid_backend", noBackendReason(rule)));
    const endpoint = kept === null
      ? pickFor(exchange.request, backend, history === null ? null : history.tried, this.#upstreams)
      : kept.endpoint;
    if (endpoint === null) {
      return this.#hold(exchange, backend, unsent("no_endpoints", `${current.target.authority} has no ready endpoint`));
    }
    if (history !== null && history.tried.includes(endpoint)) return this.#rest(exchange, backend, history);
    const lost = endpoint.reachability.failure;
    if (lost !== null && !isProbe && !endpoint.reachability.admits(context.clock()) && current.target.known) {
      return this.#hold(exchange, backend, lost);
    }
    if (endpoint.isFull) {
      this.#upstreams.count(backend, "concurrency_limited");
      const { namespace, name } = backend.ref;
      return exchange.fail(
        unsent(
          "concurrency_limited",
          `as many requests are under way to ${namespace}/${name} as its concurrency limit lets; try later`,
        ),
      );
    }
    if (exchange.attempts === 0) {
      exchange.lastEndpoint = endpoint;
      this.#observer.onRequest(exchange);
    }
    this.#dispatch(exchange, endpoint, rule, backend.protocol);
    const hedging = backend.resilience === null ? null : backend.resilience.hedging;
    if (hedging !== null && exchange.attempts === 1 && !exchange.finished && isHedged(exchange, hedging)) {
      exchange.hedge = new Hedge(exchange, this, hedging.delayMs);
    }
  }

  aim(exchange: Exchange): Shot | null {
    const { rule, lastEndpoint, context, via } = exchange;
    const backend = via?.backend ?? null;
    if (rule === null || backend === null || lastEndpoint === null) return null;
    const endpoint = pickFor(exchange.request, backend, [lastEndpoint], this.#upstreams);
    const isOther = endpoint !== null && endpoint !== lastEndpoint && !endpoint.isFull;
    if (!isOther || !endpoint.admits(context.clock())) return null;
    const isPaid = targetOf(exchange).budget.withdraw(context.clock());
    this.#upstreams.count(backend, isPaid ? "hedge_sent" : "hedge_overflow");
    if (!isPaid) return null;
    const minor = exchange.clientMinorVersion;
    const head = outboundRequest(this.#requestOf(exchange, rule), endpoint.meshed, minor);
    return { endpoint, head, http2: minor < 0, tryTimeoutMs: rule.backendTimeoutMs };
  }

  won(exchange: Exchange): void {
    const backend = exchange.via?.backend ?? null;
    if (backend !== null) this.#upstreams.count(backend, "hedge_won");
  }

  /** All endpoints were asked. */
  #rest(exchange: Exchange, backend: Backend, history: Attempts): void {
    if (history.failure.unprocessed) this.#hold(exchange, backend, history.failure);
    else this.#pause(exchange, history, SAME_ENDPOINT_PAUSE_MS);
  }

  /** Nobody can be reached: the request waits a while. What the mesh does not know is not waited for. */
  #hold(exchange: Exchange, backend: Backend, error: Failure): void {
    if (!targetOf(exchange).current.target.known) return exchange.fail(error);
    const history = exchange.history ??= new Attempts(error);
    const { namespace, name } = backend.ref;
    const hold = this.holds.of(backend.key, `${name}.${namespace}:${backend.port}`, this.#probe);
    const refusal = hold.take(exchange, history, error);
    if (refusal !== null) exchange.fail(refusal);
  }

  readonly #probe = (exchange: Exchange): void => this.#resend(exchange, true);

  /** @param declared what the backend is said to speak */
  #dispatch(exchange: Exchange, endpoint: EndpointState, rule: RouteRule, declared: Protocol): void {
    const request = this.#requestOf(exchange, rule);
    const minor = exchange.clientMinorVersion;
    if (endpoint.meshed && exchange.upgrade !== "") {
      return exchange.dispatch(endpoint, upgradeRequest(request, exchange.upgrade), PLAIN, true, rule.backendTimeoutMs);
    }
    if (isExtendedConnect(exchange, request)) {
      return sendExtended(exchange, endpoint, request, declared, rule.backendTimeoutMs);
    }
    const head = outboundRequest(request, endpoint.meshed, minor);
    const http1 = minor === 0
      ? HTTP10
      : exchange.upgrade === ""
      ? PLAIN
      : { minorVersion: 1 as const, upgrade: exchange.upgrade };
    exchange.dispatch(endpoint, head, http1, minor < 0, rule.backendTimeoutMs);
  }

  /** The request with the rule's edits, and with what is left of its time where the client's own word no longer holds. */
  #requestOf(exchange: Exchange, rule: RouteRule): HeaderBlock {
    const { endsByMs } = exchange;
    const edited = editedRequest(exchange.request, rule, exchange.via);
    if (endsByMs === 0 || (edited.flags & IS_GRPC) === 0) return edited;
    if (exchange.isClientsDeadline && exchange.history === null) return edited;
    return withGrpcTimeout(edited, Math.max(1, endsByMs - exchange.context.clock()));
  }
}

const NOTHING = new Uint8Array(0);
const PLAIN = { minorVersion: 1, upgrade: "" } as const;
const HTTP10 = { minorVersion: 0, upgrade: "" } as const;

function sendExtended(
  exchange: Exchange,
  endpoint: EndpointState,
  block: HeaderBlock,
  declared: Protocol,
  tryTimeoutMs: number,
): void {
  if (!endpoint.meshed) {
    const head = outboundRequest(block, false, -1);
    return new ExtendedConnect(endpoint, head, declared, tryTimeoutMs).send(exchange);
  }
  const head = declared === "detect" ? outboundRequest(block, true, -1) : declaringRequest(block, declared);
  exchange.dispatch(endpoint, head, PLAIN, true, tryTimeoutMs);
}

function targetOf(exchange: Exchange): TargetEntry {
  return (exchange.context as Downstream).route as TargetEntry; // outbound connections are made with one
}
