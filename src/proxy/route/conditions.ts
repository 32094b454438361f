/** The plain meaning of a match, condition by condition. The compiled table uses the same functions in a better order. */
import type { HttpMatch, Matchable, PathMatch, ValueMatch } from "../../model/http_match.ts";
import type { HeaderBlock } from "../../wire/header_block.ts";
import { hostOf, matchesHost } from "./host.ts";
import { queryValue } from "./query.ts";

/** The path of a request without its query, as it is on the wire: nothing is decoded or resolved. */
export function pathOf(block: HeaderBlock): string {
  const query = block.path.indexOf("?");
  return query < 0 ? block.path : block.path.slice(0, query);
}

/**
 * Whether a path meets a condition (Gateway API HTTPPathMatch). The prefix "/" holds for every path, also for "*" and
 * the empty one of CONNECT.
 */
export function matchesPath(match: PathMatch, path: string): boolean {
  switch (match.kind) {
    case "exact":
      return path === match.value;
    case "prefix":
      return match.value === "" || (path.startsWith(match.value) &&
        (path.length === match.value.length || path.charCodeAt(match.value.length) === 0x2f));
    case "regex":
      return match.pattern !== null && match.pattern.test(path);
    default:
      return match.kind satisfies never;
  }
}

/** All conditions of a match but the path. */
export function matchesRest(match: HttpMatch, block: HeaderBlock): boolean {
  if (match.method !== "" && match.method !== block.method) return false;
  for (let i = 0; i < match.headers.length; i++) {
    const header = match.headers[i] as ValueMatch; // in range
    if (!matchesValue(header, fieldValue(block, header.name))) return false;
  }
  for (let i = 0; i < match.query.length; i++) {
    const parameter = match.query[i] as ValueMatch; // in range
    if (!matchesValue(parameter, queryValue(block.path, parameter.name))) return false;
  }
  return true;
}

/** The plain meaning of a list of rules: the first that holds. Reference for the compiled table. */
export function firstMatch<R extends Matchable>(rules: readonly R[], block: HeaderBlock): R | null {
  const host = hostOf(block.authority);
  const path = pathOf(block);
  for (const rule of rules) {
    if (!matchesHost(rule.hostnames, host)) continue;
    if (rule.matches.length === 0) return rule;
    for (const match of rule.matches) {
      if ((match.path === null || matchesPath(match.path, path)) && matchesRest(match, block)) return rule;
    }
  }
  return null;
}

function matchesValue(match: ValueMatch, value: string | null): boolean {
  if (value === null) return false;
  return match.pattern !== null ? match.pattern.test(value) : value === match.value;
}

/** All values of a field, joined as RFC 9110 §5.2 allows; null when absent. `host` is the authority. */
export function fieldValue(block: HeaderBlock, name: string): string | null {
  if (name === "host") return block.authority === "" ? null : block.authority;
  const fields = block.fields;
  let value: string | null = null;
  for (let i = 0; i < fields.length; i += 2) {
    if (fields[i] !== name) continue;
    const next = fields[i + 1] as string; // pairs
    value = value === null ? next : `${value},${next}`;
  }
  return value;
}
