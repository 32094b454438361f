/**
 * Conditions on a request and edits of its header section, as the Gateway API describes them (HTTPRouteMatch,
 * HTTPHeaderFilter). All texts are in the wire's form already (see wire_text.ts), names of headers in lower case.
 */
import type { Pattern } from "../base/pattern.ts";

/** Condition on the path, without the query. */
export interface PathMatch {
  readonly kind: "exact" | "prefix" | "regex";
  /** For "prefix" without a slash at the end; "" then stands for "/", which every path matches. */
  readonly value: string;
  /** Set exactly for "regex". */
  readonly pattern: Pattern | null;
}

/** Condition on one header or query parameter. */
export interface ValueMatch {
  readonly kind: "exact" | "regex";
  readonly name: string;
  readonly value: string;
  /** Set exactly for "regex". */
  readonly pattern: Pattern | null;
}

/** Holds when all its parts hold. */
export interface HttpMatch {
  readonly path: PathMatch | null;
  readonly headers: readonly ValueMatch[];
  readonly query: readonly ValueMatch[];
  /** "" for any. */
  readonly method: string;
}

/** What selects a rule: any of the host names, and any of the matches; an empty list holds for everything. */
export interface Matchable {
  /** Lower case, without a port; "*.example.org" stands for any name below it. */
  readonly hostnames: readonly string[];
  readonly matches: readonly HttpMatch[];
}

/** Applied in the order set, add, remove. */
export interface HeaderEdit {
  /** [name, value, …]: replaces all fields of that name. */
  readonly set: readonly string[];
  /** [name, value, …]: further fields. */
  readonly add: readonly string[];
  readonly remove: readonly string[];
}
