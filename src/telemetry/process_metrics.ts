/** `process_*`: what the kernel says of this process, with the names that Prometheus' client libraries use. */
import { listFolder, readText } from "../os/files.ts";
import type { Registry } from "./registry.ts";

/** Clock ticks a second in /proc/self/stat: USER_HZ, 100 on every Linux that this runs on. */
const TICKS_PER_SECOND = 100;

/** What is read. */
export interface ProcessSample {
  readonly cpuSeconds: number;
  readonly residentBytes: number;
  /** Private memory: the rest of the resident pages are shared with other processes of the same binary. */
  readonly privateBytes: number;
  readonly virtualBytes: number;
  readonly openFds: number;
  readonly maxFds: number;
}

/** Registers the gauges; /proc is read at each scrape and at no other time. */
export function registerProcessMetrics(registry: Registry, read: () => ProcessSample = readProcess): void {
  const startSeconds = registry.gauge("process_start_time_seconds", "Start of this process, seconds since 1970.");
  registry.set(registry.open(startSeconds, []), Math.round(performance.timeOrigin / 1000));
  const cpu = registry.counter("process_cpu_seconds_total", "CPU time used, user and system.");
  const gauges: readonly (readonly [keyof ProcessSample, number])[] = [
    ["cpuSeconds", registry.open(cpu, [])],
    ["residentBytes", openGauge(registry, "process_resident_memory_bytes", "Resident memory.")],
    [
      "privateBytes",
      openGauge(registry, "process_private_memory_bytes", "Resident memory that no other process shares."),
    ],
    ["virtualBytes", openGauge(registry, "process_virtual_memory_bytes", "Virtual memory.")],
    ["openFds", openGauge(registry, "process_open_fds", "Open file descriptors.")],
    ["maxFds", openGauge(registry, "process_max_fds", "Limit of open file descriptors.")],
  ];
  registry.onCollect(() => {
    const sample = read();
    for (const [field, handle] of gauges) registry.set(handle, sample[field]);
  });
}

/** Reads /proc/self. What cannot be read is 0: metrics must not fail where /proc is restricted. */
export function readProcess(): ProcessSample {
  const stat = textOf("/proc/self/stat");
  // The name in brackets may hold blanks; fields count from behind it, the third (state) being index 0.
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  const status = textOf("/proc/self/status");
  return {
    cpuSeconds: (numberAt(fields, 11) + numberAt(fields, 12)) / TICKS_PER_SECOND,
    residentBytes: kibibytes(status, "VmRSS") * 1024,
    privateBytes: kibibytes(status, "RssAnon") * 1024,
    virtualBytes: numberAt(fields, 20),
    openFds: countFds(),
    maxFds: Number(/^Max open files\s+(\d+)/m.exec(textOf("/proc/self/limits"))?.[1] ?? 0),
  };
}

function openGauge(registry: Registry, name: string, help: string): number {
  return registry.open(registry.gauge(name, help), []);
}

function kibibytes(status: string, key: string): number {
  return Number(new RegExp(`^${key}:\\s+(\\d+) kB`, "m").exec(status)?.[1] ?? 0);
}

function numberAt(fields: readonly string[], index: number): number {
  const value = Number(fields[index] ?? 0);
  return Number.isFinite(value) ? value : 0;
}

function countFds(): number {
  try {
    // One of them is the directory that is being read.
    return listFolder("/proc/self/fd").length - 1;
  } catch {
    return 0;
  }
}

function textOf(path: string): string {
  try {
    return readText(path);
  } catch {
    return "";
  }
}
