/**
 * What a rule does with requests beside choosing a backend: filters of the Gateway API (HTTPRouteFilter), immutable like the
 * snapshot they come with. Most rules have none. Texts are in the wire's form.
 */
import type { HeaderEdit } from "./http_match.ts";
import type { Backend } from "./outbound.ts";

/** Another path; the query stays. */
export interface PathEdit {
  readonly kind: "full" | "prefix";
  /** For "prefix" without a slash at the end; "" takes the prefix away. */
  readonly value: string;
}

/** What an edit of a path needs to know of the rule. */
interface Edited {
  readonly path: PathEdit | null;
  /** The prefix that requests of the rule match, without a slash at the end; "" stands for "/". */
  readonly matched: string;
}

/** What the client is told to ask for. */
export interface Redirect extends Edited {
  readonly status: number;
  /** "" where the request's holds; so hostname. */
  readonly scheme: string;
  readonly hostname: string;
  /** 0: the well-known one of `scheme`, or without one the port that was called. */
  readonly port: number;
}

/** What the backend is asked for. */
export interface Rewrite extends Edited {
  /** "" where the request's holds. */
  readonly hostname: string;
}

/** Copies of requests. */
export interface Mirror {
  /** Null for a reference that does not resolve: nothing is sent. */
  readonly backend: Backend | null;
  /** Share of the requests, 0–1. */
  readonly share: number;
}

/** Who may read responses from the pages of other origins (Fetch standard §3.2). */
export interface Cors {
  /** "*", or scheme://host[:port] in lower case, where "*" stands for any text. */
  readonly allowOrigins: readonly string[];
  readonly allowCredentials: boolean;
  readonly allowMethods: readonly string[];
  readonly allowHeaders: readonly string[];
  readonly exposeHeaders: readonly string[];
  readonly maxAgeSeconds: number;
}

/** Requests that carry the token of a session go where the session began. */
export interface Session {
  /** Of the cookie; of the header in lower case. */
  readonly name: string;
  /** The token is a cookie otherwise. */
  readonly inHeader: boolean;
  /** 0: as long as the endpoint is there. */
  readonly absoluteTimeoutMs: number;
  /** The cookie outlives the client's own session. */
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

/** Of one of a rule's backends, after those of the rule. */
export interface ShareFilters {
  readonly requestHeaders: HeaderEdit | null;
  readonly responseHeaders: HeaderEdit | null;
  readonly rewrite: Rewrite | null;
  readonly mirrors: readonly Mirror[];
}
