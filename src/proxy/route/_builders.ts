/** Short forms for tests of routes and policies. */
import type { HttpMatch, Matchable, PathMatch, ValueMatch } from "../../model/http_match.ts";
import { compilePattern } from "../../base/pattern.ts";
import { type HeaderBlock, headerBlock } from "../../wire/header_block.ts";

/** A rule with a name. */
export interface NamedRule extends Matchable {
  readonly name: string;
}

/** A rule that holds for everything unless told otherwise. */
export function rule(name: string, matches: readonly HttpMatch[] = [], hostnames: readonly string[] = []): NamedRule {
  return { name, matches, hostnames };
}

/** A match with the given parts. */
export function match(parts: Partial<HttpMatch>): HttpMatch {
  return { path: null, headers: [], query: [], method: "", ...parts };
}

/** "=/a" exact, "/a" prefix, "~/a.*" regular expression. */
export function path(text: string): PathMatch {
  if (text.startsWith("=")) return { kind: "exact", value: text.slice(1), pattern: null };
  if (text.startsWith("~")) return { kind: "regex", value: text.slice(1), pattern: pattern(text.slice(1)) };
  return { kind: "prefix", value: text.replace(/\/$/, ""), pattern: null };
}

/** "name=value" exact, "name~value" regular expression. */
export function value(text: string): ValueMatch {
  const at = text.search(/[=~]/);
  const rest = text.slice(at + 1);
  const regex = text[at] === "~";
  return {
    kind: regex ? "regex" : "exact",
    name: text.slice(0, at),
    value: rest,
    pattern: regex ? pattern(rest) : null,
  };
}

/** The header block of a request. */
export function request(
  method: string,
  path: string,
  authority = "web.shop",
  fields: readonly string[] = [],
): HeaderBlock {
  return headerBlock({ method, scheme: "http", authority, path, protocol: "", status: 0 }, fields);
}

function pattern(text: string) {
  const compiled = compilePattern(text, "regex");
  if (!compiled.ok) throw new Error(compiled.error);
  return compiled.value;
}
