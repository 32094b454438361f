/**
 * What rules of routes do with requests beside choosing a backend: filters of the Gateway API, as proxies are told. The meaning
 * of each field stands in proto/tulle/discovery/v1/discovery.proto.
 */

export interface HeaderEdit {
  readonly set: readonly { readonly name: string; readonly value: string }[];
  readonly add: readonly { readonly name: string; readonly value: string }[];
  readonly remove: readonly string[];
}

export interface PathEdit {
  readonly kind: "full" | "prefix";
  readonly value: string;
}

export interface Redirect {
  readonly status: number;
  /** "" where the request's holds; so hostname. */
  readonly scheme: string;
  readonly hostname: string;
  /** 0: not said. */
  readonly port: number;
  readonly path: PathEdit | null;
}

export interface Rewrite {
  /** "" where the request's holds. */
  readonly hostname: string;
  readonly path: PathEdit | null;
}

/** Copies of `numerator` of `denominator` requests. */
export interface Fraction {
  readonly numerator: number;
  /** At least 1. */
  readonly denominator: number;
}

export interface Mirror extends Fraction {
  /** Index among the target's backends. */
  readonly backend: number;
}

export interface Cors {
  readonly allowOrigins: readonly string[];
  readonly allowCredentials: boolean;
  readonly allowMethods: readonly string[];
  readonly allowHeaders: readonly string[];
  readonly exposeHeaders: readonly string[];
  readonly maxAgeSeconds: number;
}

export interface Session {
  readonly name: string;
  /** The token is a cookie otherwise. */
  readonly inHeader: boolean;
  /** null: as long as the endpoint is there. */
  readonly absoluteTimeoutMs: number | null;
  readonly permanent: boolean;
}

/** Of a rule. */
export interface RoutePlan {
  readonly redirect: Redirect | null;
  readonly rewrite: Rewrite | null;
  readonly mirrors: readonly Mirror[];
  readonly cors: Cors | null;
  readonly session: Session | null;
}

/** Of one of a rule's backends. */
export interface ShareFilters {
  readonly requestHeaders: HeaderEdit | null;
  readonly responseHeaders: HeaderEdit | null;
  readonly rewrite: Rewrite | null;
  readonly mirrors: readonly Mirror[];
}
