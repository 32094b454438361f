/**
 * Connections between sidecars end with the certificates that they were made with, or an identity would live on for as
 * long as somebody keeps a connection open.
 *
 *   handshake ──────────────── retire ──── expired ──────────── cut
 *              the client opens another     the server says      what still runs (opaque
 *              one, and moves over           GOAWAY               streams) is cut off
 *
 * All of it counts from the handshake, on the monotonic clock: who sets a machine's clock wrong ends no connection.
 */
import { Timer, type TimerOwner } from "../base/timer_wheel.ts";
import { arm, disarm } from "./ticker.ts";

/** How long a connection may live, milliseconds from its handshake. */
export interface LifeSpan {
  /** The client turns to a new connection. */
  readonly retireMs: number;
  /** A certificate has expired. */
  readonly expireMs: number;
  /** What still runs ends. */
  readonly cutMs: number;
}

/** Earliest and latest share of the time left at which a client moves over: many connections are as old as each other. */
const RETIRE_FROM = 0.8;
const RETIRE_TO = 0.95;
/** Shortest time between two attempts to move over. */
const MIN_AGAIN_MS = 1_000;
/** Longest. */
const MAX_AGAIN_MS = 60_000;

/**
 * The life of a connection.
 *
 * @param validForMs until the first of both certificates expires
 * @param graceMs how much longer what runs may go on
 * @param random in [0, 1)
 */
export function lifeSpan(validForMs: number, graceMs: number, random: number): LifeSpan {
  const expireMs = Math.max(0, validForMs);
  const retireMs = expireMs * (RETIRE_FROM + (RETIRE_TO - RETIRE_FROM) * random);
  return { retireMs, expireMs, cutMs: expireMs + graceMs };
}

/** A connection that ends. */
export interface Mortal {
  /** New work should go elsewhere. Called again, now and then, until the connection is gone. */
  retire(): void;
  /** It is not tolerated any longer. */
  cut(): void;
}

const RETIRE = 0;
const CUT = 1;

/** Watches over one connection. Must be stopped when the connection is gone. */
export class ConnectionLife implements TimerOwner {
  readonly #mortal: Mortal;
  readonly #retire = new Timer(this, RETIRE);
  readonly #cut = new Timer(this, CUT);
  readonly #againMs: number;

  /** @param retireMs when to retire: a client's time, or a server's */
  constructor(mortal: Mortal, retireMs: number, cutMs: number) {
    this.#mortal = mortal;
    this.#againMs = Math.min(MAX_AGAIN_MS, Math.max(MIN_AGAIN_MS, retireMs / 20));
    arm(this.#retire, retireMs);
    arm(this.#cut, cutMs);
  }

  stop(): void {
    disarm(this.#retire);
    disarm(this.#cut);
  }

  onTimer(kind: number): void {
    if (kind === CUT) {
      this.stop();
      return this.#mortal.cut();
    }
    arm(this.#retire, this.#againMs);
    this.#mortal.retire();
  }
}
