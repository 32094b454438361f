import { expect, test } from "bun:test";
import { BUSY_LOOKS, BusyWatch, WINDOW_MS } from "./jit_policy.ts";

/** Times at which a watch is asked until it says that the loop is busy; null when it never does. */
function looksUntilBusy(times: readonly number[]): number | null {
  const watch = new BusyWatch();
  const at = times.findIndex((time) => watch.look(time));
  return at < 0 ? null : at + 1;
}

function every(ms: number, count: number): number[] {
  return Array.from({ length: count }, (_, at) => 1e6 + at * ms);
}

test("a loop is busy when many looks come within the window", () => {
  const within = WINDOW_MS / BUSY_LOOKS;
  const rows: readonly [string, number[], number | null][] = [
    ["a burst", every(1, 100), BUSY_LOOKS],
    ["just often enough", every(within, 100), BUSY_LOOKS],
    ["a request now and then, for long", every(2 * within, 10_000), null],
    ["bursts that are too small", every(WINDOW_MS * 2, 50).flatMap((at) => [at, at + 1, at + 2]), null],
    ["quiet, then busy", [...every(WINDOW_MS, 3), ...every(1, 100).map((at) => at + 10 * WINDOW_MS)], 3 + BUSY_LOOKS],
  ];
  for (const [name, times, looks] of rows) expect([name, looksUntilBusy(times)]).toEqual([name, looks]);
});
