/** The timer wheel of the process, driven when something is due: a proxy that waits for nothing soon does not wake up. */
import { type Timer, TimerWheel } from "../base/timer_wheel.ts";
import { forgetTurnMs, turnMs } from "./turn_clock.ts";

/** Deadlines of this event loop. */
const wheel = new TimerWheel(performance.now());
let timeout: ReturnType<typeof setTimeout> | null = null;

wheel.onSooner = wakeIn;

function wakeIn(delayMs: number): void {
  if (timeout !== null) clearTimeout(timeout);
  timeout = setTimeout(wake, delayMs);
}

function wake(): void {
  forgetTurnMs();
  timeout = null;
  try {
    wheel.advance(performance.now());
  } finally { // one bad callback must not stop the others' clock
    const delayMs = wheel.delayMs(performance.now());
    if (delayMs >= 0) wakeIn(delayMs);
  }
}

/** Arms (or re-arms) a timer to fire in `delayMs`. */
export function arm(timer: Timer, delayMs: number): void {
  wheel.arm(timer, turnMs(), delayMs);
}

/** Disarms a timer; does nothing when it is not armed. */
export function disarm(timer: Timer): void {
  wheel.cancel(timer);
}
