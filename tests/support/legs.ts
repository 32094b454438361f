/** A listener that writes down what a leg says, and a leg that writes down what it is told. */
import type { Leg, LegListener } from "../../src/http/leg.ts";
import { type HeaderBlock, headerBlock } from "../../src/wire/header_block.ts";

const NO_START = { method: "", scheme: "", authority: "", path: "", protocol: "", status: 0 };

/** The head of a response. */
export function response(status: number, fields: readonly string[] = []): HeaderBlock {
  return headerBlock({ ...NO_START, status }, fields);
}

/** The head of a request. */
export function requestHead(
  method: string,
  path = "/",
  fields: readonly string[] = [],
  authority = "web",
): HeaderBlock {
  const isConnect = method === "CONNECT";
  return headerBlock(
    { ...NO_START, method, scheme: isConnect ? "" : "http", authority, path: isConnect ? "" : path },
    fields,
  );
}

/** The head of an extended CONNECT. */
export function connectHead(protocol: string, fields: readonly string[] = [], path = "/"): HeaderBlock {
  return headerBlock({ ...NO_START, method: "CONNECT", scheme: "http", authority: "web", path, protocol }, fields);
}

/** Trailers. */
export function trailers(fields: readonly string[]): HeaderBlock {
  return headerBlock(NO_START, fields);
}

/** Writes down what happens, as "head 200 end", "data 5", "fin", "abort 8 detail"; adjacent data is added up. */
export class Recorder implements LegListener {
  readonly events: string[] = [];
  body: Buffer = Buffer.alloc(0);
  head: HeaderBlock | null = null;
  consumed = 0;
  aborted = false;
  ended = false;
  /** Gives credit for each byte at once. */
  readonly #consumes: boolean;
  #pieces: Buffer[] = [];

  constructor(consumes = true) {
    this.#consumes = consumes;
  }

  onHead(_leg: Leg, head: HeaderBlock, end: boolean): void {
    this.head = head;
    this.ended ||= end;
    this.events.push(`head ${head.status > 0 ? head.status : head.method}${end ? " end" : ""}`);
  }

  onInterim(_leg: Leg, head: HeaderBlock): void {
    this.events.push(`interim ${head.status}`);
  }

  onData(leg: Leg, buffer: Uint8Array, start: number, end: number, fin: boolean): void {
    if (this.ended) this.events.push("AFTER THE END");
    if (end > start) {
      this.#pieces.push(Buffer.from(buffer.subarray(start, end)));
      this.body = Buffer.concat(this.#pieces);
      this.#pieces = [this.body];
      const last = this.events.at(-1);
      const before = last?.startsWith("data ") ? Number(this.events.pop()?.slice(5)) : 0;
      this.events.push(`data ${before + end - start}`);
      if (this.#consumes) leg.consumed(end - start);
    }
    if (fin) this.events.push("fin");
    this.ended ||= fin;
  }

  onTrailers(_leg: Leg, block: HeaderBlock): void {
    this.ended = true;
    this.events.push(`trailers ${block.fields.join("=")}`);
  }

  onAbort(_leg: Leg, h2Code: number, unprocessed: boolean, detail: string): void {
    if (this.aborted) this.events.push("ABORTED TWICE");
    this.aborted = true;
    this.events.push(`abort ${h2Code}${unprocessed ? " unprocessed" : ""} ${detail}`);
  }

  onConsumed(_leg: Leg, bytes: number): void {
    this.consumed += bytes;
  }
}

/** A leg whose peer is the test. */
export class FakeLeg implements Leg {
  reason = "";
  readonly events: string[] = [];
  head: HeaderBlock | null = null;
  sent: Buffer = Buffer.alloc(0);
  /** Credit received, bytes. */
  credited = 0;
  aborted = -1;
  ended = false;
  /** Says at once that bytes are on their way. */
  readonly #listener: LegListener | null;

  /** @param consumes told `onConsumed` for all it is given; null: never */
  constructor(consumes: LegListener | null = null) {
    this.#listener = consumes;
  }

  sendHead(head: HeaderBlock, end: boolean, reason: string): void {
    this.head = head;
    this.ended ||= end;
    this.events.push(
      `head ${head.status > 0 ? head.status : head.method}${reason && ` ${reason}`}${end ? " end" : ""}`,
    );
  }

  sendInterim(head: HeaderBlock): void {
    this.events.push(`interim ${head.status}`);
  }

  sendData(buffer: Uint8Array, start: number, end: number, fin: boolean): void {
    if (this.ended || this.aborted >= 0) this.events.push("AFTER THE END");
    this.sent = Buffer.concat([this.sent, buffer.subarray(start, end)]);
    if (end > start) this.events.push(`data ${end - start}`);
    if (fin) this.events.push("fin");
    this.ended ||= fin;
    if (end > start) this.#listener?.onConsumed(this, end - start);
  }

  sendTrailers(block: HeaderBlock): void {
    this.ended = true;
    this.events.push(`trailers ${block.fields.join("=")}`);
  }

  abort(h2Code: number): void {
    if (this.aborted < 0) this.aborted = h2Code;
    this.events.push(`abort ${h2Code}`);
  }

  consumed(bytes: number): void {
    this.credited += bytes;
  }
}
