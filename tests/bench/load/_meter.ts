/**
 * The measured time of a generator that is a process of its own: it prints "begin" and "end" around it, and then what it
 * counted as one line of JSON, which scripts.ts reads.
 */
import { latencyOf } from "./result.ts";

export class Meter {
  isMeasuring = false;
  failed = 0;
  #count = 0;
  #latencies: number[] = [];

  /** Something is done: a latency in nanoseconds, or none (negative). Counts only in the measured time. */
  done(ns: number, amount = 1): void {
    if (!this.isMeasuring) return;
    this.#count += amount;
    if (ns >= 0) this.#latencies.push(ns / 1000);
  }

  /** Something failed; `reason` goes to stderr, the first few times. */
  fail(reason: string): void {
    if (this.failed++ < 3) console.error(reason);
  }

  /**
   * Waits, measures, prints. The load runs meanwhile; what it still does afterwards is its own affair.
   *
   * @param begin called as soon as the time is measured
   */
  async run(warmMs: number, runMs: number, begin = () => {}): Promise<void> {
    await Bun.sleep(warmMs);
    this.isMeasuring = true;
    begin();
    const startedAt = Bun.nanoseconds();
    console.log("begin");
    await Bun.sleep(runMs);
    this.isMeasuring = false;
    const seconds = (Bun.nanoseconds() - startedAt) / 1e9;
    console.log("end");
    const latency = latencyOf(Float64Array.from(this.#latencies));
    console.log(JSON.stringify({ count: this.#count, seconds, failed: this.failed, ...latency }));
  }
}
