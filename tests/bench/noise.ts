/** What else the machine did during a run: work of others, time stolen by the hypervisor, how long the run queue was. */
import { readFileSync } from "node:fs";
import { cpuNs, processTree } from "../support/proc.ts";

/** Ticks of /proc/stat a second (USER_HZ, part of the kernel's ABI). */
const TICKS_PER_S = 100;

export interface Noise {
  /** Cores that other processes used: 0.5 is half a core. Ticks make it coarse in short runs. */
  readonly others: number;
  /** Cores that the hypervisor kept from us. */
  readonly steal: number;
}

/** Counters at one moment. */
export interface MachineTimes {
  readonly wallNs: number;
  /** All work on all cores, interrupts included. */
  readonly busyNs: number;
  readonly stealNs: number;
  /** The part of our own processes. */
  readonly ownNs: number;
}

/** Less time than this says nothing: it is a few ticks. */
const MIN_WINDOW_NS = 100e6;

/** A row with more noise than this, in cores, is marked: its times are not to be trusted. */
export const MUCH_NOISE = 0.1;

/** @param pid of the bench; all it started counts as its own */
export function machineTimes(pid: number): MachineTimes {
  const { busyNs, stealNs } = parseStat(readFileSync("/proc/stat", "utf8"));
  return { wallNs: Bun.nanoseconds(), busyNs, stealNs, ownNs: cpuNs(processTree(pid)) };
}

/** The first line of /proc/stat: user nice system idle iowait irq softirq steal …, in ticks (proc_stat(5)). */
export function parseStat(text: string): { readonly busyNs: number; readonly stealNs: number } {
  const [user = 0, nice = 0, system = 0, , , irq = 0, softirq = 0, steal = 0] = /^cpu +(.*)$/m.exec(text)?.[1]
    ?.split(" ").map(Number) ?? [];
  const ns = 1e9 / TICKS_PER_S;
  return { busyNs: (user + nice + system + irq + softirq) * ns, stealNs: steal * ns };
}

export function noiseBetween(from: MachineTimes, to: MachineTimes): Noise {
  const wall = to.wallNs - from.wallNs;
  if (wall < MIN_WINDOW_NS) return { others: 0, steal: 0 };
  const others = (to.busyNs - from.busyNs - (to.ownNs - from.ownNs)) / wall;
  return { others: Math.max(0, others), steal: Math.max(0, (to.stealNs - from.stealNs) / wall) };
}
