/** A request from outside to the application: authorise → hand on with the client's identity → response. */
import type { Protocol } from "../../model/outbound.ts";
import type { RateLimit } from "../../model/rate_limit.ts";
import { threadCount } from "../../net/threads.ts";
import type { HeaderBlock } from "../../wire/header_block.ts";
import type { Downstream } from "../exchange/downstream.ts";
import type { Exchange, HttpPipeline } from "../exchange/exchange.ts";
import { decidedRequest, ExtendedConnect, isExtendedConnect } from "../exchange/extended_connect.ts";
import { grpcTimeoutMs } from "../exchange/grpc_timeout.ts";
import {
  declaredToSidecar,
  FROM_HTTP10,
  FROM_HTTP11,
  inboundRequest,
  inboundResponse,
  upgradeOf,
  withReason,
} from "../exchange/header_edits.ts";
import type { InboundClient } from "./inbound_client.ts";
import { RateLimiters } from "../limit/rate_limiter.ts";
import type { InboundHttpObserver } from "../observe/observe.ts";
import type { Verdict } from "../policy/verdict.ts";
import { accountOf } from "../exchange/retry.ts";
import { type Failure, failure, unsent } from "../upstream/failure.ts";

/** Tries of one request when connections turn out to have been closed. */
const MAX_TRIES = 4;
/**
 * … and when the application refuses it on a connection that goes on: once more, for streams beyond a limit that it had not
 * told yet. Clients' sidecars try again, too, so that each further try here would be three for an application that is full.
 */
const MAX_REFUSED_TRIES = 2;
const PLAIN = { minorVersion: 1, upgrade: "" } as const;
const HTTP10 = { minorVersion: 0, upgrade: "" } as const;

export class InboundHttp implements HttpPipeline {
  readonly #observer: InboundHttpObserver;
  readonly #limiters: RateLimiters;

  constructor(observer: InboundHttpObserver, limiters = new RateLimiters(threadCount())) {
    this.#observer = observer;
    this.#limiters = limiters;
  }

  route(exchange: Exchange): void {
    const client = clientOf(exchange);
    const head = inboundRequest(exchange.request, client.mark, client.isMesh);
    const verdict = verdictOn(client, head);
    exchange.verdict = verdict;
    this.#observer.onVerdict(exchange, verdict);
    if (verdict.kind === "deny") return exchange.fail(unsent("forbidden", verdict.told));
    const { rateLimit, routeLimits } = client.portPolicy().spec;
    const ofRoute = routeLimits === undefined || verdict.route === null ? null : routeLimits.get(verdict.route) ?? null;
    const isLimited = rateLimit !== null || ofRoute !== null;
    if (isLimited && this.#isTooFast(exchange, client, rateLimit, ofRoute, verdict)) return;
    const timeoutMs = grpcTimeoutMs(head);
    if (timeoutMs > 0) exchange.limit(0, timeoutMs);
    this.#send(exchange, client, head);
  }

  /** Ends a request that is under way, or the tunnel it has become, if the policy in force does not permit it. */
  rejudge(exchange: Exchange): void {
    const client = clientOf(exchange);
    const verdict = verdictOn(client, inboundRequest(exchange.request, client.mark, client.isMesh));
    if (verdict.kind === "permit" || exchange.finished) return;
    this.#observer.onRevoked(exchange, verdict);
    exchange.fail(failure("revoked", verdict.told));
  }

  retry(exchange: Exchange, error: Failure): boolean {
    // There is one application: only a connection that it had closed while idle is worth another try.
    if (error.code !== "upstream_closed" && error.code !== "upstream_reset") return false;
    const most = error.isLeaving === false ? MAX_REFUSED_TRIES : MAX_TRIES;
    if (accountOf(exchange, error) !== "free" || exchange.attempts >= most) return false;
    const client = clientOf(exchange);
    this.#send(exchange, client, inboundRequest(exchange.request, client.mark, client.isMesh));
    return true;
  }

  resume(_exchange: Exchange): void {} // nothing pauses here

  responseHead(exchange: Exchange, head: HeaderBlock): HeaderBlock | null {
    const reason = exchange.up?.reason ?? "";
    exchange.reason = reason;
    const out = inboundResponse(head);
    return reason !== "" && clientOf(exchange).isMesh ? withReason(out, reason) : out;
  }

  interimHead(_exchange: Exchange, head: HeaderBlock): HeaderBlock {
    return inboundResponse(head);
  }

  finished(exchange: Exchange): void {
    this.#observer.onFinished(exchange);
  }

  /** Answers a request that came too early for its port or its route. What a kubelet asks is not held against anybody. */
  #isTooFast(
    exchange: Exchange,
    client: InboundClient,
    ofPort: RateLimit | null,
    ofRoute: RateLimit | null,
    { cause }: Verdict,
  ): boolean {
    if (cause === "probe") return false;
    const now = exchange.context.clock();
    const identity = client.peer.identity ?? "";
    const port = ofPort === null ? null : this.#limiters.of(client.port, ofPort);
    const route = ofRoute === null ? null : this.#limiters.of(client.port, ofRoute);
    const early = port === null ? null : port.excess(identity, exchange.request, now);
    const late = early !== null || route === null ? null : route.excess(identity, exchange.request, now);
    const excess = early ?? late;
    if (excess === null) {
      port?.take(now);
      route?.take(now);
      return false;
    }
    const { policy } = (early === null ? ofRoute : ofPort) as RateLimit; // whose excess it is
    this.#observer.onRateLimited(exchange, policy, excess.scope);
    const detail =
      `more requests than RateLimitPolicy ${policy.namespace}/${policy.name} lets in (${excess.scope}); retry-after says when`;
    exchange.fail({ ...unsent("rate_limited", detail), retryAfterMs: excess.waitMs });
    return true;
  }

  #send(exchange: Exchange, client: InboundClient, head: HeaderBlock): void {
    if (isExtendedConnect(exchange, head)) {
      return new ExtendedConnect(client.application, head, declaredBy(exchange, client), 0).send(exchange);
    }
    if (!client.isMesh) {
      const minor = exchange.clientMinorVersion;
      const http1 = exchange.upgrade !== ""
        ? { minorVersion: 1 as const, upgrade: exchange.upgrade }
        : minor === 0
        ? HTTP10
        : PLAIN;
      return exchange.dispatch(client.application, head, http1, minor < 0, 0);
    }
    if ((head.flags & (FROM_HTTP11 | FROM_HTTP10)) === 0) {
      return exchange.dispatch(client.application, head, PLAIN, true, 0);
    }
    const upgrade = upgradeOf(exchange.request);
    if (upgrade === "" && exchange.request.protocol !== "") {
      return exchange.fail(failure("bad_request", "a sidecar asks for an upgrade that is not allowed"));
    }
    const http1 = upgrade !== ""
      ? { minorVersion: 1 as const, upgrade }
      : (head.flags & FROM_HTTP10) !== 0
      ? HTTP10
      : PLAIN;
    exchange.dispatch(client.application, head, http1, false, 0);
  }
}

/** What the application's port is said to speak: by its own side, or by the Service that the client's sidecar knows. */
function declaredBy(exchange: Exchange, client: InboundClient): Protocol {
  const own = client.portPolicy().spec.protocol;
  return own === "detect" && client.isMesh ? declaredToSidecar(exchange.request) : own;
}

/** Decided on what the application will see: an upgrade travels between sidecars as CONNECT, and is a GET to it. */
function verdictOn(client: InboundClient, head: HeaderBlock): Verdict {
  return client.policy().request(decidedRequest(head));
}

function clientOf(exchange: Exchange): InboundClient {
  return (exchange.context as Downstream).route as InboundClient; // inbound connections are made with one
}
