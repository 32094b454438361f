/**
 * The strictest reading of HTTP/1.1 (RFC 9112), written for this suite alone: what a sidecar writes must be right by it. It
 * takes nothing that a sender must not generate, also where recipients may be lenient.
 */

export interface SeenMessage {
  /** First line. */
  readonly line: string;
  /** Names in lower case, in order. */
  readonly fields: readonly (readonly [string, string])[];
  readonly body: Buffer;
  /** Bytes from the first line to the end of the body. */
  readonly length: number;
}

export interface SeenRequest extends SeenMessage {
  readonly method: string;
  readonly target: string;
}

export interface SeenResponse extends SeenMessage {
  readonly status: number;
}

/** Messages that are whole, and what stands behind them: "" nothing, "incomplete", or what is wrong. */
export interface Reading<Message> {
  readonly messages: readonly Message[];
  readonly rest: string;
  /** The request whose head is whole and whose body is not. */
  readonly begun: string | null;
}

const TOKEN = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;
// deno-lint-ignore no-control-regex
const VALUE = /^[\x21-\x7e\x80-\xff]([\t\x20-\x7e\x80-\xff]*[\x21-\x7e\x80-\xff])?$/;
const REQUEST_LINE = /^([!#$%&'*+\-.^_`|~0-9A-Za-z]+) ([\x21\x22\x24-\x7e]+) HTTP\/1\.[01]$/;
const STATUS_LINE = /^HTTP\/1\.[01] ([1-9][0-9][0-9]) [\t\x20-\x7e\x80-\xff]*$/;

class Broken extends Error {}
/** Thrown where the bytes end before the message does. */
class Short extends Error {
  readonly line: string | null;

  constructor(line: string | null) {
    super("incomplete");
    this.line = line;
  }
}

/** Reads what a client or a proxy has sent. */
export function readRequests(bytes: Buffer): Reading<SeenRequest> {
  return readAll(bytes, (at) => {
    const head = readHead(bytes, at);
    const [, method = "", target = ""] = head.line.match(REQUEST_LINE) ?? broken(`request line: ${show(head.line)}`);
    const hosts = valuesOf(head, "host");
    if (hosts.length > 1 || hosts.length === 0 && head.line.endsWith("1.1")) broken(`${hosts.length} Host fields`);
    const body = readBody(bytes, head, false);
    return { line: head.line, fields: head.fields, body: body.data, length: body.end - at, method, target };
  });
}

/**
 * Reads what a server or a proxy has answered to requests of these methods, in order; interim responses are left out. A body
 * without framing ends with the bytes when `isClosed`.
 */
export function readResponses(bytes: Buffer, methods: readonly string[], isClosed: boolean): Reading<SeenResponse> {
  let answered = 0;
  const all = readAll(bytes, (at) => {
    const head = readHead(bytes, at);
    const status = Number((head.line.match(STATUS_LINE) ?? broken(`status line: ${show(head.line)}`))[1]);
    const isInterim = status < 200 && status !== 101;
    const method = methods[answered] ?? "GET";
    const bodiless = isInterim || status === 101 || status === 204 || status === 304 || method === "HEAD";
    if (!isInterim) answered++;
    const framed = valuesOf(head, "content-length").length + valuesOf(head, "transfer-encoding").length > 0;
    if (!bodiless && !framed) {
      if (!isClosed) throw new Short(head.line);
      return message(head, bytes.subarray(head.end), bytes.length - at, status);
    }
    const body = bodiless ? { data: Buffer.alloc(0), end: head.end } : readBody(bytes, head, true);
    return message(head, body.data, body.end - at, status);
  });
  return { ...all, messages: all.messages.filter(({ status }) => status >= 200 || status === 101) };
}

function message(head: Head, body: Buffer, length: number, status: number): SeenResponse {
  return { line: head.line, fields: head.fields, body, length, status };
}

function readAll<Message extends SeenMessage>(bytes: Buffer, next: (at: number) => Message): Reading<Message> {
  const messages: Message[] = [];
  for (let at = 0;;) {
    if (at === bytes.length) return { messages, rest: "", begun: null };
    try {
      const one = next(at);
      messages.push(one);
      at += one.length;
    } catch (cause) {
      if (cause instanceof Short) return { messages, rest: "incomplete", begun: cause.line };
      if (cause instanceof Broken) return { messages, rest: cause.message, begun: null };
      throw cause;
    }
  }
}

interface Head {
  readonly line: string;
  readonly fields: readonly (readonly [string, string])[];
  /** Where the body begins. */
  readonly end: number;
}

function readHead(bytes: Buffer, start: number): Head {
  const [line, first] = readLine(bytes, start);
  const fields: (readonly [string, string])[] = [];
  for (let at = first;;) {
    const [text, next] = readLine(bytes, at);
    at = next;
    if (text === "") return { line, fields, end: at };
    fields.push(readField(text));
  }
}

function readField(text: string): readonly [string, string] {
  const colon = text.indexOf(":");
  const name = text.slice(0, Math.max(0, colon));
  if (!TOKEN.test(name)) broken(`field name: ${show(text)}`);
  const value = text.slice(colon + 1).replace(/^[ \t]+|[ \t]+$/g, "");
  if (value !== "" && !VALUE.test(value)) broken(`field value: ${show(text)}`);
  return [name.toLowerCase(), value];
}

/** A line that ends in CR LF and has no other CR or LF; a wrong byte is wrong even before the line ends. */
function readLine(bytes: Buffer, start: number): readonly [string, number] {
  for (let at = start; at < bytes.length; at++) {
    if (bytes[at] === 0x0a) broken(`bare LF: ${show(bytes.toString("latin1", start, at + 1))}`);
    if (bytes[at] !== 0x0d) continue;
    if (at + 1 === bytes.length) break;
    if (bytes[at + 1] !== 0x0a) broken(`bare CR: ${show(bytes.toString("latin1", start, at + 2))}`);
    return [bytes.toString("latin1", start, at), at + 2];
  }
  throw new Short(null);
}

/** Of a request or a response: the version stands at one end of its line, and may be part of a target as well. */
function isHttp10(line: string): boolean {
  return line.startsWith("HTTP/1.0 ") || line.endsWith(" HTTP/1.0");
}

function readBody(bytes: Buffer, head: Head, isResponse: boolean): { readonly data: Buffer; readonly end: number } {
  const lengths = valuesOf(head, "content-length");
  const codings = valuesOf(head, "transfer-encoding");
  if (lengths.length > 1) broken("two Content-Lengths");
  if (codings.length > 0) {
    if (lengths.length > 0) broken("Content-Length and Transfer-Encoding");
    if (codings.length > 1 || codings[0] !== "chunked") broken(`Transfer-Encoding: ${show(codings.join(" | "))}`);
    if (isHttp10(head.line)) broken("Transfer-Encoding in HTTP/1.0");
    return readChunks(bytes, head);
  }
  const [length] = lengths;
  if (length === undefined) return { data: Buffer.alloc(0), end: head.end };
  if (!/^(0|[1-9][0-9]{0,15})$/.test(length)) broken(`Content-Length: ${show(length)}`);
  const end = head.end + Number(length);
  if (end > bytes.length) throw new Short(isResponse ? null : head.line);
  return { data: bytes.subarray(head.end, end), end };
}

function readChunks(bytes: Buffer, head: Head): { readonly data: Buffer; readonly end: number } {
  const parts: Buffer[] = [];
  const line = (at: number) => {
    try {
      return readLine(bytes, at);
    } catch (cause) {
      throw cause instanceof Short ? new Short(head.line) : cause;
    }
  };
  for (let at = head.end;;) {
    const [size, begin] = line(at);
    if (!/^(0|[1-9a-f][0-9a-f]{0,12})$/.test(size)) broken(`chunk size: ${show(size)}`);
    const end = begin + Number.parseInt(size, 16);
    if (size === "0") {
      for (let trailer = line(begin);; trailer = line(trailer[1])) {
        if (trailer[0] === "") return { data: Buffer.concat(parts), end: trailer[1] };
        readField(trailer[0]);
      }
    }
    if (end + 2 > bytes.length) throw new Short(head.line);
    if (bytes[end] !== 0x0d || bytes[end + 1] !== 0x0a) broken("no CR LF behind a chunk");
    parts.push(bytes.subarray(begin, end));
    at = end + 2;
  }
}

/** Values of a field. */
export function valuesOf(message: Pick<SeenMessage, "fields">, name: string): string[] {
  return message.fields.filter(([key]) => key === name).map(([, value]) => value);
}

function broken(what: string): never {
  throw new Broken(what);
}

function show(text: string): string {
  return JSON.stringify(text.slice(0, 80));
}
