/**
 * When the runtime compiles to machine code. The binary starts with a policy that compiles next to nothing (`task build`):
 * what runs once is not worth it, nor what runs now and then. The code, what it is linked with, and the compilers' threads
 * and heaps would stay in a proxy that mostly waits. So the runtime compiles as usual while there is much to do, and not
 * before: a start, a probe every few seconds or a few requests a second are left to the interpreter.
 */

/** Compiles next to nothing: of the thresholds at which code is compiled. As `--compile-jit-policy` of `task build`. */
const RELUCTANT = 1000;
const AS_USUAL = 1;
/** Looks within `WINDOW_MS` that make a busy loop: with 16 turns between them that is some 30 requests a second. */
export const BUSY_LOOKS = 8;
/** Well above the pauses of one burst, and short enough that two which are independent do not count as one. */
export const WINDOW_MS = 2000;

/** Decides from looks at the clock whether a loop has much to do. */
export class BusyWatch {
  #startMs = -Infinity;
  #looks = 0;

  /** @param nowMs monotonic; of a look after a fixed number of the loop's turns. @returns whether the loop is busy */
  look(nowMs: number): boolean {
    if (nowMs - this.#startMs > WINDOW_MS) {
      this.#startMs = nowMs;
      this.#looks = 0;
    }
    return ++this.#looks >= BUSY_LOOKS;
  }
}

const watch = new BusyWatch();
let isReluctant = true;

/** Has the runtime compile as usual once the loop is busy. Call after every few turns. @param nowMs monotonic */
export function compileWhenBusy(nowMs: number): void {
  if (!isReluctant || !watch.look(nowMs)) return;
  isReluctant = false;
  Bun.unsafe.setJITPolicy(AS_USUAL);
}

/** The loop has nothing to do: compiles next to nothing until it is busy again. */
export function compileReluctantly(): void {
  if (isReluctant) return;
  isReluctant = true;
  Bun.unsafe.setJITPolicy(RELUCTANT);
}
