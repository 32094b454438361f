/**
 * A client's leg through which body bytes pass slowly: the fault `bandwidth`. Bytes are never kept here. What is held back is
 * the word that they have gone on, so that their sender's window stays shut: one window (`src/http/limits.ts`) goes at once,
 * the rest at the rate. Only exchanges that are spoilt have one.
 */
import { Timer, type TimerOwner } from "../../base/timer_wheel.ts";
import type { Leg, LegListener } from "../../http/leg.ts";
import type { Fault } from "../../model/fault.ts";
import { arm, disarm } from "../../net/ticker.ts";
import type { HeaderBlock } from "../../wire/header_block.ts";
import type { Exchange } from "./exchange.ts";
import { ByteMeter } from "../limit/byte_meter.ts";

/** How often credit is given, milliseconds: smaller pieces would cost frames, larger ones would show as stalls. */
const RELEASE_MS = 40;

/** A leg that events can be taken from. */
export type OwnedLeg = Leg & { listener: LegListener | null };

/** Bytes per second; 0: no limit. */
export type Throttles = Pick<Fault, "requestBytesPerSecond" | "responseBytesPerSecond">;

/**
 * Slows an exchange down, if the fault says so. Not what asks for a tunnel: that takes the socket out of the client's leg. Call
 * it before an attempt is made.
 */
export function throttle(exchange: Exchange, fault: Throttles): void {
  if (fault.requestBytesPerSecond + fault.responseBytesPerSecond === 0 || exchange.wantsTunnel) return;
  const { down, context } = exchange;
  exchange.down = new ThrottledLeg(down as OwnedLeg, fault, () => context.clock()); // a client's leg has a listener
}

export class ThrottledLeg implements Leg, LegListener, TimerOwner {
  /** Who gets what arrives, as from the client's leg itself. */
  listener: LegListener | null;
  readonly #inner: OwnedLeg;
  readonly #clock: () => number;
  readonly #request: ByteMeter | null;
  readonly #response: ByteMeter | null;
  readonly #timer = new Timer(this, 0);
  #over = false;

  /** Stands between a leg and its listener from now on. @param clock monotonic milliseconds */
  constructor(inner: OwnedLeg, throttles: Throttles, clock: () => number) {
    this.#inner = inner;
    this.listener = inner.listener;
    inner.listener = this;
    this.#clock = clock;
    const { requestBytesPerSecond, responseBytesPerSecond } = throttles;
    this.#request = requestBytesPerSecond === 0 ? null : new ByteMeter(requestBytesPerSecond, clock());
    this.#response = responseBytesPerSecond === 0 ? null : new ByteMeter(responseBytesPerSecond, clock());
  }

  get reason(): string {
    return this.#inner.reason;
  }

  // --- from the exchange

  sendHead(head: HeaderBlock, end: boolean, reason: string): void {
    if (end) this.#end();
    this.#inner.sendHead(head, end, reason);
  }

  sendInterim(head: HeaderBlock): void {
    this.#inner.sendInterim(head);
  }

  sendData(buffer: Uint8Array, start: number, end: number, fin: boolean): void {
    if (fin) this.#end();
    this.#inner.sendData(buffer, start, end, fin);
  }

  sendTrailers(trailers: HeaderBlock): void {
    this.#end();
    this.#inner.sendTrailers(trailers);
  }

  abort(h2Code: number): void {
    this.#end();
    this.#inner.abort(h2Code);
  }

  consumed(bytes: number): void {
    if (this.#request === null) return this.#inner.consumed(bytes);
    this.#request.hold(bytes, this.#clock());
    this.#arm();
  }

  // --- from the client

  onHead(_leg: Leg, head: HeaderBlock, end: boolean): void {
    this.listener?.onHead(this, head, end);
  }

  onInterim(_leg: Leg, head: HeaderBlock): void {
    this.listener?.onInterim(this, head);
  }

  onData(_leg: Leg, buffer: Uint8Array, start: number, end: number, fin: boolean): void {
    this.listener?.onData(this, buffer, start, end, fin);
  }

  onTrailers(_leg: Leg, trailers: HeaderBlock): void {
    this.listener?.onTrailers(this, trailers);
  }

  onAbort(_leg: Leg, h2Code: number, unprocessed: boolean, detail: string): void {
    this.#end();
    this.listener?.onAbort(this, h2Code, unprocessed, detail);
  }

  onConsumed(_leg: Leg, bytes: number): void {
    if (this.#response === null) return this.listener?.onConsumed(this, bytes);
    this.#response.hold(bytes, this.#clock());
    this.#arm();
  }

  onTimer(_kind: number): void {
    if (this.#over) return;
    const now = this.#clock();
    const request = this.#request?.take(now) ?? 0;
    if (request > 0) this.#inner.consumed(request);
    const response = this.#response?.take(now) ?? 0;
    if (response > 0) this.listener?.onConsumed(this, response);
    if ((this.#request?.held ?? 0) + (this.#response?.held ?? 0) > 0) this.#arm();
  }

  #arm(): void {
    if (!this.#over && this.#timer.tick < 0) arm(this.#timer, RELEASE_MS);
  }

  /** The response ends, and with it whatever credit could be for. */
  #end(): void {
    this.#over = true;
    disarm(this.#timer);
  }
}
