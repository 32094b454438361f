/** Who may reach this workload, port by port. Snapshots are replaced as a whole, never edited. */
import type { Matchable } from "./http_match.ts";
import type { IpBlock } from "./ip.ts";
import type { Protocol } from "./outbound.ts";
import type { RateLimit } from "./rate_limit.ts";
import type { ResourceRef } from "./resource.ts";

/** What holds when no authorization says otherwise; names as in the annotation `tulle.dev/default-inbound-policy`. */
export type DefaultPolicy =
  | "all-unauthenticated"
  | "all-authenticated"
  | "cluster-unauthenticated"
  | "cluster-authenticated"
  | "deny"
  | "audit";

/** Identities that are accepted: exact, "start*" or "*". */
export interface MeshTlsAuthentication {
  readonly kind: "mesh_tls";
  readonly source: ResourceRef;
  readonly identities: readonly string[];
}

/** Client addresses that are accepted. */
export interface NetworkAuthentication {
  readonly kind: "networks";
  readonly source: ResourceRef;
  readonly networks: readonly Network[];
}

/** A block without some blocks inside it. */
export interface Network {
  readonly block: IpBlock;
  readonly except: readonly IpBlock[];
}

export type Authentication = MeshTlsAuthentication | NetworkAuthentication;

/** One AuthorizationPolicy, seen from one target. */
export interface Authorization {
  readonly policy: ResourceRef;
  readonly action: "allow" | "deny";
  /** Audit: changes no outcome, is only reported. */
  readonly mode: "enforce" | "audit";
  /** All must hold; none means everyone. */
  readonly authentications: readonly Authentication[];
}

/** A route of a Server. */
export interface InboundRoute extends Matchable {
  readonly ref: ResourceRef;
  readonly authorizations: readonly Authorization[];
}

/** A port that is declared, or that a Server selects. */
export interface InboundPort {
  readonly port: number;
  readonly protocol: Protocol;
  /** Null: no Server selects the port. */
  readonly server: ResourceRef | null;
  readonly authorizations: readonly Authorization[];
  /** When there are any, each request must match one. */
  readonly routes: readonly InboundRoute[];
  /** What holds when no authorization admits. */
  readonly defaultPolicy: DefaultPolicy;
  /** Paths that a kubelet asks for: admitted without an identity, from `probeNetworks`, unless a policy denies it. */
  readonly probePaths: readonly string[];
  /** Null: requests may come as fast as they like. */
  readonly rateLimit: RateLimit | null;
  /** What bounds the requests of a route beside it, by the `ref` of the route; absent for nothing. */
  readonly routeLimits?: ReadonlyMap<ResourceRef, RateLimit>;
}

/** The inbound policy of one workload. */
export interface InboundPolicy {
  readonly version: string;
  /** "namespace/name" */
  readonly workload: string;
  /** Its own SPIFFE ID. */
  readonly identity: string;
  readonly ports: ReadonlyMap<number, InboundPort>;
  /** For ports that are not among `ports`. */
  readonly defaultPolicy: DefaultPolicy;
  /** … and what denies there all the same; absent for nothing. */
  readonly denials?: readonly Authorization[];
  /** What the cluster-* defaults call "inside". */
  readonly clusterNetworks: readonly IpBlock[];
  /** Whence a kubelet's probes may come. */
  readonly probeNetworks: readonly IpBlock[];
  /** Topology zone that it runs in; "" when unknown. */
  readonly zone: string;
}
