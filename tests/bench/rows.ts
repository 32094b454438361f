/** Measurements of several rounds as one row of the result. */
import { cpus, release, totalmem } from "node:os";
import type { Case } from "./cases.ts";
import { median } from "./load/result.ts";
import type { Measurement } from "./measure.ts";

/** Smallest and largest of the rounds. */
export type Range = readonly [number, number];

export interface Row {
  readonly case: string;
  readonly proxy: string;
  readonly unit: string;
  readonly rate: number;
  /** Both sides together. */
  readonly cpuUs: number;
  readonly cpuUsA: number;
  readonly cpuUsB: number;
  readonly p50Us: number;
  readonly p99Us: number;
  readonly p999Us: number;
  /** Latencies at SHARES of load/result.ts; empty when the load has none. */
  readonly curveUs: readonly number[];
  /** Memory of one proxy; of a pair, of the one with more. */
  readonly rssMb: number;
  readonly anonMb: number;
  readonly failed: number;
  readonly busy: number;
  readonly rounds: number;
  /** Over the rounds. */
  readonly spread: { readonly rate: Range; readonly cpuUs: Range; readonly p50Us: Range; readonly p99Us: Range };
  /** Cores that others used, and that the hypervisor kept, meanwhile; the largest of the rounds. */
  readonly others: number;
  readonly steal: number;
}

export interface Report {
  readonly machine: string;
  readonly date: string;
  /** Version and commit of the tulle that was measured. */
  readonly version: string;
  /** Load average when the run began: above 1, times are not comparable with other runs. */
  readonly loadAverage: number;
  /** Rounds and milliseconds of a run. */
  readonly rounds: number;
  readonly runMs: number;
  readonly rows: readonly Row[];
}

/** Medians over the rounds; failures are summed, and of noise the worst counts. */
export function rowOf(item: Case, proxy: string, rounds: readonly Measurement[]): Row {
  const all = (read: (one: Measurement) => number) => rounds.map(read).filter((value) => !Number.isNaN(value));
  const mid = (read: (one: Measurement) => number, digits: number) => Number(median(all(read)).toFixed(digits));
  const range = (read: (one: Measurement) => number, digits: number): Range => {
    const values = all(read);
    if (values.length === 0) return [NaN, NaN];
    return [Number(Math.min(...values).toFixed(digits)), Number(Math.max(...values).toFixed(digits))];
  };
  const cpu = (one: Measurement) => one.cpuUsA + one.cpuUsB;
  const points = Math.max(0, ...rounds.map((one) => one.curveUs.length));
  return {
    case: item.name,
    proxy,
    unit: item.unit,
    rate: mid((one) => one.rate, 3),
    cpuUs: mid(cpu, 2),
    cpuUsA: mid((one) => one.cpuUsA, 2),
    cpuUsB: mid((one) => one.cpuUsB, 2),
    p50Us: mid((one) => one.p50Us, 0),
    p99Us: mid((one) => one.p99Us, 0),
    p999Us: mid((one) => one.p999Us, 0),
    curveUs: Array.from({ length: points }, (_, at) => mid((one) => one.curveUs[at] ?? NaN, 0)),
    rssMb: mid((one) => one.rssMb, 1),
    anonMb: mid((one) => one.anonMb, 1),
    failed: rounds.reduce((sum, one) => sum + one.failed, 0),
    busy: mid((one) => one.busy, 2),
    rounds: rounds.length,
    spread: {
      rate: range((one) => one.rate, 3),
      cpuUs: range(cpu, 2),
      p50Us: range((one) => one.p50Us, 0),
      p99Us: range((one) => one.p99Us, 0),
    },
    others: range((one) => one.others, 3)[1],
    steal: range((one) => one.steal, 3)[1],
  };
}

export function machineText(): string {
  const all = cpus();
  return `${all[0]?.model.trim() ?? "unknown"} × ${all.length}, ${
    Math.round(totalmem() / 2 ** 30)
  } GiB, Linux ${release()}, Bun ${Bun.version}`;
}
