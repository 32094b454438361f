/** The timer wheel of the process, driven while something is armed. */
import { TICK_MS, type Timer, TimerWheel } from "../base/timer_wheel.ts";
import { forgetTurnMs, turnMs } from "./turn_clock.ts";

/** Deadlines of this event loop. */
const wheel = new TimerWheel(performance.now());
let interval: ReturnType<typeof setInterval> | null = null;

wheel.onFirst = () => {
  interval ??= setInterval(tick, TICK_MS);
};

function tick(): void {
  forgetTurnMs();
  wheel.advance(performance.now());
  if (wheel.armed === 0 && interval !== null) {
    clearInterval(interval);
    interval = null;
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
