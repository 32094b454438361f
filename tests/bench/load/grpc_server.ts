/**
 * Backend of the gRPC cases: `grpc_server.ts HOST PORT`, HTTP/2 in plaintext. Unary answers one message; Down answers
 * DOWN_MESSAGES of them, each in a frame of its own; Both answers every message with one.
 */
import type { Socket } from "bun";
import type { HeaderBlock } from "../../../src/wire/header_block.ts";
import { REQUEST, TRAILERS } from "../../../src/wire/hpack/decoder.ts";
import { DOWN_MESSAGES, message, MESSAGE_BYTES, MessageCounter, METHODS } from "./_grpc.ts";
import { type H2Events, H2Peer } from "./_h2_peer.ts";
import type { Field } from "./_hpack_encoder.ts";

const START: readonly Field[] = [[":status", "200"], ["content-type", "application/grpc"]];
const OK: readonly Field[] = [["grpc-status", "0"], ["grpc-message", ""]];
const UNKNOWN: readonly Field[] = [...START, ["grpc-status", "12"], ["grpc-message", "no such method"]];
const ANSWER = message(new Uint8Array(MESSAGE_BYTES).fill(0x61));

class Call {
  readonly method: string;
  readonly counter = new MessageCounter();
  /** Messages to be sent, and whether the status follows them. */
  owed = 0;
  isLast = false;

  constructor(method: string) {
    this.method = method;
  }
}

class Connection implements H2Events {
  readonly peer: H2Peer;
  readonly #calls = new Map<number, Call>();
  /** Calls that the peer's windows hold up. */
  readonly #held = new Set<number>();

  constructor(socket: Socket<Connection>) {
    this.peer = new H2Peer(socket, this, true, { first: REQUEST, later: TRAILERS });
  }

  onSection(stream: number, block: HeaderBlock, end: boolean): void {
    const known = this.#calls.get(stream);
    if (known === undefined) {
      const call = new Call(block.path);
      if (!Object.values<string>(METHODS).includes(block.path)) {
        this.peer.section(stream, UNKNOWN, true);
        return this.peer.forget(stream);
      }
      this.#calls.set(stream, call);
      this.peer.section(stream, START, false);
    }
    if (end) this.#ended(stream);
  }

  onData(stream: number, buf: Uint8Array, start: number, length: number, end: boolean): void {
    const call = this.#calls.get(stream);
    if (call === undefined) return;
    const messages = call.counter.feed(buf, start, start + length);
    if (call.method === METHODS.bidi) {
      call.owed += messages;
      this.#pay(stream, call);
    }
    if (end) this.#ended(stream);
  }

  onReset(stream: number): void {
    this.#calls.delete(stream);
    this.#held.delete(stream);
  }

  onCredit(): void {
    for (const stream of this.#held) {
      const call = this.#calls.get(stream);
      if (call !== undefined) this.#pay(stream, call);
    }
  }

  #ended(stream: number): void {
    const call = this.#calls.get(stream);
    if (call === undefined) return;
    if (call.method !== METHODS.bidi) call.owed = call.method === METHODS.server ? DOWN_MESSAGES : 1;
    call.isLast = true;
    this.#pay(stream, call);
  }

  /** Sends what is owed, as far as the windows go. */
  #pay(stream: number, call: Call): void {
    for (; call.owed > 0; call.owed--) {
      if (this.peer.data(stream, ANSWER, false)) continue;
      this.#held.add(stream);
      return;
    }
    this.#held.delete(stream);
    if (!call.isLast) return;
    this.peer.section(stream, OK, true);
    this.peer.forget(stream);
    this.#calls.delete(stream);
  }
}

Bun.listen<Connection>({
  hostname: process.argv[2] ?? "127.0.0.1",
  port: Number(process.argv[3]),
  socket: {
    open(socket) {
      socket.setNoDelay(true);
      socket.data = new Connection(socket);
      socket.data.peer.flush();
    },
    data(socket, bytes) {
      socket.data.peer.receive(bytes);
    },
    drain(socket) {
      socket.data.peer.flush();
      socket.data.onCredit();
      socket.data.peer.flush();
    },
    error(socket, error) {
      console.error(error.message);
      socket.terminate();
    },
  },
});
