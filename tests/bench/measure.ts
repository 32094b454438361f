/** One run of one load against one subject: rate, CPU per unit of work and side, latencies, memory, and the noise beside. */
import { join } from "node:path";
import { cpuNs, type Memory, memory } from "../support/proc.ts";
import { type Load, protocolOf } from "./cases.ts";
import { runH2load } from "./load/h2load.ts";
import { type Latency, type LoadResult, type Marks, NO_LATENCY } from "./load/result.ts";
import { runScript, type Script } from "./load/scripts.ts";
import { machineTimes, type Noise, noiseBetween } from "./noise.ts";
import { LOAD_CORE, type Rig, type Subject, type Target } from "./rig.ts";

export interface Measurement extends Latency, Noise {
  /** In the unit of the case. */
  readonly rate: number;
  /** CPU per request, message, connection or round trip; per MB for bulk transfer. User and system, microseconds. */
  readonly cpuUsA: number;
  readonly cpuUsB: number;
  /** Of one proxy: of a pair the larger, by private memory. Read while the load's connections are still open. */
  readonly rssMb: number;
  readonly anonMb: number;
  readonly failed: number;
  /** Share of their core that the proxies used. */
  readonly busy: number;
}

/** Time for one TLS handshake before the measured time, milliseconds; wide, for busy machines. */
const HANDSHAKE_MS = 3;
/** Time for a generator to connect and to end, besides the measured time. */
const GRACE_MS = 15_000;
/** Time to open an idle connection through two sidecars, milliseconds; wide, as above. */
const OPEN_MS = 5;

export interface RunTimes {
  readonly warmMs: number;
  readonly runMs: number;
}

/** The load with its rate as a number. */
export type FixedLoad = Exclude<Load, { kind: "open" }> | (Extract<Load, { kind: "open" }> & { readonly rate: number });

/** Runs the load once. Null when the subject cannot do its protocol; throws when the load breaks off. */
export async function measure(
  rig: Rig,
  subject: Subject,
  load: FixedLoad,
  times: RunTimes,
): Promise<Measurement | null> {
  const protocol = protocolOf(load);
  const target = subject.target(protocol);
  if (target === null) return null;
  if (load.kind === "ready") return await measureReady(subject);
  const sides = subject.sides(protocol);
  const cpu = { a: 0, b: 0, wallNs: 0 };
  let machine = machineTimes(process.pid);
  let noise: Noise = { others: 0, steal: 0 };
  let used: Memory = { rssMb: 0, anonMb: 0 };
  const marks: Marks = {
    begin() {
      machine = machineTimes(process.pid);
      cpu.a = -cpuNs(sides.a);
      cpu.b = -cpuNs(sides.b);
      cpu.wallNs = -Bun.nanoseconds();
    },
    end() {
      cpu.a += cpuNs(sides.a);
      cpu.b += cpuNs(sides.b);
      cpu.wallNs += Bun.nanoseconds();
      used = largest(memory(sides.a), memory(sides.b));
      noise = noiseBetween(machine, machineTimes(process.pid));
    },
  };
  const result = await generate(rig, load, target, times, marks);
  if (result.count === 0 && load.kind !== "idle") throw new Error("nothing was answered");
  const bulk = load.kind === "bulk";
  const work = Math.max(1, bulk ? result.count / 1e6 : result.count);
  const { p50Us, p99Us, p999Us, curveUs } = result;
  return {
    rate: load.kind === "held" ? result.count : (bulk ? result.count / 1e9 : result.count) / result.seconds,
    cpuUsA: cpu.a / 1000 / work,
    cpuUsB: cpu.b / 1000 / work,
    ...{ p50Us, p99Us, p999Us, curveUs },
    ...used,
    ...noise,
    failed: result.failed,
    busy: cpu.wallNs > 0 ? (cpu.a + cpu.b) / cpu.wallNs : 0,
  };
}

/** Starts one more proxy, and takes the time until it serves as the latency. */
async function measureReady(subject: Subject): Promise<Measurement | null> {
  if (subject.startAnother === undefined) return null;
  const before = machineTimes(process.pid);
  const us = await subject.startAnother() * 1000;
  const noise = noiseBetween(before, machineTimes(process.pid));
  const latency = { p50Us: us, p99Us: us, p999Us: us, curveUs: [] };
  return { rate: 0, cpuUsA: 0, cpuUsB: 0, ...latency, rssMb: 0, anonMb: 0, failed: 0, busy: 0, ...noise };
}

function largest(a: Memory, b: Memory): Memory {
  return b.anonMb > a.anonMb ? b : a;
}

async function generate(rig: Rig, load: FixedLoad, target: Target, times: RunTimes, marks: Marks): Promise<LoadResult> {
  const { runMs } = times;
  // Handshakes belong to the time before: HAProxy and nghttpx take 1.3 ms of CPU for one.
  const handshakesMs = target.tls && "clients" in load && load.kind !== "connections" ? load.clients * HANDSHAKE_MS : 0;
  const warmMs = times.warmMs + handshakesMs;
  const { host, port, tls } = target;
  const run = (script: Script, args: readonly (string | number)[], extraMs = 0) => {
    const limitMs = warmMs + runMs + extraMs + GRACE_MS;
    return runScript(script, args, { core: LOAD_CORE, limitMs, say: rig.say }, marks);
  };
  switch (load.kind) {
    case "http": {
      // Client and proxy see a name by SNI only when the URL has one; an address does as well for all proxies here.
      const url = `${tls ? "https" : "http"}://${host}:${port}${load.path}`;
      const { protocol, clients, streams } = load;
      const log = join(rig.dir, "h2load.log");
      return await runH2load({ url, protocol, clients, streams, warmMs, runMs, core: LOAD_CORE, log }, marks);
    }
    case "loop":
      return await run("closed_loop.ts", [load.mode, host, port, +tls, load.clients, load.streams, warmMs, runMs]);
    case "open":
      return await run("open_loop.ts", [load.protocol, host, port, load.path, load.rate, load.clients, warmMs, runMs]);
    case "connections": {
      const mode = load.protocol === "opaque" ? "opaque" : tls ? "tls" : "h1";
      return await run("connect_loop.ts", [mode, host, port, load.clients, warmMs, runMs]);
    }
    case "bulk":
      return await run("opaque_client.ts", [load.direction, host, port, warmMs, runMs, 1, 1]);
    case "pingpong":
      return await run("opaque_client.ts", ["ping", host, port, warmMs, runMs, load.clients, load.bytes]);
    case "held":
      return await run("hold_connections.ts", [host, port, load.connections, runMs], load.connections * OPEN_MS);
    case "idle":
    case "ready":
      marks.begin();
      marks.end();
      return { count: 0, seconds: 1, failed: 0, ...NO_LATENCY };
  }
}
