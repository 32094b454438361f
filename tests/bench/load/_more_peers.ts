/** Peers of the mixed load beside the HTTP ones of _open_loop_peers.ts: unary gRPC calls, and opaque bytes that come back. */
import type { HeaderBlock } from "../../../src/wire/header_block.ts";
import { RESPONSE, TRAILERS } from "../../../src/wire/hpack/decoder.ts";
import { isOk, message, MESSAGE_BYTES, MessageCounter, METHODS } from "./_grpc.ts";
import { type H2Events, H2Peer } from "./_h2_peer.ts";
import type { OpenLoopPeer } from "./_open_loop_peers.ts";

type Finish = (due: number, ok: boolean, now: number) => void;

const MESSAGE = message(new Uint8Array(MESSAGE_BYTES).fill(0x62));
/** Calls at a time on one connection. */
const MAX_CALLS = 64;

interface Call {
  readonly due: number;
  readonly counter: MessageCounter;
  messages: number;
}

/** Unary calls; each has a request ID of its own, as real ones have. */
export class GrpcPeer implements OpenLoopPeer, H2Events {
  readonly preface: Uint8Array;
  readonly #peer: H2Peer;
  readonly #calls = new Map<number, Call>();
  #written: Uint8Array[] = [];
  #nextStream = 1;
  #now = 0;
  #finish: Finish = () => {};

  constructor() {
    const writer = {
      write: (bytes: Uint8Array) => {
        this.#written.push(bytes.slice());
        return bytes.length;
      },
    };
    this.#peer = new H2Peer(writer, this, false, { first: RESPONSE, later: TRAILERS });
    this.preface = this.#take();
  }

  isFree(): boolean {
    return this.#calls.size < MAX_CALLS;
  }

  request(due: number): Uint8Array {
    const stream = this.#nextStream;
    this.#nextStream += 2;
    this.#calls.set(stream, { due, counter: new MessageCounter(), messages: 0 });
    this.#peer.section(stream, [
      [":method", "POST"],
      [":scheme", "http"],
      [":path", METHODS.unary],
      [":authority", "bench.test"],
      ["content-type", "application/grpc"],
      ["te", "trailers"],
      ["grpc-timeout", "10S"],
      ["x-request-id", crypto.randomUUID()],
    ], false);
    if (!this.#peer.data(stream, MESSAGE, true)) this.#end(stream, false);
    return this.#take();
  }

  read(bytes: Uint8Array, now: number, finish: Finish): Uint8Array | null {
    this.#now = now;
    this.#finish = finish;
    this.#peer.receive(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length));
    const replies = this.#take();
    return replies.length === 0 ? null : replies;
  }

  onSection(stream: number, block: HeaderBlock, end: boolean): void {
    if (!end) return;
    const call = this.#calls.get(stream);
    this.#end(stream, isOk(block) && call?.messages === 1 && call.counter.isWhole);
  }

  onData(stream: number, buf: Uint8Array, start: number, length: number, end: boolean): void {
    const call = this.#calls.get(stream);
    if (call !== undefined) call.messages += call.counter.feed(buf, start, start + length);
    if (end) this.#end(stream, false); // gRPC ends with trailers
  }

  onReset(stream: number): void {
    this.#end(stream, false);
  }

  onCredit(): void {}

  #end(stream: number, ok: boolean): void {
    const call = this.#calls.get(stream);
    if (call === undefined) return;
    this.#calls.delete(stream);
    this.#peer.forget(stream);
    this.#finish(call.due, ok, this.#now);
  }

  #take(): Uint8Array {
    this.#peer.flush();
    const taken = Buffer.concat(this.#written);
    this.#written = [];
    return taken;
  }
}

/** Messages that the opaque backend sends back, one at a time. */
export class EchoPeer implements OpenLoopPeer {
  readonly preface = Buffer.from("P");
  readonly #message: Uint8Array;
  #due = -1;
  #missing = 0;

  constructor(bytes: number) {
    this.#message = new Uint8Array(bytes).fill(0x63);
  }

  isFree(): boolean {
    return this.#due < 0;
  }

  request(due: number): Uint8Array {
    this.#due = due;
    this.#missing = this.#message.length;
    return this.#message;
  }

  read(bytes: Uint8Array, now: number, finish: Finish): null {
    this.#missing -= bytes.length;
    if (this.#missing > 0 || this.#due < 0) return null;
    const due = this.#due;
    this.#due = -1;
    finish(due, this.#missing === 0, now);
    return null;
  }
}
