/**
 * What became of a variant, as pure functions of the bytes at both ends. Dangerous is every reading of a message that two
 * parties do not share: a canary seen by anyone, a stream that one back end reads differently, an answer to another request.
 */
import type { BackendReading } from "./backends.ts";
import type { Outcome, RequestVariant } from "./corpus/variant.ts";
import { withNumber } from "./corpus/variant.ts";
import { nameOf } from "./recorder.ts";
import { readRequests, readResponses, type SeenRequest, type SeenResponse, valuesOf } from "./reference.ts";

/** What one connection to the application brought, and how the back ends read it. */
export interface Stream {
  readonly bytes: Buffer;
  /** It ends where a request ends, and could carry another one: the back ends got a sentinel behind it. */
  readonly isWhole: boolean;
  readonly readings: readonly { readonly backend: string; readonly reading: BackendReading }[];
}

export interface Verdict {
  readonly outcome: Outcome;
  /** Readings that two parties do not share; empty when all agree. */
  readonly dangers: readonly string[];
  /** What reached the application is not right by the strictest reading, whether or not real servers agree on it. */
  readonly isUnclean: boolean;
}

/** Judges a request variant. @param client what the client received */
export function judge(
  variant: RequestVariant,
  number: number,
  streams: readonly Stream[],
  client: { readonly bytes: Buffer; readonly isClosed: boolean },
): Verdict {
  const wanted = [...variant.targets.map((target) => withNumber(target, number)), withNumber("/p@@@@", number)];
  const { arrived, dangers, isUnclean } = judgeStreams(streams, wanted);
  const sent = variant.bytes.join("");
  const methods = variant.targets.map((target) =>
    sent.match(new RegExp(`([A-Z]+) \\S*${escaped(target)}(?![a-c])`))?.[1] ?? "GET"
  );
  const answers = readResponses(client.bytes, methods, client.isClosed);
  dangers.push(...misanswered(answers.messages, wanted));
  const first = keyOf(wanted[0] ?? "");
  const isThere = arrived.some(({ target }) => keyOf(target) === first) ||
    isAnsweredEarly(streams, client.bytes, first);
  return {
    outcome: isThere ? passed(streams, withNumber(variant.mark, number)) : "rejected",
    dangers,
    isUnclean: isUnclean || isBroken(answers.rest),
  };
}

/** What reached the application, and how the back ends read it. @param wanted targets that may be there, in order */
export function judgeStreams(
  streams: readonly Stream[],
  wanted: readonly string[],
): { readonly arrived: readonly SeenRequest[]; readonly dangers: string[]; readonly isUnclean: boolean } {
  const dangers: string[] = [];
  const arrived: SeenRequest[] = [];
  let isUnclean = false;
  for (const { bytes, isWhole, readings } of streams) {
    const { messages, rest, begun } = readRequests(bytes);
    arrived.push(...messages);
    dangers.push(...unasked(messages, wanted));
    if (isBroken(rest)) {
      isUnclean = true;
      dangers.push(...conflicts(readings));
      continue;
    }
    for (const { backend, reading } of readings) {
      const problem = disagreement(messages.map(nameForServer), isWhole, begun, reading);
      if (problem !== "") dangers.push(`${backend} ${problem}`);
    }
  }
  const keys = arrived.map(({ target }) => keyOf(target));
  if (new Set(keys).size < keys.length) dangers.push(`the application is asked twice: ${keys.join(", ")}`);
  return { arrived, dangers, isUnclean };
}

/** Whether the suspicious bytes are among those that reached the application. */
export function passed(streams: readonly Stream[], mark: string): Outcome {
  const text = streams.map(({ bytes }) => bytes.toString("latin1").toLowerCase()).join("");
  return text.includes(mark.toLowerCase()) ? "forwarded" : "normalised";
}

/** Of bytes that the strictest reading refuses: canaries, and servers that see different requests. */
function conflicts(readings: Stream["readings"]): string[] {
  const dangers: string[] = [];
  for (const { backend, reading } of readings) {
    if (reading.seen.some((name) => /^\S+ \S*\/c[0-9]{4}/.test(name))) dangers.push(`${backend} sees the canary`);
    for (const other of readings) {
      if (!isWithin(reading.seen, other.reading.seen) && !isWithin(other.reading.seen, reading.seen)) {
        dangers.push(`${backend} sees ${reading.seen.join(", ")}; ${other.backend} ${other.reading.seen.join(", ")}`);
      }
    }
  }
  return dangers.slice(0, 1);
}

function isWithin(part: readonly string[], whole: readonly string[]): boolean {
  let at = 0;
  for (const name of part) {
    while (at < whole.length && !isSame(name, whole[at] ?? "")) at++;
    if (at++ >= whole.length) return false;
  }
  return true;
}

/** A server that takes an upgrade may read a body as the first bytes of the other protocol: nothing else follows there. */
function nameForServer(request: SeenRequest): string {
  return valuesOf(request, "upgrade").length === 0 ? nameOf(request) : `${request.method} ${request.target} -`;
}

/** The application has answered before the body was there, and the client got that. */
function isAnsweredEarly(streams: readonly Stream[], client: Buffer, key: string): boolean {
  const begun = streams.map(({ bytes }) => readRequests(bytes).begun ?? "");
  return begun.some((line) => line.includes(key)) &&
    new RegExp(`x-seen: \\S+ \\S*${key} `, "i").test(client.toString("latin1"));
}

/** How a back end's reading differs from the strict one; "" when it does not. A server may refuse any request. */
function disagreement(
  names: readonly string[],
  isWhole: boolean,
  begun: string | null,
  reading: BackendReading,
): string {
  const open = begun === null ? [] : [begun.replace(/ HTTP.*/, " -")];
  const expected = [...names, ...(isWhole ? ["GET /sentinel 0"] : open)];
  if (!isWithin(reading.seen, expected)) return `sees ${reading.seen.join(", ")}, not ${expected.join(", ")}`;
  if (isWhole && !isSame(reading.seen.at(-1) ?? "", expected.at(-1) ?? "") && !reading.isClosed) {
    return `waits for more behind ${JSON.stringify(reading.seen.at(-1) ?? "nothing")}`;
  }
  return "";
}

function isSame(one: string, other: string): boolean {
  const [a = "", b = "", c = ""] = one.split(" ");
  const [x = "", y = "", z = ""] = other.split(" ");
  return a === x && keyOf(b) === keyOf(y) && (c === z || c === "-" || z === "-");
}

/** What of a target names its request: servers decode, collapse and quote the rest in ways of their own. */
function keyOf(target: string): string {
  return target.match(/[vcp][0-9]{4}[a-c]?/)?.[0] ?? target;
}

/** Requests that nobody has sent, or that come in another order. */
function unasked(arrived: readonly SeenRequest[], wanted: readonly string[]): string[] {
  const keys = arrived.map(({ target }) => ownKeyOf(target, wanted));
  let at = 0;
  for (const key of keys) {
    while (at < wanted.length && keyOf(wanted[at] ?? "") !== key) at++;
    if (at++ >= wanted.length) return [`the application is asked for ${keys.join(", ")}`];
  }
  return [];
}

/** Answers that are not to the request they follow. */
export function misanswered(messages: readonly SeenResponse[], wanted: readonly string[]): string[] {
  const dangers: string[] = [];
  if (messages.length > wanted.length) dangers.push(`${messages.length} answers to ${wanted.length} requests`);
  for (const [at, message] of messages.entries()) {
    const name = valuesOf(message, "x-seen")[0] ?? "";
    const isRight = name === "" || ownKeyOf(name.split(" ")[1] ?? "", wanted) === keyOf(wanted[at] ?? "");
    if (!isRight) dangers.push(`answer ${at + 1} is to ${name}, not to ${wanted[at]}`);
  }
  return dangers;
}

/** A target without a number ("*") is the variant's own: all others have one. */
function ownKeyOf(target: string, wanted: readonly string[]): string {
  return keyOf(/[vcp][0-9]{4}/.test(target) ? target : wanted[0] ?? "");
}

/** What stands behind the messages is neither nothing nor the beginning of another one. */
export function isBroken(rest: string): boolean {
  return rest !== "" && rest !== "incomplete";
}

function escaped(text: string): string {
  return text.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");
}
