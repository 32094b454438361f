/** The timer wheel of the process, driven while something is armed. */
import { TICK_MS, type Timer, TimerWheel } from "../base/timer_wheel.ts";

/**
 * A tick that comes this late means that the process did not run (no processor, stopped, swapped). What happened meanwhile
 * waits in its sockets: it is read first, and deadlines that seem to have passed are looked at one tick later. Otherwise
 * a pause of a second would end every connection that is being made.
 */
const STALL_MS = 5 * TICK_MS;

/** Deadlines of this event loop. */
const wheel = new TimerWheel(performance.now());
let interval: ReturnType<typeof setInterval> | null = null;
let lastTickMs = 0;

wheel.onFirst = () => {
  if (interval !== null) return;
  lastTickMs = performance.now();
  interval = setInterval(tick, TICK_MS);
};

function tick(): void {
  const now = performance.now();
  const late = now - lastTickMs > STALL_MS;
  lastTickMs = now;
  if (late) return;
  wheel.advance(now);
  if (wheel.armed === 0 && interval !== null) {
    clearInterval(interval);
    interval = null;
  }
}

/** Arms (or re-arms) a timer to fire in `delayMs`. */
export function arm(timer: Timer, delayMs: number): void {
  wheel.arm(timer, performance.now(), delayMs);
}

/** Disarms a timer; does nothing when it is not armed. */
export function disarm(timer: Timer): void {
  wheel.cancel(timer);
}
