/**
 * One question by UDP, on its way to the nameserver and back.
 *
 * Against forged answers (RFC 5452): a socket of its own, so that its port is random and the kernel takes datagrams of
 * the nameserver's address alone; a random id; and the answer must repeat the question. The program's own id is put back.
 */
import { Timer, type TimerOwner } from "../../base/timer_wheel.ts";
import { markDatagrams } from "../../net/socket.ts";
import { arm, disarm } from "../../net/ticker.ts";
import { type DnsHead, isSameQuestion, readHead } from "../../wire/dns/message.ts";
import type { Nameserver } from "./nameservers.ts";
import type { DnsFailure } from "./observer.ts";

/** Until another nameserver is asked as well, milliseconds: most answer in a few, a resolver that has to ask far in hundreds. */
const NEXT_MS = 1_500;
/** Until a question is given up: programs ask again after 5 s (RES_TIMEOUT). */
const LOOKUP_MS = 6_000;
/** Wrong answers after which a socket is given up: somebody guesses. */
const MAX_WRONG = 16;

export interface LookupOwner {
  /** @param answer with the id that the program gave @param server index of who answered */
  answered(lookup: Lookup, answer: Uint8Array, head: DnsHead, server: number): void;
  wrongAnswer(): void;
  /** Nobody answered; the lookup is over. */
  failed(lookup: Lookup, reason: DnsFailure): void;
}

type Socket = Bun.udp.ConnectedSocket<"buffer">;

export class Lookup implements TimerOwner {
  readonly head: DnsHead;
  /** Index of the server that is asked first. */
  readonly first: number;
  readonly #owner: LookupOwner;
  readonly #query: Uint8Array;
  readonly #servers: readonly Nameserver[];
  readonly #id: number;
  readonly #timer = new Timer(this, 0);
  readonly #sockets: Socket[] = [];
  #asked = 0;
  #unreachable = 0;
  #wrong = 0;
  #isOver = false;

  /**
   * @param query is kept and changed
   * @param servers at least one @param first index of the one to ask first
   * @param id random
   */
  constructor(
    owner: LookupOwner,
    query: Uint8Array,
    head: DnsHead,
    servers: readonly Nameserver[],
    first: number,
    id: number,
  ) {
    this.head = head;
    this.#owner = owner;
    this.#query = query;
    this.#servers = servers;
    this.first = first;
    this.#id = id;
    writeId(query, id);
    this.#askNext();
  }

  /** Gives it up; the owner is not told. */
  close(): void {
    this.#isOver = true;
    disarm(this.#timer);
    for (const socket of this.#sockets) socket.close();
  }

  onTimer(_kind: number): void {
    if (this.#asked < this.#servers.length) return this.#askNext();
    this.#fail(this.#unreachable === this.#asked ? "unreachable" : "timeout");
  }

  #askNext(): void {
    const index = (this.first + this.#asked++) % this.#servers.length;
    const rest = LOOKUP_MS - NEXT_MS * (this.#asked - 1);
    arm(this.#timer, this.#asked < this.#servers.length ? NEXT_MS : rest);
    this.#ask(index).catch(() => this.#onError());
  }

  /** @throws later, also what the runtime throws at once: that there is no way to an IPv6 address on a host without */
  async #ask(index: number): Promise<void> {
    const { host, port } = this.#servers[index] as Nameserver; // in range
    const socket = await Bun.udpSocket({
      connect: { hostname: host, port },
      socket: {
        data: (from, bytes) => this.#onData(from, bytes, index),
        error: () => this.#onError(), // ICMP says that nobody is there
      },
    });
    if (this.#isOver) return socket.close();
    this.#sockets.push(socket);
    if (!markDatagrams(socket)) return this.#onError(); // it would come back to this proxy
    socket.send(this.#query);
  }

  #onData(socket: Bun.udp.BaseUDPSocket, bytes: Buffer, server: number): void {
    if (this.#isOver) return;
    const head = readHead(bytes);
    if (head === null || !this.#answers(head)) {
      this.#owner.wrongAnswer();
      if (++this.#wrong >= MAX_WRONG) socket.close();
      return;
    }
    this.close();
    writeId(bytes, this.head.id);
    this.#owner.answered(this, bytes, head, server);
  }

  /** Who refuses may leave the question out, for it could not read it. */
  #answers(head: DnsHead): boolean {
    if (!head.isResponse || head.id !== this.#id) return false;
    return isSameQuestion(head.question, this.head.question) || (head.question === null && head.rcode !== 0);
  }

  #onError(): void {
    if (this.#isOver) return;
    this.#unreachable++;
    if (this.#asked < this.#servers.length) this.#askNext();
    else if (this.#unreachable === this.#asked) this.#fail("unreachable");
  }

  #fail(reason: DnsFailure): void {
    if (this.#isOver) return;
    this.close();
    this.#owner.failed(this, reason);
  }
}

function writeId(message: Uint8Array, id: number): void {
  message[0] = id >>> 8;
  message[1] = id & 0xff;
}
