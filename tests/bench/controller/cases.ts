/** What is measured, one function per row. */
import { TYPES } from "../../../controller/api/resource_type.ts";
import type { KubeClient } from "../../../controller/api/client.ts";
import { percentile } from "../load/result.ts";
import type { Churn } from "./churn.ts";
import type { Fleet, PushResult } from "./fleet.ts";
import { type ServiceAt, sliceObject } from "./objects.ts";
import type { ControllerProcess } from "./subject.ts";

/** One line of the table; NaN where a column says nothing. */
export interface Row {
  readonly case: string;
  readonly about: string;
  /** Whole time of the case, milliseconds. */
  readonly ms: number;
  /** Of a change: from the request to the API server until the last proxy had it. */
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly maxMs: number;
  /** CPU time of the controller, milliseconds; per change where changes are timed. */
  readonly cpuMs: number;
  /** Share of a core. */
  readonly cpuShare: number;
  /** Bytes of one proxy's message. */
  readonly bytesPerPush: number;
  readonly rssMb: number;
  readonly anonMb: number;
}

export interface Bench {
  readonly client: KubeClient;
  readonly controller: ControllerProcess;
  readonly fleet: Fleet;
}

/** When to stop: after so many changes, or so much time. */
export interface Until {
  readonly count: number;
  readonly ms: number;
}

/** Between two changes that are timed: the one before is over by then. */
const PAUSE_MS = 100;
const NOTHING = { p50Ms: NaN, p99Ms: NaN, maxMs: NaN, bytesPerPush: NaN };

/** A part of the run that is only looked at from outside. */
export async function measure(
  controller: ControllerProcess,
  name: string,
  about: string,
  work: () => Promise<unknown>,
): Promise<Row> {
  const [since, before] = [performance.now(), controller.usage()];
  await work();
  const ms = performance.now() - since;
  const { rssMb, anonMb, cpuMs } = controller.usage();
  const spent = cpuMs - before.cpuMs;
  return { case: name, about, ms, ...NOTHING, cpuMs: spent, cpuShare: spent / ms, rssMb, anonMb };
}

/** Endpoints of a Service go and come, one change after the other. */
export async function pushes(
  { client, controller, fleet }: Bench,
  name: string,
  about: string,
  service: ServiceAt,
  until: Until,
): Promise<Row> {
  const results: PushResult[] = [];
  const row = await measure(controller, name, about, async () => {
    const since = performance.now();
    // Ends with the endpoint there, or the first change of the next case would be none.
    const goesOn = (at: number) => at < until.count && performance.now() - since < until.ms;
    for (let at = 0; at % 2 === 1 || goesOn(at); at++) {
      // The last endpoint is there every other time.
      const pods = at % 2 === 0 ? service.pods.slice(0, -1) : service.pods;
      results.push(
        await fleet.push(service, async () => {
          await client.replace(TYPES.EndpointSlice, sliceObject({ ...service, pods }));
        }),
      );
      await Bun.sleep(PAUSE_MS);
    }
  });
  const sorted = Float64Array.from(results.map(({ lastMs }) => lastMs)).sort();
  const bytes = results.reduce((sum, result) => sum + result.bytes / result.proxies, 0) / results.length;
  return {
    ...row,
    p50Ms: percentile(sorted, 0.5),
    p99Ms: percentile(sorted, 0.99),
    maxMs: sorted.at(-1) ?? NaN,
    bytesPerPush: bytes,
    cpuMs: row.cpuMs / results.length,
  };
}

/** The same while pods are replaced elsewhere. */
export async function pushesUnderChurn(
  bench: Bench,
  churn: Churn,
  service: ServiceAt,
  { rate, forMs }: { readonly rate: number; readonly forMs: number },
): Promise<Row> {
  const [since, before, updates] = [performance.now(), bench.controller.usage(), bench.fleet.updates];
  churn.start(rate);
  const row = await pushes(bench, "churn", "", service, { count: Infinity, ms: forMs });
  await churn.stop();
  const ms = performance.now() - since;
  const cpuMs = bench.controller.usage().cpuMs - before.cpuMs;
  const replaced = Math.round(churn.replaced / (ms / 1000));
  const sent = Math.round((bench.fleet.updates - updates) / (ms / 1000));
  return {
    ...row,
    ms,
    cpuMs,
    cpuShare: cpuMs / ms,
    about: `${replaced} pods replaced and ${sent} snapshots sent a second`,
  };
}
