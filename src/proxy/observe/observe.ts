/** What the pipelines report; metrics, access log and tap stand behind it. */
import type { Refusal } from "../../http/refusal.ts";
import type { ConnectionCounters } from "../../net/connection_stats.ts";
import type { Fault } from "../../model/fault.ts";
import type { ResourceRef } from "../../model/resource.ts";
import type { RateScope } from "../limit/rate_limiter.ts";
import type { Exchange } from "../exchange/exchange.ts";
import type { OutboundTarget, RouteRule } from "../../model/outbound.ts";
import type { MirrorResult } from "../outbound/mirror_copy.ts";
import type { InboundClient } from "../inbound/inbound_client.ts";
import type { EgressVerdict } from "../policy/egress.ts";
import type { Verdict } from "../policy/verdict.ts";
import type { TargetEntry } from "../outbound/outbound_targets.ts";
import type { FailureCode } from "../upstream/failure.ts";

export interface HttpObserver {
  /** Inbound: the policy has decided. */
  onVerdict(exchange: Exchange, verdict: Verdict): void;
  /** Outbound: an endpoint was chosen for the first time. */
  onRequest(exchange: Exchange): void;
  /** The exchange is over, with whatever outcome. */
  onFinished(exchange: Exchange): void;
}

/** What the first bytes of a connection turned out to be. */
export type Detected = "http/1" | "http/2" | "not_http" | "server_first" | "closed";

/** What became of a wish to try again: a further try, none left for this request, none left in the budget. */
export type RetryOutcome = "requests" | "limit_exceeded" | "overflow";

/** What policy looked at: a request, the name that TLS asks for, or the address alone. */
export type EgressProtocol = "http" | "tls" | "tcp";

/** Who is told what may leave the mesh. */
export interface EgressObserver {
  /** @param host what the client named; "" for nothing */
  onEgress(entry: TargetEntry, protocol: EgressProtocol, host: string, verdict: EgressVerdict): void;
  /** What was let through before was ended: it may not leave the mesh any more. */
  onEgressRevoked(entry: TargetEntry, protocol: EgressProtocol, host: string, verdict: EgressVerdict): void;
}

export interface OutboundHttpObserver extends HttpObserver, EgressObserver {
  onFault(fault: Fault): void;
  onRetry(exchange: Exchange, outcome: RetryOutcome): void;
  /** A copy of a request is over. @param rule that asked for it */
  onMirror(target: OutboundTarget, rule: RouteRule, result: MirrorResult): void;
}

export interface InboundHttpObserver extends HttpObserver {
  /** The policy in force does not permit any more what it had permitted; the exchange is ended. */
  onRevoked(exchange: Exchange, verdict: Verdict): void;
  /** A request came faster than its policy admits. */
  onRateLimited(exchange: Exchange, policy: ResourceRef, scope: RateScope): void;
}

export interface OutboundObserver extends EgressObserver {
  /** Counters of connections from the pod's own processes to a target. */
  clients(entry: TargetEntry): ConnectionCounters;
  onDetected(result: Detected): void;
  onTcpError(code: FailureCode): void;
  onBadRequest(status: number): void;
  /** A client's connection or stream was ended because of what it did, or used up. @param client its address */
  onRefused(reason: Refusal, detail: string, client: string): void;
}

export interface InboundObserver {
  /** Counters of connections from clients, by port and whether they come through a sidecar. */
  clients(client: InboundClient): ConnectionCounters;
  onDetected(result: Detected): void;
  onTcpVerdict(client: InboundClient, verdict: Verdict): void;
  /** An opaque connection that was permitted is not any more; it is ended. */
  onTcpRevoked(client: InboundClient, verdict: Verdict): void;
  onTcpError(code: FailureCode): void;
  onBadRequest(status: number): void;
  /** A client's connection or stream was ended because of what it did, or used up. @param client its address or identity */
  onRefused(reason: Refusal, detail: string, client: string): void;
  /** A connection on the mesh port was admitted. */
  onTransportHeader(result: string): void;
  /** A handshake on the mesh port failed, or its client was refused before it could ask for anything. */
  onRefusedPeer(code: string, detail: string): void;
}
