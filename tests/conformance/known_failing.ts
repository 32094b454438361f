/**
 * Lists of cases that are known to fail, one per line with the reason: `<name of the case> # <reason>`. Lines that
 * start with "#" are remarks. A listed case that passes is a problem too, so that a list cannot rot.
 */
import type { Failure } from "./suite.ts";

/** Name → reason. Throws on a line without a reason. */
export function parseKnownFailing(text: string): Map<string, string> {
  const known = new Map<string, string>();
  for (const line of text.split("\n")) {
    if (line.trim() === "" || line.startsWith("#")) continue;
    const mark = line.indexOf(" # ");
    if (mark < 0) throw new Error(`known_failing.txt: "${line}" has no reason; write: name # reason`);
    known.set(line.slice(0, mark).trim(), line.slice(mark + 3).trim());
  }
  return known;
}

/** What differs between the list and what failed, one line each; empty when they agree. */
export function compareWithKnown(known: ReadonlyMap<string, string>, failures: readonly Failure[]): string[] {
  const failed = new Set(failures.map((failure) => failure.name));
  const news = failures.filter((failure) => !known.has(failure.name));
  const fixed = [...known.keys()].filter((name) => !failed.has(name));
  return [
    ...news.map((failure) => `fails: ${failure.name}: ${failure.detail}`),
    ...fixed.map((name) => `passes now, take it off the list: ${name}`),
  ];
}
