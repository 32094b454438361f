/**
 * One coarse timer for many deadlines. Adding and removing is constant time and allocates nothing but the entry.
 *
 * Accuracy: a deadline fires between its time and one tick later. Requests that end in time (nearly all) only unlink.
 */

/** Length of a tick. Deadlines of requests are tenths of seconds and more, so a coarser clock would show; a finer one costs wake-ups. */
export const TICK_MS = 20;
/** Slots of the wheel (power of two): 5.1 s a turn; later deadlines stay in their slot until their turn has come. */
const SLOTS = 256;

/** What is called when a deadline passes. */
export interface TimerOwner {
  /** `kind` tells the owner's timers apart. The entry is unlinked already and may be armed again. */
  onTimer(kind: number): void;
}

/** A deadline, owned by one object; reusable. */
export class Timer {
  readonly owner: TimerOwner;
  readonly kind: number;
  prev: Timer | null = null;
  next: Timer | null = null;
  /** Tick at which it fires; -1 while not armed. */
  tick = -1;

  constructor(owner: TimerOwner, kind: number) {
    this.owner = owner;
    this.kind = kind;
  }
}

/** The wheel. `advance` must be called when `delayMs` says so; `onSooner` tells when that has become earlier. */
export class TimerWheel {
  /** Number of armed timers. */
  armed = 0;
  /** Called when a timer is armed that is due before all others; with the time until then, milliseconds. */
  onSooner: ((delayMs: number) => void) | null = null;
  readonly #slots: (Timer | null)[] = new Array<Timer | null>(SLOTS).fill(null);
  /** Per slot: no timer in it is due before this tick. Cancelling leaves it, so that it may be too early. */
  readonly #earliest: number[] = new Array<number>(SLOTS).fill(Infinity);
  /** The least of them when the driver last asked or was told. */
  #due = Infinity;
  #tick = 0;
  #startMs: number;
  #running: Timer | null = null;

  /** @param nowMs current monotonic time, milliseconds */
  constructor(nowMs: number) {
    this.#startMs = nowMs;
  }

  /** Arms (or re-arms) a timer to fire `delayMs` after `nowMs`. */
  arm(timer: Timer, nowMs: number, delayMs: number): void {
    if (timer.tick >= 0) this.cancel(timer);
    const tick = Math.max(this.#tick + 1, Math.ceil((nowMs - this.#startMs + delayMs) / TICK_MS));
    timer.tick = tick;
    const slot = tick & (SLOTS - 1);
    const head = this.#slots[slot] as Timer | null; // slot is in range by the mask
    timer.prev = null;
    timer.next = head;
    if (head !== null) head.prev = timer;
    this.#slots[slot] = timer;
    this.armed++;
    if (tick < (this.#earliest[slot] as number)) this.#earliest[slot] = tick; // as above
    if (tick >= this.#due) return;
    this.#due = tick;
    this.onSooner?.(this.#until(tick, nowMs));
  }

  /** Disarms a timer; does nothing when it is not armed. */
  cancel(timer: Timer): void {
    if (timer.tick < 0) return;
    if (this.#running === timer) this.#running = timer.next;
    const slot = timer.tick & (SLOTS - 1);
    if (timer.prev !== null) timer.prev.next = timer.next;
    else this.#slots[slot] = timer.next;
    if (timer.next !== null) timer.next.prev = timer.prev;
    timer.prev = null;
    timer.next = null;
    timer.tick = -1;
    this.armed--;
  }

  /** Fires what is due at `nowMs`. After a long pause each slot is visited once, not once per missed tick. */
  advance(nowMs: number): void {
    const target = Math.floor((nowMs - this.#startMs) / TICK_MS);
    if (this.armed === 0) {
      if (target > this.#tick) this.#tick = target;
      return;
    }
    if (target - this.#tick > SLOTS) this.#tick = target - SLOTS;
    while (this.#tick < target) {
      this.#tick++;
      const slot = this.#tick & (SLOTS - 1);
      if ((this.#earliest[slot] as number) <= target) this.#fire(slot, target); // in range by the mask
    }
  }

  /** Milliseconds after which `advance` has something to do, at least 0; -1 while nothing is armed. */
  delayMs(nowMs: number): number {
    this.#due = Infinity;
    if (this.armed === 0) {
      this.#earliest.fill(Infinity);
      return -1;
    }
    for (const tick of this.#earliest) if (tick < this.#due) this.#due = tick;
    // A slot that was not gone through to its end, as a callback threw, comes again after a whole turn.
    return this.#until(Math.max(this.#due, this.#tick + 1), nowMs);
  }

  #until(tick: number, nowMs: number): number {
    return Math.max(0, Math.ceil(this.#startMs + tick * TICK_MS - nowMs));
  }

  #fire(slot: number, target: number): void {
    let timer = this.#slots[slot] as Timer | null; // in range by the caller
    while (timer !== null) {
      this.#running = timer.next;
      if (timer.tick <= target) {
        this.cancel(timer);
        timer.owner.onTimer(timer.kind);
      }
      timer = this.#running;
    }
    this.#running = null;
    let earliest = Infinity;
    for (timer = this.#slots[slot] as Timer | null; timer !== null; timer = timer.next) {
      if (timer.tick < earliest) earliest = timer.tick;
    }
    this.#earliest[slot] = earliest;
  }
}
