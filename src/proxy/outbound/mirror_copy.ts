/**
 * A copy of a request on its way to an endpoint that is asked beside the real one. It takes what it gets and never makes anybody
 * wait: when the endpoint is slower than the client, the copy is given up. Whatever is answered is dropped.
 *
 *   waiting for a leg ─→ head sent ─→ body, as the client sends it ─→ answered
 *        └──────────────────┴──── too slow, or failed: given up
 */
import { Timer, type TimerOwner } from "../../base/timer_wheel.ts";
import type { Http1Request } from "../../http/http1_client.ts";
import type { Leg } from "../../http/leg.ts";
import { WaitingBytes } from "../../http/waiting_bytes.ts";
import { arm, disarm } from "../../net/ticker.ts";
import type { HeaderBlock } from "../../wire/header_block.ts";
import { CANCEL, NO_ERROR } from "../../wire/http2/error_code.ts";
import type { EndpointState } from "../upstream/endpoint_state.ts";
import { HEAVY, type Waiter } from "../upstream/waiter.ts";

/** Bytes of a copied body that may wait for its endpoint: what is kept of a body for a second try. */
export const MAX_MIRROR_WAITING = 64 * 1024;
/** How long a copy may take, milliseconds; copies of endless streams end then, too. */
const MIRROR_MS = 60_000;
/** Copies under way in this thread: with the bytes above, 64 MiB at most. */
export const MAX_MIRRORS = 1024;

/** What became of a copy: answered, refused before it was sent or given up on the way, or broken by its endpoint. */
export type MirrorResult = "answered" | "dropped" | "failed";

let underWay = 0;

/** Copies under way. */
export function mirrorsUnderWay(): number {
  return underWay;
}

export class MirrorCopy implements Waiter, TimerOwner {
  readonly http1: Http1Request;
  readonly origin = HEAVY;
  /** Nobody tries again. */
  readonly isRepeatable = false;
  cancelled = false;
  readonly #endpoint: EndpointState;
  readonly #head: HeaderBlock;
  readonly #clock: () => number;
  readonly #onOver: (result: MirrorResult) => void;
  readonly #timer = new Timer(this, 0);
  readonly #early = new WaitingBytes();
  #leg: Leg | null = null;
  /** Given to the leg, and not on its way yet. */
  #unsent = 0;
  #ended: boolean;
  #trailers: HeaderBlock | null = null;
  #answered = false;
  #isOver = false;

  /**
   * @param head as it goes to the endpoint
   * @param ended it is all of the request
   * @param clock monotonic milliseconds
   * @param onOver told once
   */
  constructor(
    endpoint: EndpointState,
    head: HeaderBlock,
    http1: Http1Request,
    ended: boolean,
    clock: () => number,
    onOver: (result: MirrorResult) => void,
  ) {
    this.#endpoint = endpoint;
    this.#head = head;
    this.http1 = http1;
    this.#ended = ended;
    this.#clock = clock;
    this.#onOver = onOver;
  }

  /** Sends it. @param http2 what an endpoint without a sidecar is asked in */
  start(http2: boolean): void {
    underWay++;
    this.#endpoint.entered(this.#clock());
    arm(this.#timer, MIRROR_MS);
    this.#endpoint.acquireRequest(this, http2, false);
  }

  // --- what the client sends

  data(buffer: Uint8Array, start: number, end: number, fin: boolean): void {
    if (this.#isOver) return;
    this.#ended = fin;
    const leg = this.#leg;
    if (leg === null) {
      this.#early.append(buffer, start, end);
      if (this.#early.length > MAX_MIRROR_WAITING) this.#giveUp("dropped");
      return;
    }
    this.#unsent += end - start;
    leg.sendData(buffer, start, end, fin);
    if (this.#unsent > MAX_MIRROR_WAITING) this.#giveUp("dropped");
  }

  trailers(trailers: HeaderBlock): void {
    if (this.#isOver) return;
    this.#ended = true;
    if (this.#leg === null) this.#trailers = trailers;
    else this.#leg.sendTrailers(trailers);
  }

  /** The client went away before its request was complete. */
  abandon(): void {
    if (!this.#ended) this.#giveUp("dropped");
  }

  // --- the endpoint

  onUpstream(leg: Leg): void {
    if (this.#isOver) return leg.abort(CANCEL);
    this.#leg = leg;
    const early = this.#early;
    const ends = this.#ended && this.#trailers === null;
    leg.sendHead(this.#head, ends && early.length === 0, "");
    this.#unsent = early.length;
    for (let piece = early.first; piece !== null && !this.#isOver; piece = piece.next) {
      leg.sendData(piece.buffer, piece.start, piece.end, ends && piece.next === null);
    }
    early.clear();
    if (this.#trailers !== null && !this.#isOver) leg.sendTrailers(this.#trailers);
  }

  onUpstreamFailed(): void {
    this.#over("failed");
  }

  onHead(leg: Leg, _head: HeaderBlock, end: boolean): void {
    if (this.#isOver) return;
    this.#answered = true;
    this.#endpoint.answered(this.#clock());
    if (end) this.#complete(leg);
  }

  onInterim(): void {}

  onData(leg: Leg, _buffer: Uint8Array, start: number, end: number, fin: boolean): void {
    if (this.#isOver) return;
    if (fin) this.#complete(leg);
    else leg.consumed(end - start);
  }

  onTrailers(leg: Leg): void {
    this.#complete(leg);
  }

  onConsumed(_leg: Leg, bytes: number): void {
    this.#unsent -= bytes;
  }

  onAbort(): void {
    this.#over("failed");
  }

  onTimer(): void {
    this.#giveUp("dropped");
  }

  /** The answer is complete: the leg may serve another request by now, unless it still waits for the rest of this one. */
  #complete(leg: Leg): void {
    if (this.#isOver) return;
    if (!this.#ended) leg.abort(NO_ERROR);
    this.#over("answered");
  }

  #giveUp(result: MirrorResult): void {
    if (this.#isOver) return;
    const leg = this.#leg;
    this.cancelled = true;
    if (leg === null) this.#endpoint.withdraw(this);
    this.#over(result);
    leg?.abort(CANCEL);
  }

  #over(result: MirrorResult): void {
    if (this.#isOver) return;
    this.#isOver = true;
    underWay--;
    disarm(this.#timer);
    this.#early.clear();
    this.#leg = null;
    this.#endpoint.left(this.#answered);
    this.#onOver(result);
  }
}
