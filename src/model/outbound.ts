/** What a client's proxy knows about a destination. Snapshots are replaced as a whole, never edited. */
import type { HeaderEdit, Matchable } from "./http_match.ts";
import type { Fault } from "./fault.ts";
import type { Egress } from "./egress.ts";
import type { Resilience } from "./resilience.ts";
import type { ResourceRef } from "./resource.ts";
import type { RoutePlan, ShareFilters } from "./route_plan.ts";

/** What a port speaks; "detect" when nobody said. */
export type Protocol = "detect" | "http1" | "http2" | "grpc" | "opaque";

/** One address behind a backend. */
export interface Endpoint {
  readonly ip: string;
  readonly port: number;
  /** "ip:port", IPv6 in brackets. */
  readonly key: string;
  /** SPIFFE ID it must prove; "" when it has no sidecar and is reached in plaintext. */
  readonly identity: string;
  /** Port of its sidecar's mesh listener, 0 without a sidecar. */
  readonly meshPort: number;
  /** "" when unknown. */
  readonly zone: string;
  /** Relative, at least 1. */
  readonly weight: number;
  /** "namespace/name", "" when unknown. */
  readonly workload: string;
}

/** Takes an endpoint out after failures in a row. */
export interface Breaker {
  /** 0 switches it off. */
  readonly consecutiveFailures: number;
  readonly minPenaltyMs: number;
  readonly maxPenaltyMs: number;
}

/** A set of endpoints that answer alike. */
export interface Backend {
  readonly ref: ResourceRef;
  readonly port: number;
  readonly protocol: Protocol;
  readonly endpoints: readonly Endpoint[];
  /** Latency assumed for an endpoint that was not seen yet. */
  readonly defaultRttMs: number;
  /** Time after which an old peak counts for 1/e. */
  readonly decayMs: number;
  readonly breaker: Breaker;
  /** Null: nothing beyond the breaker. */
  readonly resilience: Resilience | null;
  /** Equal in each snapshot that speaks of the same backend: what was learnt about its endpoints is kept under it. */
  readonly key: string;
}

/** A share of a rule's requests. */
export interface WeightedBackend {
  /** Null for a reference that does not resolve: its share is answered with 500. */
  readonly backend: Backend | null;
  readonly weight: number;
  /** Null for none, as for most. */
  readonly filters: ShareFilters | null;
}

/** Further tries of a request. */
export interface RetryPolicy {
  /** After the first try. */
  readonly limit: number;
  readonly statusCodes: ReadonlySet<number>;
  /** gRPC status codes, as a set of bits; for responses that are a status and nothing else. */
  readonly grpcStatuses: number;
  /** Also when the connection failed after the request was sent (for methods that are safe to repeat). */
  readonly connectionError: boolean;
  /** Shortest pause before another try; 0: none where there is another endpoint. */
  readonly backoffMs: number;
}

/** One rule of a route. */
export interface RouteRule extends Matchable {
  readonly ref: ResourceRef;
  readonly backends: readonly WeightedBackend[];
  /** Sum of the weights. */
  readonly totalWeight: number;
  /** From the head of the request to the end of the response; 0: no limit. */
  readonly requestTimeoutMs: number;
  /** One try; 0: no limit. */
  readonly backendTimeoutMs: number;
  readonly retry: RetryPolicy | null;
  readonly requestHeaders: HeaderEdit | null;
  readonly responseHeaders: HeaderEdit | null;
  /** Null for nothing, as for most. */
  readonly plan: RoutePlan | null;
  /** Faults to inject; absent for none, as for nearly all. */
  readonly faults?: readonly Fault[];
}

/** All that is known about one destination. */
export interface OutboundTarget {
  /** What was asked for: "ip:port", "[ip]:port" or "host:port". */
  readonly key: string;
  /** Equal versions are equal snapshots. */
  readonly version: string;
  /** False: the mesh has no such service; connections go to their original destination as they are. */
  readonly known: boolean;
  readonly parent: ResourceRef;
  /** "web.shop.svc.cluster.local:80" */
  readonly authority: string;
  readonly port: number;
  readonly protocol: Protocol;
  /** The first rule that matches wins. */
  readonly routes: readonly RouteRule[];
  readonly backends: readonly Backend[];
  /** For what is not HTTP: the first whose host names hold for the name that TLS asks for. Empty: the last of `routes`. */
  readonly streamRoutes: readonly RouteRule[];
  /** Of an address that the mesh does not know: what may go there; null: everything. */
  readonly egress: Egress | null;
}

/** What a single workload's latency is taken for before it was measured (Linkerd's default). */
export const DEFAULT_RTT_MS = 30;
/** How long an old peak is remembered (Linkerd's default). */
export const DEFAULT_DECAY_MS = 10_000;
