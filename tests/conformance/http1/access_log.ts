/** What the application's sidecar believes to have passed on, by its access log, against what the application was sent. */
import { eventually } from "../../support/eventually.ts";
import type { Child } from "../../support/process.ts";
import type { Failure } from "../suite.ts";
import { readRequests } from "./reference.ts";
import type { Result } from "./run_requests.ts";

/** Most time for the last lines to be written. */
const FLUSH_MS = 10_000;

/**
 * Variants of which the log tells something else than what the application has seen: each request that reaches it is logged, and
 * each that is logged as passed on has reached it. One that was given up before its head was sent is logged with its error.
 */
export async function unlogged(sidecar: Child, results: readonly Result[]): Promise<Failure[]> {
  const plain = results.filter(({ variant }) => variant.answer?.bytes.startsWith("HTTP/1.1 101") !== true);
  const sent = new Map<string, number>();
  for (const { streams } of plain) {
    for (const bytes of streams) {
      const { messages, begun } = readRequests(bytes);
      for (const { target } of messages) add(sent, target);
      if (begun !== null) add(sent, begun.split(" ")[1] ?? "");
    }
  }
  await eventually(() => {
    if (differing(sidecar, plain, sent).length > 0) throw new Error("the log is not complete");
  }, FLUSH_MS).catch(() => {}); // what differs is the result
  return differing(sidecar, plain, sent);
}

function differing(sidecar: Child, results: readonly Result[], sent: ReadonlyMap<string, number>): Failure[] {
  const { all, passedOn } = logOf(sidecar.output());
  const wrong: Failure[] = [];
  for (const { variant, number } of results) {
    for (const key of new Set([...sent.keys(), ...passedOn.keys()])) {
      if (!key.includes(String(number).padStart(4, "0"))) continue;
      const [there = 0, logged = 0, good = 0] = [sent.get(key), all.get(key), passedOn.get(key)];
      if (there <= logged && good <= there) continue;
      const detail = `${key}: sent ${there} times, logged ${logged} times, ${good} of them as passed on`;
      wrong.push({ name: `${variant.class}: ${variant.name}`, detail });
    }
  }
  return wrong;
}

/** Requests to the application by their keys: all, and those without an error. */
function logOf(text: string): { readonly all: Map<string, number>; readonly passedOn: Map<string, number> } {
  const all = new Map<string, number>();
  const passedOn = new Map<string, number>();
  for (const line of text.split("\n")) {
    if (!line.startsWith('{"time"')) continue;
    const { direction, destination, authority, path, error } = JSON.parse(line) as Record<string, string>; // ours
    if (direction !== "inbound" || destination === "") continue;
    const target = (path || authority) ?? ""; // CONNECT has no path
    add(all, target);
    if (error === undefined) add(passedOn, target);
  }
  return { all, passedOn };
}

/** The log has no queries. */
function add(counts: Map<string, number>, target: string): void {
  const key = target.replace(/\?.*/, "").match(/[vcp][0-9]{4}[a-c]?/)?.[0];
  if (key !== undefined) counts.set(key, (counts.get(key) ?? 0) + 1);
}
