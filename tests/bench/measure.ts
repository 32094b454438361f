/** One run of one load against one subject: rate, CPU per unit of work and process, latencies, memory. */
import { cpuNs, type Memory, memory } from "../support/proc.ts";
import { type Case, type Load, protocolOf } from "./cases.ts";
import { runH2load } from "./load/h2load.ts";
import type { LoadResult, Marks } from "./load/result.ts";
import { runScript } from "./load/scripts.ts";
import { LOAD_CORE, type Rig, type Subject, type Target } from "./rig.ts";

export interface Measurement {
  /** In the unit of the case. */
  readonly rate: number;
  /** CPU per request or round trip; per MB for bulk transfer. User and system, microseconds. */
  readonly cpuUsA: number;
  readonly cpuUsB: number;
  readonly p50Us: number;
  readonly p99Us: number;
  /** Of one proxy: of a pair the larger, by private memory. */
  readonly rssMb: number;
  readonly anonMb: number;
  readonly failed: number;
  /** Share of its core that the proxies used. */
  readonly busy: number;
}

/** Time for one TLS handshake before the measured time, milliseconds; wide, for busy machines. */
const HANDSHAKE_MS = 3;

export interface RunTimes {
  readonly warmMs: number;
  readonly runMs: number;
}

/** Runs the case's load once. Null when the subject cannot do its protocol; throws when the load breaks off. */
export async function measure(rig: Rig, subject: Subject, load: Load, times: RunTimes): Promise<Measurement | null> {
  const protocol = protocolOf(load);
  const target = subject.target(protocol);
  if (target === null) return null;
  const sides = subject.sides(protocol);
  const cpu = { a: 0, b: 0, wallNs: 0 };
  const marks: Marks = {
    begin() {
      cpu.a = -cpuNs(sides.a);
      cpu.b = -cpuNs(sides.b);
      cpu.wallNs = -Bun.nanoseconds();
    },
    end() {
      cpu.a += cpuNs(sides.a);
      cpu.b += cpuNs(sides.b);
      cpu.wallNs += Bun.nanoseconds();
    },
  };
  const result = await generate(rig, load, target, times, marks);
  if (result.count === 0 && load.kind !== "idle") throw new Error("nothing was answered");
  const bulk = load.kind === "bulk";
  const work = Math.max(1, bulk ? result.count / 1e6 : result.count);
  return {
    rate: (bulk ? result.count / 1e9 : result.count) / result.seconds,
    cpuUsA: cpu.a / 1000 / work,
    cpuUsB: cpu.b / 1000 / work,
    p50Us: result.p50Us,
    p99Us: result.p99Us,
    ...largest(memory(sides.a), memory(sides.b)),
    failed: result.failed,
    busy: cpu.wallNs > 0 ? (cpu.a + cpu.b) / cpu.wallNs : 0,
  };
}

function largest(a: Memory, b: Memory): Memory {
  return b.anonMb > a.anonMb ? b : a;
}

async function generate(rig: Rig, load: Load, target: Target, times: RunTimes, marks: Marks): Promise<LoadResult> {
  const { runMs } = times;
  // Handshakes belong to the time before: HAProxy and nghttpx take 1.3 ms of CPU for one.
  const handshakesMs = target.tls && load.kind === "http" ? load.clients * HANDSHAKE_MS : 0;
  const warmMs = times.warmMs + handshakesMs;
  const script = { core: LOAD_CORE, limitMs: warmMs + runMs + 15_000 };
  const { host, port } = target;
  switch (load.kind) {
    case "http": {
      // Client and proxy see a name by SNI only when the URL has one; an address does as well for all proxies here.
      const url = `${target.tls ? "https" : "http"}://${host}:${port}${load.path}`;
      const log = `${rig.dir}/h2load.log`;
      const { protocol, clients, streams } = load;
      if (protocol === "opaque") throw new Error("HTTP load on an opaque port");
      return await runH2load({ url, protocol, clients, streams, warmMs, runMs, core: LOAD_CORE, log }, marks);
    }
    case "open": {
      const args = [load.protocol, host, port, load.path, load.ratePerS, load.clients, warmMs, runMs];
      return await runScript("open_loop.ts", args, script, marks);
    }
    case "bulk":
      return await runScript("opaque_client.ts", [load.direction, host, port, warmMs, runMs, 1, 1], script, marks);
    case "pingpong":
      return await runScript(
        "opaque_client.ts",
        ["ping", host, port, warmMs, runMs, load.clients, load.bytes],
        script,
        marks,
      );
    case "idle":
      marks.begin();
      marks.end();
      return { count: 0, seconds: 1, failed: 0, p50Us: NaN, p99Us: NaN };
  }
}

/** Cases whose load is the same share a base: what the client and the backend do without a proxy. */
export function loadKey(item: Case): string {
  return JSON.stringify(item.load);
}
