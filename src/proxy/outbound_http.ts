/** A request of the pod's own processes: route → backend → endpoint → (retry) → response. */
import type { RouteRule } from "../model/outbound.ts";
import type { HeaderBlock } from "../wire/header_block.ts";
import type { Downstream } from "./downstream.ts";
import { ENDPOINT_FAILURES, isGrpcStatusIn } from "./events.ts";
import type { Exchange, HttpPipeline } from "./exchange.ts";
import { originalReason, outboundRequest, outboundResponse, upgradeRequest } from "./header_edits.ts";
import type { CompiledTarget, TargetEntry } from "./outbound_targets.ts";
import type { HttpObserver } from "./observe.ts";
import { unprocessedFailure } from "./respond.ts";
import { isAllowed, isFree, isRetriedStatus, RetryBudget } from "./retry.ts";
import { applyEdit } from "./route/edit.ts";
import { pickBackend } from "./route/pick.ts";
import type { EndpointState } from "./upstream/endpoint_state.ts";
import { type Failure, failure, unsent } from "./upstream/failure.ts";
import type { Upstreams } from "./upstream/upstreams.ts";

/** A failed answer counts as one that took this long, so that an endpoint that fails fast does not attract requests. */
export const FAILURE_PENALTY_MS = 1000;

export class OutboundHttp implements HttpPipeline {
  readonly #upstreams: Upstreams;
  readonly #observer: HttpObserver;
  readonly #budget: RetryBudget;

  constructor(upstreams: Upstreams, observer: HttpObserver, nowMs: number) {
    this.#upstreams = upstreams;
    this.#observer = observer;
    this.#budget = new RetryBudget(nowMs);
  }

  route(exchange: Exchange): void {
    const { current } = targetOf(exchange);
    const rule = current.table.match(exchange.request);
    this.#budget.deposit();
    if (rule === null) return exchange.fail(unsent("no_route", `no route of ${current.target.authority} matches`));
    exchange.rule = rule;
    exchange.limit(rule.requestTimeoutMs);
    this.#send(exchange, current, rule, null);
  }

  retry(exchange: Exchange, error: Failure): boolean {
    const { rule } = exchange;
    if (rule === null) return false;
    if (!isFree(exchange, error)) {
      if (!isAllowed(exchange, error) || !this.#budget.withdraw(exchange.context.clock())) return false;
    }
    return this.#again(exchange, rule);
  }

  responseHead(exchange: Exchange, head: HeaderBlock): HeaderBlock | null {
    const { rule } = exchange;
    if (rule !== null && isRetriedStatus(exchange, head.status) && this.#budget.withdraw(exchange.context.clock())) {
      exchange.dropAttempt(FAILURE_PENALTY_MS);
      if (this.#again(exchange, rule)) return null;
    }
    const meshed = exchange.endpoint?.meshed === true;
    const unseen = meshed && rule !== null && head.status >= 500 ? unprocessedFailure(head) : null;
    if (unseen !== null && rule !== null && isFree(exchange, unseen)) {
      exchange.dropAttempt(FAILURE_PENALTY_MS);
      if (this.#again(exchange, rule)) return null;
    }
    exchange.reason = meshed ? originalReason(head) : "";
    const out = meshed ? outboundResponse(head) : head;
    return rule?.responseHeaders ? applyEdit(out, rule.responseHeaders) : out;
  }

  finished(exchange: Exchange): void {
    const { endpoint } = exchange;
    if (endpoint !== null) this.#learn(exchange, endpoint);
    this.#observer.onFinished(exchange);
  }

  #learn(exchange: Exchange, endpoint: EndpointState): void {
    const now = exchange.context.clock();
    if (exchange.headMs === 0) return endpoint.breaker.onCancelled();
    const failed = exchange.status >= 500 || isGrpcStatusIn(exchange.grpcStatus, ENDPOINT_FAILURES);
    const rtt = exchange.headMs - exchange.triedMs;
    endpoint.ewma.observe(failed ? Math.max(rtt, FAILURE_PENALTY_MS) : rtt, now);
    if (failed) endpoint.breaker.onFailure(now, exchange.context.random());
    else endpoint.breaker.onSuccess();
  }

  #again(exchange: Exchange, rule: RouteRule): boolean {
    this.#send(exchange, targetOf(exchange).current, rule, exchange.lastEndpoint);
    return true;
  }

  #send(exchange: Exchange, current: CompiledTarget, rule: RouteRule, exclude: EndpointState | null): void {
    const backend = pickBackend(rule, exchange.context.random());
    if (backend === null) {
      return exchange.fail(
        unsent("invalid_backend", `route ${rule.ref.namespace}/${rule.ref.name} refers to no existing backend`),
      );
    }
    const endpoint = this.#upstreams.pick(backend, exclude);
    if (endpoint === null) {
      return exchange.fail(failure("no_endpoints", `${current.target.authority} has no ready endpoint`));
    }
    if (exchange.attempts === 0) {
      exchange.lastEndpoint = endpoint;
      this.#observer.onRequest(exchange);
    }
    const edited = rule.requestHeaders === null ? exchange.request : applyEdit(exchange.request, rule.requestHeaders);
    const minor = exchange.clientMinorVersion;
    if (endpoint.meshed && exchange.upgrade !== "") {
      return exchange.dispatch(endpoint, upgradeRequest(edited, exchange.upgrade), PLAIN, true, rule.backendTimeoutMs);
    }
    const head = outboundRequest(edited, endpoint.meshed, minor);
    const http1 = minor === 0
      ? HTTP10
      : exchange.upgrade === ""
      ? PLAIN
      : { minorVersion: 1 as const, upgrade: exchange.upgrade };
    exchange.dispatch(endpoint, head, http1, minor < 0, rule.backendTimeoutMs);
  }
}

const PLAIN = { minorVersion: 1, upgrade: "" } as const;
const HTTP10 = { minorVersion: 0, upgrade: "" } as const;

function targetOf(exchange: Exchange): TargetEntry {
  return (exchange.context as Downstream).route as TargetEntry; // outbound connections are made with one
}
