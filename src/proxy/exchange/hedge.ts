/**
 * A second attempt beside the first, when that is slow: the answer that comes first is taken, the other attempt is given up.
 *
 *   armed ─delay over, budget, another endpoint→ under way ─answer first→ the exchange goes on with its leg
 *     └ the first attempt answers, or everything is over: given up      └ fails: the first goes on alone
 */
import { Timer, type TimerOwner } from "../../base/timer_wheel.ts";
import type { Http1Request } from "../../http/http1_client.ts";
import type { Leg, LegListener } from "../../http/leg.ts";
import type { Hedging } from "../../model/resilience.ts";
import { arm, disarm } from "../../net/ticker.ts";
import type { HeaderBlock } from "../../wire/header_block.ts";
import { CANCEL } from "../../wire/http2/error_code.ts";
import type { Exchange } from "./exchange.ts";
import { isSafe } from "./methods.ts";
import type { EndpointState } from "../upstream/endpoint_state.ts";
import type { Failure } from "../upstream/failure.ts";
import type { Origin, Waiter } from "../upstream/waiter.ts";

const DELAY = 0;
const TRY = 1;

/** Where a second attempt goes, and what is sent. */
export interface Shot {
  readonly endpoint: EndpointState;
  readonly head: HeaderBlock;
  readonly http2: boolean;
  /** Limit until the response head; 0 for none. */
  readonly tryTimeoutMs: number;
}

export interface HedgeOwner {
  /** Chooses another endpoint and pays for it; null where there is none, or nothing to pay with. */
  aim(exchange: Exchange): Shot | null;
  /** The answer of the second attempt came first. */
  won(exchange: Exchange): void;
}

/** Whether a request is of those that may be sent to two endpoints: safe by its method, or declared to be. */
export function isHedged(exchange: Exchange, { methods }: Hedging): boolean {
  const { method } = exchange.request;
  return !exchange.wantsTunnel && (isSafe(method) || methods.has(method));
}

/** Whether it can be sent a second time now: it is here to its last byte. */
function canFollow(exchange: Exchange): boolean {
  return exchange.requestDone && exchange.canReplay && exchange.trailers === null;
}

export class Hedge implements Waiter, TimerOwner {
  readonly http1: Http1Request;
  readonly origin: Origin;
  readonly isRepeatable = true;
  cancelled = false;
  readonly #exchange: Exchange;
  readonly #owner: HedgeOwner;
  readonly #delay = new Timer(this, DELAY);
  readonly #try = new Timer(this, TRY);
  #endpoint: EndpointState | null = null;
  #head: HeaderBlock | null = null;
  #leg: Leg | null = null;
  #sentMs = 0;
  /** How the first attempt failed while this one was under way. */
  #firstFailure: Failure | null = null;

  constructor(exchange: Exchange, owner: HedgeOwner, delayMs: number) {
    this.#exchange = exchange;
    this.#owner = owner;
    this.http1 = exchange.http1;
    this.origin = exchange.origin;
    arm(this.#delay, delayMs);
  }

  /** The first attempt has failed. @returns true while this one may still bring an answer */
  outlives(failure: Failure): boolean {
    if (this.#endpoint === null) {
      this.stop();
      return false;
    }
    this.#firstFailure = failure;
    return true;
  }

  /** Gives it up, if it has not won: its endpoint is not to blame. */
  stop(): void {
    if (this.cancelled) return;
    this.#over();
    const [endpoint, leg] = [this.#endpoint, this.#leg];
    this.#endpoint = null;
    this.#leg = null;
    if (endpoint === null) return;
    if (leg === null) endpoint.withdraw(this);
    else leg.abort(CANCEL);
    endpoint.left(false);
    endpoint.breaker.onCancelled();
  }

  onTimer(kind: number): void {
    if (kind === TRY) {
      const leg = this.#leg;
      if (leg === null) this.#endpoint?.withdraw(this);
      else leg.abort(CANCEL);
      return this.#lost();
    }
    const { context } = this.#exchange;
    const shot = canFollow(this.#exchange) ? this.#owner.aim(this.#exchange) : null;
    if (shot === null) return void (this.cancelled = true);
    this.#endpoint = shot.endpoint;
    this.#head = shot.head;
    this.#sentMs = context.clock();
    shot.endpoint.entered(this.#sentMs);
    shot.endpoint.breaker.onRequest(this.#sentMs);
    if (shot.tryTimeoutMs > 0) arm(this.#try, shot.tryTimeoutMs);
    shot.endpoint.acquireRequest(this, shot.http2, true);
  }

  // --- events of the pool

  onUpstream(leg: Leg): void {
    this.#leg = leg;
    this.#sentMs = this.#exchange.context.clock();
    const kept = this.#exchange.body === null ? null : this.#exchange.body.first;
    leg.sendHead(this.#head as HeaderBlock, kept === null, ""); // set with the endpoint
    for (let piece = kept; piece !== null && this.#leg === leg; piece = piece.next) {
      leg.sendData(piece.buffer, piece.start, piece.end, piece.next === null);
    }
  }

  onUpstreamFailed(error: Failure): void {
    const { clock, random } = this.#exchange.context;
    this.#endpoint?.onUnreached(error, clock(), random());
    this.#lost();
  }

  // --- events of the leg

  onHead(leg: Leg, head: HeaderBlock, end: boolean): void {
    const endpoint = this.#endpoint;
    if (leg !== this.#leg || endpoint === null) return;
    // An error is no answer while there may be a better one.
    if (head.status >= 500 && this.#firstFailure === null) {
      if (!end) leg.abort(CANCEL);
      return this.#lost();
    }
    this.#over();
    this.#endpoint = null;
    this.#leg = null;
    // A connection that has served its request may be somebody else's by now.
    const owned = leg as { listener?: LegListener | null };
    if (owned.listener === this) owned.listener = this.#exchange;
    this.#owner.won(this.#exchange);
    this.#exchange.adopt(endpoint, leg, this.#sentMs);
    this.#exchange.onHead(leg, head, end);
  }

  onInterim(_leg: Leg, _head: HeaderBlock): void {} // the client may have had those of the first

  onData(): void {} // nothing comes before the head

  onTrailers(): void {}

  onConsumed(): void {} // the client was given credit for what the first attempt sent

  onAbort(leg: Leg): void {
    if (leg === this.#leg) this.#lost();
  }

  #over(): void {
    this.cancelled = true;
    disarm(this.#delay);
    disarm(this.#try);
  }

  /** The second attempt has failed. */
  #lost(): void {
    const { clock, random } = this.#exchange.context;
    const endpoint = this.#endpoint;
    this.#over();
    this.#endpoint = null;
    this.#leg = null;
    if (endpoint === null) return;
    endpoint.left(false);
    endpoint.breaker.onFailure(clock(), random());
    const failure = this.#firstFailure;
    if (failure === null || this.#exchange.finished) return;
    if (!this.#exchange.pipeline.retry(this.#exchange, failure)) this.#exchange.fail(failure);
  }
}
