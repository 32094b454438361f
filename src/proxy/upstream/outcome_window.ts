/** What an endpoint did in the last seconds, in ten slots: old ones are forgotten one after the other. */

export type Outcome = "ok" | "failed" | "slow";

/** Slots of a window: what is judged covers nine to ten tenths of the time that was asked for. */
const SLOTS = 10;

/** Counts of a window. */
export interface Outcomes {
  readonly total: number;
  readonly failed: number;
  readonly slow: number;
}

export class OutcomeWindow {
  readonly #slotMs: number;
  readonly #total = new Uint32Array(SLOTS);
  readonly #failed = new Uint32Array(SLOTS);
  readonly #slow = new Uint32Array(SLOTS);
  /** Number of the slot that counts now, since the clock's start. */
  #now = -1;

  constructor(windowMs: number) {
    this.#slotMs = windowMs / SLOTS;
  }

  add(outcome: Outcome, nowMs: number): void {
    this.#turn(nowMs);
    const at = this.#now % SLOTS;
    count(this.#total, at);
    if (outcome === "failed") count(this.#failed, at);
    else if (outcome === "slow") count(this.#slow, at);
  }

  read(nowMs: number): Outcomes {
    this.#turn(nowMs);
    return { total: sum(this.#total), failed: sum(this.#failed), slow: sum(this.#slow) };
  }

  /** Forgets everything: what was before a probation says nothing about what is after it. */
  clear(): void {
    this.#total.fill(0);
    this.#failed.fill(0);
    this.#slow.fill(0);
  }

  #turn(nowMs: number): void {
    const now = Math.floor(nowMs / this.#slotMs);
    if (now - this.#now >= SLOTS || this.#now < 0) this.clear();
    else for (let slot = this.#now + 1; slot <= now; slot++) this.#empty(slot % SLOTS);
    if (now > this.#now) this.#now = now;
  }

  #empty(at: number): void {
    this.#total[at] = 0;
    this.#failed[at] = 0;
    this.#slow[at] = 0;
  }
}

function count(slots: Uint32Array, at: number): void {
  slots[at] = (slots[at] as number) + 1; // in range
}

function sum(slots: Uint32Array): number {
  let total = 0;
  for (const slot of slots) total += slot;
  return total;
}
