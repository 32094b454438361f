/**
 * `deno task bench:controller`: a real controller on a real API server, with many pods and many connected proxies. See
 * ../README.md.
 */
import { mkdirSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { TYPES } from "../../../controller/api/resource_type.ts";
import { ISSUER_SECRET, MESH_NAMESPACE } from "../../../controller/core/cluster_names.ts";
import { TEST_BED } from "../../kubernetes/support/test_bed.ts";
import { KubeApi } from "../../support/kube_api.ts";
import { machineText } from "../rows.ts";
import { type Bench, measure, pushes, pushesUnderChurn, type Row } from "./cases.ts";
import { Churn } from "./churn.ts";
import { Fleet, targetOf, tokensOf } from "./fleet.ts";
import { createAll, planServices, type PodAt, type ServiceAt } from "./objects.ts";
import { type ControllerBenchOptions, HELP, parseArguments } from "./options.ts";
import { podToken } from "./proxies.ts";
import { ControllerProcess } from "./subject.ts";
import { tableOf } from "./table.ts";

const options = parseArguments(process.argv.slice(2));
if (options === null || TEST_BED === null) {
  if (options === null) console.log(HELP);
  process.exitCode = options === null ? 2 : 0;
} else process.exitCode = await main(options);

async function main(options: ControllerBenchOptions): Promise<number> {
  const services = planServices(options.shape);
  await using api = await KubeApi.start();
  const since = performance.now();
  await createAll(api.client, services);
  say(`${options.shape.pods} pods in ${services.length} Services are there after ${seconds(since)}`);
  const rows: Row[] = [];
  const note = (row: Row) => {
    rows.push(row);
    say(`${row.case} done`);
  };
  await using controller = await ControllerProcess.start(api.kubeconfig, ["--log-level", "warn"]);
  const { rssMb, anonMb, cpuMs } = controller.usage();
  const none = { p50Ms: NaN, p99Ms: NaN, maxMs: NaN, bytesPerPush: NaN };
  const readyMs = controller.readyMs;
  const about = "from exec until ready, with all objects there";
  note({ case: "start", about, ms: readyMs, ...none, cpuMs, cpuShare: cpuMs / readyMs, rssMb, anonMb });

  const pods = proxyPods(services, options.proxies);
  const tokens = await tokensOf(pods, (pod) => podToken(api.client, pod));
  using fleet = new Fleet({
    port: controller.port,
    roots: await rootsOf(api),
    pods,
    tokens,
    targetsOf: (_, at) => targetsOf(services, at, options.targets),
  });
  note(
    await measure(
      controller,
      "connect",
      `${pods.length} proxies, from nothing until each has all`,
      () => fleet.connect(),
    ),
  );
  note(await measure(controller, "idle", "nothing changes", () => Bun.sleep(5000)));
  const bench: Bench = { client: api.client, controller, fleet };
  const [everyones, one] = services;
  if (everyones === undefined || one === undefined) throw new Error("want two Services at least");
  const until = { count: options.pushes, ms: Infinity };
  const watchers = (service: ServiceAt) =>
    fleet.proxies.filter(({ targets }) => targets.includes(targetOf(service))).length;
  note(await pushes(bench, "push", `a Service that ${watchers(one)} proxies watch`, one, until));
  const all = `a Service that ${watchers(everyones)} proxies watch`;
  note(await pushes(bench, "push-all", all, everyones, until));
  const churn = new Churn(api.client, services.slice(2), new Set(pods));
  note(await pushesUnderChurn(bench, churn, one, { rate: options.churnRate, forMs: options.churnMs }));
  note(await measure(controller, "after", "5 s after the churn", () => Bun.sleep(5000)));

  say(`\n${tableOf(rows)}`);
  if (options.json !== null) {
    mkdirSync(dirname(options.json), { recursive: true });
    const { shape, proxies, targets } = options;
    const report = {
      machine: machineText(),
      date: new Date().toISOString(),
      shape: { ...shape, proxies, targets },
      rows,
    };
    writeFileSync(options.json, JSON.stringify(report, null, 1) + "\n");
  }
  return 0;
}

/** The first pods of each Service, as evenly as it goes. */
function proxyPods(services: readonly ServiceAt[], count: number): PodAt[] {
  const found: PodAt[] = [];
  for (let index = 0; found.length < count; index++) {
    for (const { pods } of services) {
      const pod = pods[index];
      if (pod !== undefined && found.length < count) found.push(pod);
    }
  }
  return found;
}

/** The Service that all watch, and others spread evenly. */
function targetsOf(services: readonly ServiceAt[], proxy: number, count: number): string[] {
  const found = new Set<number>([0]);
  for (let step = 0; found.size < count; step++) found.add((proxy * 7 + step * 29) % services.length);
  return [...found].map((at) => services[at]).filter((service) => service !== undefined).map(targetOf);
}

async function rootsOf(api: KubeApi): Promise<string> {
  const secret = await api.client.get(TYPES.Secret, MESH_NAMESPACE, ISSUER_SECRET);
  const { "tls.crt": root = "" } = secret["data"] as Readonly<Record<string, string>>; // by the API's schema
  return Buffer.from(root, "base64").toString("utf8");
}

function say(line: string): void {
  console.log(line);
}

function seconds(since: number): string {
  return `${((performance.now() - since) / 1000).toFixed(1)} s`;
}
