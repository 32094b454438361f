/** A table asked about a path in each way an application may read it: letters' case is one of them, as readings.ts are. */
import { compilePattern } from "../../base/pattern.ts";
import type { HttpMatch, Matchable, PathMatch } from "../../model/http_match.ts";
import type { HeaderBlock } from "../../wire/header_block.ts";
import { compileRoutes, type RouteTable } from "./compile.ts";
import { isPlainPath, MAX_READABLE_PATH, pathReadings } from "./readings.ts";

/** A rule with its paths in lower case. */
interface Folded<R> extends Matchable {
  readonly rule: R;
}

/** Finds the rule to which all readings of a path lead. */
export class AllReadings<R extends Matchable> {
  readonly #table: RouteTable<R>;
  /** Null where rules have paths that differ in case only: then their application tells case apart. */
  readonly #folded: RouteTable<Folded<R>> | null;
  readonly #hasUpperCase: boolean;

  constructor(table: RouteTable<R>) {
    this.#table = table;
    const paths = table.rules.flatMap(({ matches }) => matches.flatMap(({ path }) => path === null ? [] : [path]));
    this.#hasUpperCase = paths.some(({ kind, value }) => kind === "regex" || hasUpperCase(value));
    this.#folded = isCaseTold(paths) ? null : compileRoutes(table.rules.map(folded));
  }

  /** @returns undefined when the readings lead to rules that are not the same */
  find(block: HeaderBlock, path: string): R | null | undefined {
    const first = this.#table.find(block, path);
    if (!this.#table.hasPaths) return first;
    if (!this.#leadsTo(first, block, path)) return undefined;
    if (isPlainPath(path)) return first;
    if (path.length > MAX_READABLE_PATH) return undefined;
    for (const reading of pathReadings(path)) {
      if (!this.#isSame(first, this.#table.find(block, reading)) || !this.#leadsTo(first, block, reading)) {
        return undefined;
      }
    }
    return first;
  }

  /** Whether the path leads there as well when case does not count. */
  #leadsTo(first: R | null, block: HeaderBlock, path: string): boolean {
    if (this.#folded === null || !(this.#hasUpperCase || hasUpperCase(path))) return true;
    const found = this.#folded.find(block, path.toLowerCase());
    return this.#isSame(first, found === null ? null : found.rule);
  }

  #isSame(a: R | null, b: R | null): boolean {
    return a === b || (a !== null && b !== null && this.#table.isSame(a, b));
  }
}

function hasUpperCase(text: string): boolean {
  return /[A-Z]/.test(text);
}

function isCaseTold(paths: readonly PathMatch[]): boolean {
  const known = new Map<string, string>();
  for (const { kind, value } of paths) {
    if (kind === "regex") continue;
    const lower = value.toLowerCase();
    if ((known.get(lower) ?? value) !== value) return true;
    known.set(lower, value);
  }
  return false;
}

function folded<R extends Matchable>(rule: R): Folded<R> {
  return { rule, hostnames: rule.hostnames, matches: rule.matches.map(foldedMatch) };
}

function foldedMatch(match: HttpMatch): HttpMatch {
  const { path } = match;
  if (path === null) return match;
  if (path.kind !== "regex") return { ...match, path: { ...path, value: path.value.toLowerCase() } };
  const pattern = path.value.startsWith("(?i)") ? null : compilePattern(`(?i)${path.value}`, "path");
  return pattern?.ok === true ? { ...match, path: { ...path, pattern: pattern.value } } : match;
}
