/**
 * Rules compiled for lookup: equal in meaning to `firstMatch`, and of nearly the same cost for ten rules and a thousand.
 *
 * Each (rule, match) becomes an entry under each of the rule's host names (entries.ts). A request looks into few places,
 * and takes the entry of the lowest rule number that holds.
 */
import type { Matchable } from "../../model/http_match.ts";
import type { HeaderBlock } from "../../wire/header_block.ts";
import { AllReadings } from "./all_readings.ts";
import { pathOf } from "./conditions.ts";
import { type Entry, PathIndex } from "./entries.ts";
import { hostOf } from "./host.ts";

/** What a table says when the readings of a path lead to different rules. */
export const AMBIGUOUS = "ambiguous";

/**
 * Compiles rules in their order of precedence. Costs a pass over the rules; do it when a snapshot arrives.
 *
 * @param rules the first that matches wins
 * @param isSame rules between which it does not matter to which of them the readings of a path lead
 */
export function compileRoutes<R extends Matchable>(
  rules: readonly R[],
  isSame: (a: R, b: R) => boolean = (a, b) => a === b,
): RouteTable<R> {
  return new RouteTable(rules, isSame);
}

/** A compiled list of rules. */
export class RouteTable<R extends Matchable> {
  readonly rules: readonly R[];
  readonly isSame: (a: R, b: R) => boolean;
  /** Whether any rule depends on the path. */
  readonly hasPaths: boolean;
  /** Rules without a host name. */
  readonly #everywhere = new PathIndex<R>();
  readonly #hosts = new Map<string, PathIndex<R>>();
  /** By what follows the "*". */
  readonly #wildcards = new Map<string, PathIndex<R>>();
  #longestWildcard = 0;
  #readings: AllReadings<R> | null = null;
  /** Key of the memo of `matchAllReadings`: its answers are of another kind than those of `match`. */
  readonly #readingsKey: object = {};

  /** Use `compileRoutes`. */
  constructor(rules: readonly R[], isSame: (a: R, b: R) => boolean) {
    this.rules = rules;
    this.isSame = isSame;
    this.hasPaths = rules.some(({ matches }) => matches.some(({ path }) => path !== null && path.value !== ""));
    for (let order = 0; order < rules.length; order++) this.#add(rules[order] as R, order); // in range
    this.#everywhere.seal();
    for (const index of this.#hosts.values()) index.seal();
    for (const index of this.#wildcards.values()) index.seal();
  }

  /**
   * The rule for a request. Remembered on the block: for a repeated header section this is one comparison.
   *
   * Paths are matched as they are on the wire, without the query, neither decoded nor resolved: the proxy then agrees
   * with an application that takes the path literally. Where a wrong agreement would be a hole, use `matchAllReadings`.
   */
  match(block: HeaderBlock): R | null {
    if (block.routeKey === this) return block.routeValue as R | null; // only written below
    const rule = this.find(block, pathOf(block));
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
    this.#readings ??= new AllReadings(this);
    const rule = this.#readings.find(block, pathOf(block));
    const answer = rule === undefined ? AMBIGUOUS : rule;
    block.routeKey = this.#readingsKey;
    block.routeValue = answer;
    return answer;
  }

  /** The rule for a request if its path were this one; not remembered. */
  find(block: HeaderBlock, path: string): R | null {
    let best = this.#everywhere.find(block, path, null);
    if (this.#hosts.size > 0 || this.#wildcards.size > 0) best = this.#findByHost(block, path, best);
    return best === null ? null : best.rule;
  }

  #findByHost(block: HeaderBlock, path: string, first: Entry<R> | null): Entry<R> | null {
    const host = hostOf(block.authority);
    let best = this.#hosts.get(host)?.find(block, path, first) ?? first;
    if (this.#wildcards.size === 0 || host.charCodeAt(0) === 0x2e) return best; // "*" takes a label at least
    for (let at = host.indexOf("."); at > 0; at = host.indexOf(".", at + 1)) {
      if (host.length - at > this.#longestWildcard) continue;
      best = this.#wildcards.get(host.slice(at))?.find(block, path, best) ?? best;
    }
    return best;
  }

  #add(rule: R, order: number): void {
    const indexes = rule.hostnames.length === 0
      ? [this.#everywhere]
      : rule.hostnames.map((name) => this.#indexOf(name));
    const matches = rule.matches.length === 0 ? [null] : rule.matches;
    for (const index of new Set(indexes)) for (const match of matches) index.add({ order, rule, match });
  }

  #indexOf(name: string): PathIndex<R> {
    const isWildcard = name.startsWith("*");
    const key = isWildcard ? name.slice(1) : name;
    if (isWildcard) this.#longestWildcard = Math.max(this.#longestWildcard, key.length);
    const indexes = isWildcard ? this.#wildcards : this.#hosts;
    let index = indexes.get(key);
    if (index === undefined) {
      index = new PathIndex();
      indexes.set(key, index);
    }
    return index;
  }
}
