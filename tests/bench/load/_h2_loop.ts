/** HTTP/2 with several streams under way: distinct GETs, or gRPC calls of the three kinds. */
import type { Socket } from "bun";
import type { HeaderBlock } from "../../../src/wire/header_block.ts";
import { RESPONSE, TRAILERS } from "../../../src/wire/hpack/decoder.ts";
import { isOk, message, MESSAGE_BYTES, MessageCounter, METHODS } from "./_grpc.ts";
import { type H2Events, H2Peer } from "./_h2_peer.ts";
import type { Field } from "./_hpack_encoder.ts";
import { type Loop, type LoopMode, uniqueNumber } from "./_loop.ts";
import type { Meter } from "./_meter.ts";

const MESSAGE = message(new Uint8Array(MESSAGE_BYTES).fill(0x62));

interface Exchange {
  /** Start of the request, or of the message that is under way. */
  startNs: number;
  isGood: boolean;
  readonly counter: MessageCounter;
}

export class H2Loop implements Loop, H2Events {
  readonly #peer: H2Peer;
  readonly #meter: Meter;
  readonly #client: number;
  readonly #mode: LoopMode;
  readonly #scheme: string;
  readonly #exchanges = new Map<number, Exchange>();
  /** Calls whose next message waits for a window. */
  readonly #held = new Set<number>();
  #nextStream = 1;
  readonly #streams: number;

  constructor(
    socket: Socket<Loop | null>,
    meter: Meter,
    client: number,
    mode: LoopMode,
    streams: number,
    isTls: boolean,
  ) {
    this.#peer = new H2Peer(socket, this, false, { first: RESPONSE, later: TRAILERS });
    this.#meter = meter;
    this.#client = client;
    this.#mode = mode;
    this.#streams = streams;
    this.#scheme = isTls ? "https" : "http";
  }

  begin(): void {
    for (let index = 0; index < this.#streams; index++) this.#start();
    this.#peer.flush();
  }

  receive(bytes: Buffer): void {
    this.#peer.receive(bytes);
  }

  drain(): void {
    this.#peer.flush();
    this.onCredit();
    this.#peer.flush();
  }

  onSection(stream: number, block: HeaderBlock, end: boolean): void {
    const exchange = this.#exchanges.get(stream);
    if (exchange === undefined) return;
    const isGrpc = this.#mode !== "h2";
    if (block.status !== 0 && block.status !== 200) exchange.isGood = false;
    if (end && isGrpc && !isOk(block)) exchange.isGood = false;
    if (end) this.#finish(stream, exchange, `status ${block.status}, grpc-status ${block.get("grpc-status")}`);
  }

  onData(stream: number, buf: Uint8Array, start: number, length: number, end: boolean): void {
    const exchange = this.#exchanges.get(stream);
    if (exchange === undefined) return;
    if (this.#mode !== "h2") {
      const messages = exchange.counter.feed(buf, start, start + length);
      if (end) exchange.isGood = false; // gRPC ends with trailers
      if (this.#mode === "server" && messages > 0) this.#meter.done(-1, messages);
      if (this.#mode === "bidi" && messages > 0) {
        this.#meter.done(Bun.nanoseconds() - exchange.startNs, messages);
        this.#send(stream, exchange);
      }
    }
    if (end) this.#finish(stream, exchange, "the stream ended with DATA");
  }

  onReset(stream: number, code: number): void {
    const exchange = this.#exchanges.get(stream);
    if (exchange === undefined) return;
    exchange.isGood = false;
    this.#finish(stream, exchange, `reset with ${code}`);
  }

  onCredit(): void {
    const held = [...this.#held];
    this.#held.clear();
    for (const stream of held) {
      const exchange = this.#exchanges.get(stream);
      if (exchange !== undefined) this.#send(stream, exchange);
    }
  }

  #start(): void {
    const stream = this.#nextStream;
    this.#nextStream += 2;
    const exchange = { startNs: Bun.nanoseconds(), isGood: true, counter: new MessageCounter() };
    this.#exchanges.set(stream, exchange);
    if (this.#mode === "h2") return this.#peer.section(stream, this.#getFields(), true);
    this.#peer.section(stream, this.#callFields(), false);
    if (!this.#peer.data(stream, MESSAGE, this.#mode !== "bidi")) throw new Error("no window for a first message");
  }

  /** The next message of a call in both directions. */
  #send(stream: number, exchange: Exchange): void {
    exchange.startNs = Bun.nanoseconds();
    if (!this.#peer.data(stream, MESSAGE, false)) this.#held.add(stream);
  }

  #finish(stream: number, exchange: Exchange, reason: string): void {
    this.#exchanges.delete(stream);
    this.#peer.forget(stream);
    const isWhole = this.#mode === "h2" || exchange.counter.isWhole;
    if (!exchange.isGood || !isWhole) this.#meter.fail(reason);
    else if (this.#mode === "bidi") this.#meter.fail(`a call ended early: ${reason}`);
    else if (this.#mode !== "server") this.#meter.done(Bun.nanoseconds() - exchange.startNs);
    this.#start();
  }

  #getFields(): Field[] {
    return [
      [":method", "GET"],
      [":scheme", this.#scheme],
      [":path", `/s?client=${this.#client}&order=${uniqueNumber()}`],
      [":authority", "bench.test"],
      ["user-agent", "bench"],
      ["accept", "*/*"],
    ];
  }

  #callFields(): Field[] {
    const id = crypto.randomUUID();
    const trace = id.replaceAll("-", "");
    return [
      [":method", "POST"],
      [":scheme", this.#scheme],
      [":path", METHODS[this.#mode as keyof typeof METHODS]], // not h1 or h2
      [":authority", "bench.test"],
      ["content-type", "application/grpc"],
      ["user-agent", "grpc-bench/1.0"],
      ["te", "trailers"],
      ...(this.#mode === "bidi" ? [] : [["grpc-timeout", "10S"] as const]),
      ["x-request-id", id],
      ["traceparent", `00-${trace}-${trace.slice(0, 16)}-01`],
    ];
  }
}
