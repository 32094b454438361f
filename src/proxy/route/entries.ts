/**
 * Entries of a table, kept so that a request looks at few of them: by host name, then by path, then by what most of the
 * rest asks for (a header's value, a method, a query parameter).
 */
import type { HttpMatch, Matchable, ValueMatch } from "../../model/http_match.ts";
import type { HeaderBlock } from "../../wire/header_block.ts";
import { fieldValue, matchesPath, matchesRest } from "./conditions.ts";
import { PrefixChains, type PrefixNode } from "./prefix_chains.ts";
import { queryValue } from "./query.ts";

/** One match of one rule; its host name and, but for regular expressions, its path hold from where it stands. */
export interface Entry<R> {
  /** Number of the rule: lower wins. */
  readonly order: number;
  readonly rule: R;
  /** Null for a rule without matches: it holds for everything. */
  readonly match: HttpMatch | null;
}

/** Entries in one place beyond which it is worth parting them by a condition. */
const MANY = 8;

/** Entries for one host name, or for all. */
export class PathIndex<R extends Matchable> {
  readonly #exact = new Map<string, EntryList<R>>();
  readonly #prefix = new Map<string, EntryList<R>>();
  /** Of regular expressions, by what the path must begin with in lower case; in `#rest` where that is nothing. */
  readonly #regex = new Map<string, EntryList<R>>();
  #regexes: PrefixChains<EntryList<R>> | null = null;
  readonly #rest = new EntryList<R>();
  #longestPrefix = 0;

  add(entry: Entry<R>): void {
    const path = entry.match?.path ?? null;
    if (path === null) return this.#rest.add(entry);
    const key = path.kind === "regex" ? path.pattern?.prefix ?? "" : path.value;
    if (key === "" && path.kind !== "exact") return this.#rest.add(entry);
    const lists = path.kind === "exact" ? this.#exact : path.kind === "prefix" ? this.#prefix : this.#regex;
    if (path.kind === "prefix") this.#longestPrefix = Math.max(this.#longestPrefix, key.length);
    let list = lists.get(key);
    if (list === undefined) {
      list = new EntryList();
      lists.set(key, list);
    }
    list.add(entry);
  }

  /** No more entries will come. */
  seal(): void {
    for (const list of this.#exact.values()) list.seal();
    for (const list of this.#prefix.values()) list.seal();
    for (const list of this.#regex.values()) list.seal();
    if (this.#regex.size > 0) this.#regexes = new PrefixChains(this.#regex);
    this.#rest.seal();
  }

  /** The first entry that holds and comes before `best`; otherwise `best`. */
  find(block: HeaderBlock, path: string, best: Entry<R> | null): Entry<R> | null {
    let found = this.#rest.find(block, path, best);
    if (this.#exact.size > 0) found = this.#exact.get(path)?.find(block, path, found) ?? found;
    if (this.#regexes !== null) {
      let node: PrefixNode<EntryList<R>> | null = this.#regexes.longest(path.toLowerCase());
      for (; node !== null; node = node.shorter) found = node.value.find(block, path, found);
    }
    if (this.#prefix.size === 0) return found;
    // Each element boundary within reach: "/a/b/" has the prefixes "/a", "/a/b" and "/a/b/".
    const limit = Math.min(path.length, this.#longestPrefix);
    for (let end = 1; end <= limit; end++) {
      if (end < path.length && path.charCodeAt(end) !== 0x2f) continue;
      found = this.#prefix.get(path.slice(0, end))?.find(block, path, found) ?? found;
    }
    return found;
  }
}

/** What entries are parted by: a value that requests have, and that some matches ask for exactly. */
interface Key {
  of(match: HttpMatch): string | null;
  in(block: HeaderBlock): string | null;
}

/** Entries in ascending order, those with the same key apart from the others. */
class EntryList<R extends Matchable> {
  #entries: Entry<R>[] = [];
  #key: Key | null = null;
  readonly #byKey = new Map<string, Entry<R>[]>();

  add(entry: Entry<R>): void {
    this.#entries.push(entry);
  }

  seal(): void {
    if (this.#entries.length <= MANY) return;
    const key = bestKey(this.#entries);
    if (key === null) return;
    this.#key = key;
    const others: Entry<R>[] = [];
    for (const entry of this.#entries) {
      const value = entry.match === null ? null : key.of(entry.match);
      const list = value === null ? others : this.#byKey.get(value);
      if (list !== undefined) list.push(entry);
      else if (value !== null) this.#byKey.set(value, [entry]);
    }
    this.#entries = others;
  }

  find(block: HeaderBlock, path: string, best: Entry<R> | null): Entry<R> | null {
    const found = firstIn(this.#entries, block, path, best);
    if (this.#key === null) return found;
    const value = this.#key.in(block);
    const list = value === null ? undefined : this.#byKey.get(value);
    return list === undefined ? found : firstIn(list, block, path, found);
  }
}

/** The condition that most entries have; null when too few have any. */
function bestKey(entries: readonly Entry<Matchable>[]): Key | null {
  const counts = new Map<string, { count: number; key: Key }>();
  const count = (name: string, make: () => Key) => {
    const known = counts.get(name);
    if (known === undefined) counts.set(name, { count: 1, key: make() });
    else known.count++;
  };
  for (const { match } of entries) {
    if (match === null) continue;
    if (match.method !== "") count("method", () => METHOD);
    for (const { name } of match.headers.filter(isExact)) count(`header ${name}`, () => headerKey(name));
    for (const { name } of match.query.filter(isExact)) count(`query ${name}`, () => queryKey(name));
  }
  let best: { count: number; key: Key } | null = null;
  for (const candidate of counts.values()) {
    // Methods part into a handful at most.
    const worth = candidate.key === METHOD ? MANY : 0;
    if (candidate.count > MANY + worth && (best === null || candidate.count > best.count)) best = candidate;
  }
  return best === null ? null : best.key;
}

function isExact(match: ValueMatch): boolean {
  return match.pattern === null;
}

const METHOD: Key = {
  of: (match) => match.method === "" ? null : match.method,
  in: (block) => block.method,
};

function headerKey(name: string): Key {
  return { of: (match) => valueOf(match.headers, name), in: (block) => fieldValue(block, name) };
}

function queryKey(name: string): Key {
  return { of: (match) => valueOf(match.query, name), in: (block) => queryValue(block.path, name) };
}

function valueOf(matches: readonly ValueMatch[], name: string): string | null {
  return matches.find((match) => match.name === name && isExact(match))?.value ?? null;
}

/** The first entry of a list (in ascending order) that holds and comes before `best`; otherwise `best`. */
function firstIn<R>(
  list: readonly Entry<R>[],
  block: HeaderBlock,
  path: string,
  best: Entry<R> | null,
): Entry<R> | null {
  const before = best === null ? Infinity : best.order;
  for (let i = 0; i < list.length; i++) {
    const entry = list[i] as Entry<R>; // in range
    if (entry.order >= before) break;
    if (holds(entry.match, block, path)) return entry;
  }
  return best;
}

function holds(match: HttpMatch | null, block: HeaderBlock, path: string): boolean {
  if (match === null) return true;
  if (match.path?.kind === "regex" && !matchesPath(match.path, path)) return false;
  return matchesRest(match, block);
}
