/**
 * A program's connection to its nameserver by TCP: bytes pass as they are, and answers are looked at before they do. The
 * connection itself proves who answers; ids are the program's own.
 */
import { Timer, type TimerOwner } from "../../base/timer_wheel.ts";
import type { ConnectionStats } from "../../net/connection_stats.ts";
import { resetConnection } from "../../net/reset.ts";
import { dial, type RawSocket, type SocketOwner } from "../../net/socket.ts";
import { arm, disarm } from "../../net/ticker.ts";
import { type DnsHead, type DnsQuestion, isSameQuestion, readHead } from "../../wire/dns/message.ts";
import { Frames } from "./frames.ts";
import type { Nameserver } from "./nameservers.ts";
import type { DnsObserver } from "./observer.ts";

/** A connection without a byte ends after this, milliseconds: longer than servers keep idle ones (RFC 7766 §6.2.3). */
const IDLE_MS = 30_000;
/** Until another nameserver is tried, milliseconds. */
const CONNECT_MS = 3_000;
/** Questions of one connection that wait for their answers; more are passed on, and their answers not believed. */
const MAX_WAITING = 128;

export interface StreamOwner {
  /** Before the answer is passed on. */
  learn(transport: "tcp", question: DnsQuestion, head: DnsHead, message: Uint8Array): void;
  gone(relay: StreamRelay): void;
}

export class StreamRelay implements TimerOwner {
  readonly #owner: StreamOwner;
  readonly #observer: DnsObserver;
  readonly #servers: readonly Nameserver[];
  readonly #asked = new Map<number, DnsQuestion | null>();
  readonly #client: Side;
  #server: Side;
  #tried = 0;
  readonly #timer = new Timer(this, 0);
  #isOver = false;
  #isConnected = false;

  constructor(owner: StreamOwner, observer: DnsObserver, client: RawSocket, servers: readonly Nameserver[]) {
    this.#owner = owner;
    this.#observer = observer;
    this.#servers = servers;
    this.#client = new Side(this);
    this.#client.socket = client;
    this.#server = new Side(this);
  }

  /** Owner of the accepted socket. */
  get side(): SocketOwner {
    return this.#client;
  }

  /** Ends it now. */
  close(): void {
    if (this.#isOver) return;
    this.#finish();
    for (const { socket } of [this.#client, this.#server]) if (socket !== null) resetConnection(socket);
  }

  onTimer(_kind: number): void {
    if (this.#isConnected) return this.close();
    this.failed(this.#server);
  }

  // --- of its sides

  opened(side: Side): void {
    if (side === this.#client) return this.#servers.length === 0 ? this.close() : this.#connect();
    this.#isConnected = true;
    arm(this.#timer, IDLE_MS);
    side.flush();
  }

  failed(side: Side): void {
    if (this.#isOver || side !== this.#server) return;
    if (this.#tried < this.#servers.length) return this.#connect();
    this.#observer.onFailure("tcp", "unreachable");
    this.close();
  }

  received(side: Side, bytes: Uint8Array): void {
    if (this.#isOver) return;
    if (this.#isConnected) arm(this.#timer, IDLE_MS);
    if (side === this.#client) side.frames.take(bytes, this.#onQuery);
    else side.frames.take(bytes, this.#onAnswer);
    this.#other(side).write(bytes, side);
  }

  ended(side: Side): void {
    this.#other(side).end();
  }

  /** What a nameserver that is gone has sent still goes to the program, which counts until it is gone as well. */
  closed(side: Side): void {
    if (this.#isOver) return;
    if (side === this.#server && this.#client.socket !== null) {
      arm(this.#timer, IDLE_MS);
      return this.#client.end();
    }
    this.#finish();
    this.#server.socket?.end();
  }

  #finish(): void {
    this.#isOver = true;
    disarm(this.#timer);
    this.#server.isGivenUp = true; // it may be on its way yet
    this.#owner.gone(this);
  }

  #connect(): void {
    const { host, port } = this.#servers[this.#tried++] as Nameserver; // in range: checked before each try
    const next = new Side(this);
    next.succeed(this.#server);
    this.#server.isGivenUp = true;
    if (this.#server.socket !== null) resetConnection(this.#server.socket);
    this.#server = next;
    arm(this.#timer, CONNECT_MS);
    dial(host, port, next);
  }

  readonly #onQuery = (message: Uint8Array): void => {
    this.#observer.onQuery("tcp");
    const head = readHead(message);
    if (head === null || head.isResponse) return this.#observer.onFailure("tcp", "malformed");
    if (this.#asked.size < MAX_WAITING) this.#asked.set(head.id, head.question);
  };

  readonly #onAnswer = (message: Uint8Array): void => {
    this.#observer.onAnswer("tcp");
    const head = readHead(message);
    const question = head === null ? undefined : this.#asked.get(head.id);
    if (head === null || question === undefined) return this.#observer.onFailure("tcp", "mismatch");
    // A transfer of a zone has many messages; the ones behind the first are no answers to a program that connects.
    this.#asked.delete(head.id);
    if (question !== null && isSameQuestion(question, head.question)) this.#owner.learn("tcp", question, head, message);
  };

  #other(side: Side): Side {
    return side === this.#client ? this.#server : this.#client;
  }
}

/** One of the two sockets. */
class Side implements SocketOwner {
  stats: ConnectionStats | null = null;
  socket: RawSocket | null = null;
  readonly frames = new Frames();
  /** Bytes that the socket has not taken. */
  waiting = new Uint8Array(0);
  /** FIN follows what waits. */
  isEnding = false;
  #hasEnded = false;
  #isShut = false;
  isGivenUp = false;
  /** Who is paused until they are gone. */
  #source: Side | null = null;
  readonly #relay: StreamRelay;

  constructor(relay: StreamRelay) {
    this.#relay = relay;
  }

  /** Takes over what waits for one that could not be reached. */
  succeed(before: Side): void {
    this.waiting = before.waiting;
    this.isEnding = before.isEnding;
    this.#source = before.#source;
  }

  /** @param source is paused while the socket is full, so that no more than what is on its way waits */
  write(bytes: Uint8Array, source: Side): void {
    const all = new Uint8Array(this.waiting.length + bytes.length);
    all.set(this.waiting);
    all.set(bytes, this.waiting.length);
    this.waiting = all;
    this.flush();
    if (this.waiting.length === 0) return;
    this.#source = source;
    source.socket?.pause();
  }

  flush(): void {
    const { socket } = this;
    if (socket === null) return;
    if (this.waiting.length > 0) {
      const taken = Math.max(0, socket.write(this.waiting));
      this.waiting = this.waiting.slice(taken);
    }
    if (this.waiting.length > 0) return;
    this.#source?.socket?.resume();
    this.#source = null;
    if (!this.isEnding) return;
    if (this.#hasEnded) return void socket.end();
    if (this.#isShut) return;
    this.#isShut = true;
    socket.shutdown(); // it may have something to say yet
  }

  end(): void {
    this.isEnding = true;
    this.flush();
  }

  onOpen(socket: RawSocket): void {
    if (this.isGivenUp) return resetConnection(socket);
    this.socket = socket;
    this.#relay.opened(this);
  }

  onHandshake(_socket: RawSocket, _ok: boolean, _error: Error | null): void {}

  onData(buffer: Buffer): void {
    this.#relay.received(this, buffer);
  }

  onDrain(): void {
    this.flush();
  }

  onEnd(): void {
    this.#hasEnded = true;
    this.#relay.ended(this);
    this.flush();
  }

  onClose(_error: Error | null): void {
    this.socket = null;
    if (!this.isGivenUp) this.#relay.closed(this);
  }

  onConnectFailed(_error: Error): void {
    if (!this.isGivenUp) this.#relay.failed(this);
  }
}
