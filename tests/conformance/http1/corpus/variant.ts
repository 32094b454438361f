/**
 * A variant of the corpus: bytes, why they are interesting, and what the mesh does with them.
 *
 * Each variant has its own paths, so that a request that turns up anywhere can be told from all others: "@@@@" in the bytes
 * becomes the variant's number. /v@@@@ is the request itself, /c@@@@ the canary that only a desynchronised recipient ever
 * sees, /p@@@@ the request that follows on the same connection.
 */

/** What became of a variant: refused, passed on in other bytes than it came, passed on with its suspicious bytes. */
export type Outcome = "rejected" | "normalised" | "forwarded";

/** What is expected, and why a right reading of the message is that; the reason is needed unless it is refused. */
export interface Expectation {
  readonly outcome: Outcome;
  readonly because: string;
}

export interface RequestVariant {
  readonly class: string;
  readonly name: string;
  /** Pieces, one character per byte; each is sent when the one before was answered, or after a moment. */
  readonly bytes: readonly string[];
  /** What makes it suspicious: found in what reaches the application, the variant was forwarded as it came. */
  readonly mark: string;
  /** The rule of the RFC that decides. */
  readonly rule: string;
  /** Targets of the requests that the bytes hold in their right reading, in order. */
  readonly targets: readonly string[];
  readonly expect: Expectation;
  /** What the application answers to the first request; default: 200 when the request is complete. */
  readonly answer?: Answer;
}

export interface Answer {
  /** One character per byte. */
  readonly bytes: string;
  /** Sent as soon as the head is there, before the body. */
  readonly early?: boolean;
  /** Sent a moment after the first part. */
  readonly late?: string;
  /** False: every try gets it, also when the mesh asks once more. */
  readonly isOnce?: boolean;
  /** Closes the connection behind it. */
  readonly close?: boolean;
}

export const HOST = "Host: web\r\n";
/** A whole request that must never be seen. Its 37 bytes are part of other rows' lengths. */
export const CANARY = "GET /c@@@@ HTTP/1.1\r\nHost: canary\r\n\r\n";
/** What follows every variant; long enough to fill a body that is too short for its announced length. */
export const PROBE = `GET /p@@@@ HTTP/1.1\r\nHost: web\r\nX-Pad: ${"p".repeat(200)}\r\n\r\n`;
export const TARGET = "/v@@@@";

/** A request's head and body; `lines` are field lines with their line ends. */
export function request(lines: string, body = "", line = `POST ${TARGET} HTTP/1.1`): string {
  return `${line}\r\n${HOST}${lines}\r\n${body}`;
}

/** "Content-Length: n" for a body. */
export function length(body: string): string {
  return `Content-Length: ${body.length}\r\n`;
}

/** A body in one chunk. */
export function chunked(data: string, end = "0\r\n\r\n"): string {
  return `${data.length.toString(16)}\r\n${data}\r\n${end}`;
}

/** `[name, bytes, mark, why it may pass]`: rows without a reason must be refused. A reason starts with "=" for forwarded, "~" for normalised. */
export type Row = readonly [name: string, bytes: string, mark: string, passes?: string | undefined];

/** A table of one class under one rule. */
export function table(name: string, rule: string, rows: readonly Row[]): RequestVariant[] {
  return rows.map(([title, bytes, mark, passes]) => ({
    class: name,
    name: title,
    bytes: [bytes],
    mark,
    rule,
    targets: [TARGET],
    expect: expectation(passes),
  }));
}

/** Reads the short form of an expectation. */
export function expectation(passes: string | undefined): Expectation {
  if (passes === undefined) return { outcome: "rejected", because: "" };
  return { outcome: passes.startsWith("=") ? "forwarded" : "normalised", because: passes.slice(1) };
}

/** Puts the variant's number in. */
export function withNumber(text: string, number: number): string {
  return text.replaceAll("@@@@", String(number).padStart(4, "0"));
}
