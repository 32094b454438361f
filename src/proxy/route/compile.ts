/**
 * Rules compiled for lookup: equal in meaning to `firstMatch`, cheaper for many rules.
 *
 * Each (rule, match) becomes an entry, kept under its exact path, its path prefix, or in the list of the rest. A request
 * looks into few lists, and takes the entry of the lowest rule number that holds.
 */
import type { HttpMatch, Matchable } from "../../model/http_match.ts";
import type { HeaderBlock } from "../../wire/header_block.ts";
import { matchesPath, matchesRest, pathOf } from "./conditions.ts";
import { hostOf, matchesHost } from "./host.ts";
import { isPlainPath, MAX_READABLE_PATH, pathReadings } from "./readings.ts";

/** What a table says when the readings of a path lead to different rules. */
export const AMBIGUOUS = "ambiguous";

interface Entry<R> {
  /** Number of the rule: lower wins. */
  readonly order: number;
  readonly rule: R;
  /** Null for a rule without matches: it holds for everything. */
  readonly match: HttpMatch | null;
  /** The path is known to hold from the list the entry stands in. */
  readonly pathHolds: boolean;
}

/**
 * Compiles rules in their order of precedence. Costs a pass over the rules; do it when a snapshot arrives.
 *
 * @param rules the first that matches wins
 */
export function compileRoutes<R extends Matchable>(rules: readonly R[]): RouteTable<R> {
  return new RouteTable(rules);
}

/** A compiled list of rules. */
export class RouteTable<R extends Matchable> {
  readonly rules: readonly R[];
  readonly #exact = new Map<string, Entry<R>[]>();
  readonly #prefix = new Map<string, Entry<R>[]>();
  readonly #rest: Entry<R>[] = [];
  #longestPrefix = 0;
  /** Whether any rule depends on the path. */
  #hasPaths = false;
  /** Key of the memo of `matchAllReadings`: its answers are of another kind than those of `match`. */
  readonly #readingsKey: object = {};

  /** Use `compileRoutes`. */
  constructor(rules: readonly R[]) {
    this.rules = rules;
    for (let order = 0; order < rules.length; order++) this.#add(rules[order] as R, order); // in range
  }

  /**
   * The rule for a request. Remembered on the block: for a repeated header section this is one comparison.
   *
   * Paths are matched as they are on the wire, without the query, neither decoded nor resolved: the proxy then agrees
   * with an application that takes the path literally. Where a wrong agreement would be a hole, use `matchAllReadings`.
   */
  match(block: HeaderBlock): R | null {
    if (block.routeKey === this) return block.routeValue as R | null; // only written below
    const rule = this.#find(block, pathOf(block));
    block.routeKey = this;
    block.routeValue = rule;
    return rule;
  }

  /**
   * Like `match`, for decisions about access: the path is matched in each way an application may read it (see
   * readings.ts).
   *
   * @returns the rule when all readings lead to it, null when all lead to none, AMBIGUOUS when they differ
   */
  matchAllReadings(block: HeaderBlock): R | null | typeof AMBIGUOUS {
    if (block.routeKey === this.#readingsKey) return block.routeValue as R | null | typeof AMBIGUOUS; // only written below
    const answer = this.#findAll(block, pathOf(block));
    block.routeKey = this.#readingsKey;
    block.routeValue = answer;
    return answer;
  }

  #findAll(block: HeaderBlock, path: string): R | null | typeof AMBIGUOUS {
    const first = this.#find(block, path);
    if (!this.#hasPaths || isPlainPath(path)) return first;
    if (path.length > MAX_READABLE_PATH) return AMBIGUOUS;
    for (const reading of pathReadings(path)) if (this.#find(block, reading) !== first) return AMBIGUOUS;
    return first;
  }

  #add(rule: R, order: number): void {
    if (rule.matches.length === 0) this.#rest.push({ order, rule, match: null, pathHolds: true });
    for (const match of rule.matches) {
      const path = match.path;
      if (path === null || (path.kind === "prefix" && path.value === "")) {
        this.#rest.push({ order, rule, match, pathHolds: true });
        continue;
      }
      this.#hasPaths = true;
      if (path.kind === "regex") this.#rest.push({ order, rule, match, pathHolds: false });
      else {
        const lists = path.kind === "exact" ? this.#exact : this.#prefix;
        if (path.kind === "prefix") this.#longestPrefix = Math.max(this.#longestPrefix, path.value.length);
        const list = lists.get(path.value);
        const entry = { order, rule, match, pathHolds: true };
        if (list === undefined) lists.set(path.value, [entry]);
        else list.push(entry);
      }
    }
  }

  #find(block: HeaderBlock, path: string): R | null {
    const host = hostOf(block.authority);
    let best = firstIn(this.#rest, block, host, path, null);
    if (this.#exact.size > 0) {
      const list = this.#exact.get(path);
      if (list !== undefined) best = firstIn(list, block, host, path, best);
    }
    if (this.#prefix.size > 0) {
      // Each element boundary within reach: "/a/b/" has the prefixes "/a", "/a/b" and "/a/b/".
      const limit = Math.min(path.length, this.#longestPrefix);
      for (let end = 1; end <= limit; end++) {
        if (end < path.length && path.charCodeAt(end) !== 0x2f) continue;
        const list = this.#prefix.get(path.slice(0, end));
        if (list !== undefined) best = firstIn(list, block, host, path, best);
      }
    }
    return best === null ? null : best.rule;
  }
}

/** The first entry of a list (in ascending order) that holds and comes before `best`; otherwise `best`. */
function firstIn<R extends Matchable>(
  list: readonly Entry<R>[],
  block: HeaderBlock,
  host: string,
  path: string,
  best: Entry<R> | null,
): Entry<R> | null {
  const before = best === null ? Infinity : best.order;
  for (let i = 0; i < list.length; i++) {
    const entry = list[i] as Entry<R>; // in range
    if (entry.order >= before) break;
    if (holds(entry, block, host, path)) return entry;
  }
  return best;
}

function holds<R extends Matchable>(entry: Entry<R>, block: HeaderBlock, host: string, path: string): boolean {
  if (!matchesHost(entry.rule.hostnames, host)) return false;
  const match = entry.match;
  if (match === null) return true;
  if (!entry.pathHolds && match.path !== null && !matchesPath(match.path, path)) return false;
  return matchesRest(match, block);
}
