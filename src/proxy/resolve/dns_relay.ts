/**
 * Stands between the workload's programs and their nameserver, changes nothing, and remembers which addresses it gave.
 *
 *   program ──port 53, redirected──▶ 127.0.0.1:4153 ──▶ nameserver of /etc/resolv.conf
 *                                        └─ answers ──▶ Pins
 *
 * All of port 53 comes here, whichever server a program has asked: a sidecar without privileges is not told which for UDP,
 * and it must be the pod's own nameserver that answers. Otherwise a program could name a server of its choice, and have
 * any address pinned for any name. Where no nameserver answers, nobody does: nothing is made up or remembered for it.
 */
import { listen, type Listener } from "../../net/listener.ts";
import type { RawSocket, SocketOwner } from "../../net/socket.ts";
import { type DnsHead, type DnsQuestion, readAnswers, readHead } from "../../wire/dns/message.ts";
import { Lookup, type LookupOwner } from "./lookup.ts";
import type { Nameserver } from "./nameservers.ts";
import type { DnsFailure, DnsObserver, Transport } from "./observer.ts";
import type { Pins } from "./pins.ts";
import { type StreamOwner, StreamRelay } from "./stream_relay.ts";

/** Questions by UDP that wait at a time, each with a socket. Programs of a pod ask a few; what is beyond is lost as in a full queue. */
const MAX_LOOKUPS = 512;
/** Connections at a time. */
const MAX_STREAMS = 64;
/** How long the nameserver that answered in the first one's stead is asked first, milliseconds. */
const PREFER_MS = 30_000;
/** SO_REUSEPORT, as the runtime counts flags: during an upgrade both processes listen for a moment. */
const REUSE_PORT = 4;
/** Between tries to bind while the process before, of another user, has the port, milliseconds. */
const AGAIN_MS = 25;
const TRIES = 200;
/** How long a process that others have succeeded answers what it was asked, milliseconds. Most answers come in a few. */
export const STOP_MS = 1_000;

export interface DnsRelayDeps {
  readonly pins: Pins;
  readonly observer: DnsObserver;
  /** The workload's own, at least one. */
  nameservers(): readonly Nameserver[];
  /** Something was learnt that is new. */
  onLearnt(): void;
  /** Monotonic milliseconds. */
  clock(): number;
  /** Random of 16 bits, that nobody can foresee. */
  randomId(): number;
}

type UdpSocket = Bun.udp.Socket<"buffer">;

/** A program that waits for an answer. */
interface Asker {
  readonly from: UdpSocket;
  readonly port: number;
  readonly ip: string;
}

export class DnsRelay implements LookupOwner, StreamOwner {
  readonly #deps: DnsRelayDeps;
  readonly #lookups = new Map<Lookup, Asker>();
  readonly #streams = new Set<StreamRelay>();
  readonly #sockets: UdpSocket[] = [];
  readonly #listeners: Listener[] = [];
  /** So that what `open` has begun does not listen when `stop` came meanwhile. */
  #stops = 0;
  /** After the last answer; nothing while it takes questions. */
  #onIdle: () => void = () => {};
  #preferred = 0;
  #preferUntilMs = 0;

  constructor(deps: DnsRelayDeps) {
    this.#deps = deps;
  }

  get isOpen(): boolean {
    return this.#sockets.length > 0;
  }

  /**
   * Listens on an address, by UDP and TCP.
   *
   * @param isSuccessor another process may still listen: by UDP both do for a moment, by TCP this one as soon as it can
   * @returns the port
   * @throws when it cannot be bound
   */
  async open(host: string, port: number, isSuccessor: boolean): Promise<number> {
    const stops = this.#stops;
    const take = () => bind(host, port, (from, bytes, fromPort, ip) => this.#onQuery(from, bytes, fromPort, ip));
    const socket = await (isSuccessor ? again(take) : take());
    const at = { host, port: socket.port };
    const accept = () => {
      if (stops === this.#stops) this.#listeners.push(listen(at, (client: RawSocket) => this.#accept(client)));
    };
    try {
      // Ports are not shared by accident: two proxies on one would answer for each other.
      if (isSuccessor) again(accept).catch(() => this.#deps.observer.onFailure("tcp", "unreachable"));
      else accept();
    } catch (error) {
      socket.close();
      throw error;
    }
    if (stops === this.#stops) this.#sockets.push(socket);
    else socket.close();
    return at.port;
  }

  /** Takes no more questions. The ones under way get their answers for STOP_MS more; then calls back. */
  stop(onStopped: () => void): void {
    this.#stops++;
    for (const listener of this.#listeners.splice(0)) listener.stop();
    const sockets = this.#sockets.splice(0); // answers are sent from them
    let isOver = false;
    this.#onIdle = () => {
      if (isOver) return;
      isOver = true;
      for (const socket of sockets) socket.close();
      onStopped();
    };
    if (this.#lookups.size === 0) this.#onIdle();
    else setTimeout(this.#onIdle, STOP_MS);
  }

  /** Ends all. */
  close(): void {
    this.stop(() => {});
    for (const lookup of this.#lookups.keys()) lookup.close();
    this.#lookups.clear();
    for (const stream of [...this.#streams]) stream.close();
    this.#look();
  }

  // --- UDP

  #onQuery(from: UdpSocket, bytes: Buffer, port: number, ip: string): void {
    const { observer, randomId } = this.#deps;
    observer.onQuery("udp");
    const head = readHead(bytes);
    if (head === null || head.isResponse || head.question === null) return observer.onFailure("udp", "malformed");
    const servers = this.#deps.nameservers();
    if (servers.length === 0) return observer.onFailure("udp", "unreachable");
    if (this.#lookups.size >= MAX_LOOKUPS) return observer.onFailure("udp", "overloaded");
    const first = this.#deps.clock() < this.#preferUntilMs ? this.#preferred % servers.length : 0;
    const lookup = new Lookup(this, new Uint8Array(bytes), head, servers, first, randomId());
    this.#lookups.set(lookup, { from, port, ip });
  }

  answered(lookup: Lookup, answer: Uint8Array, head: DnsHead, server: number): void {
    this.#deps.observer.onAnswer("udp");
    if (server !== lookup.first) {
      this.#preferred = server;
      this.#preferUntilMs = this.#deps.clock() + PREFER_MS;
    }
    if (lookup.head.question !== null && head.question !== null) this.learn("udp", lookup.head.question, head, answer);
    const asker = this.#lookups.get(lookup);
    if (asker !== undefined) reply(asker, answer);
    this.#forget(lookup);
  }

  wrongAnswer(): void {
    this.#deps.observer.onFailure("udp", "mismatch");
  }

  failed(lookup: Lookup, reason: DnsFailure): void {
    this.#deps.observer.onFailure("udp", reason);
    this.#forget(lookup);
  }

  #forget(lookup: Lookup): void {
    this.#lookups.delete(lookup);
    this.#look();
  }

  #look(): void {
    if (this.#lookups.size === 0) this.#onIdle();
  }

  // --- TCP

  #accept(client: RawSocket): SocketOwner {
    const { observer } = this.#deps;
    const servers = this.#streams.size < MAX_STREAMS ? this.#deps.nameservers() : [];
    const relay = new StreamRelay(this, observer, client, servers);
    this.#streams.add(relay);
    if (servers.length === 0) {
      observer.onFailure("tcp", this.#streams.size > MAX_STREAMS ? "overloaded" : "unreachable");
    }
    return relay.side;
  }

  gone(relay: StreamRelay): void {
    this.#streams.delete(relay);
  }

  // --- both

  learn(transport: Transport, question: DnsQuestion, head: DnsHead, message: Uint8Array): void {
    if (head.rcode !== 0 || head.opcode !== 0) return;
    const answers = readAnswers(message, head);
    // What did not fit is asked for once more by TCP.
    if (answers === null) return void (head.isTruncated || this.#deps.observer.onFailure(transport, "unreadable"));
    if (this.#deps.pins.learn(question.name, answers, this.#deps.clock())) this.#deps.onLearnt();
  }
}

/** The error of a send may be about the datagram before, to a program that had gone: the kernel says it to whom comes next. */
function reply({ from, port, ip }: Asker, answer: Uint8Array): void {
  for (let tries = 0; tries < 2 && !from.closed; tries++) {
    try {
      return void from.send(answer, port, ip);
    } catch {
      // Sent again once; what is lost then is asked again, as any datagram is.
    }
  }
}

type OnDatagram = (from: UdpSocket, bytes: Buffer, port: number, ip: string) => void;

async function bind(hostname: string, port: number, data: OnDatagram): Promise<UdpSocket> {
  // An error says that a program has gone before its answer.
  const options = { hostname, port, flags: REUSE_PORT, socket: { data, error() {} } }; // flags are missing in the type
  return await Bun.udpSocket(options as Bun.udp.SocketOptions<"buffer">);
}

/** Tries for as long as somebody else has the port, up to 5 s. */
async function again<T>(open: () => T | Promise<T>): Promise<T> {
  for (let left = TRIES;; left--) {
    try {
      return await open();
    } catch (error) {
      if (left === 0 || (error as { code?: unknown }).code !== "EADDRINUSE") throw error; // the runtime throws errors
      await Bun.sleep(AGAIN_MS);
    }
  }
}
