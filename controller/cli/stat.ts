/** `tulle stat`: the golden numbers of workloads and routes. */
import { type Output, parseDurationOption, parseOutput, runCommand, teachingCommand } from "./_command.ts";
import { openCluster, withKubeOptions } from "./_kube_options.ts";
import type { KubeClient } from "../api/client.ts";
import { ADMIN_PORT } from "../core/sidecar_ports.ts";
import { findPods, isAboutCluster, namespaceOf, readSidecarMetrics, type ScopeOptions } from "./cluster_targets.ts";
import { type KnownProxy, runInside } from "./find_mesh.ts";
import { findTargets } from "./targets.ts";
import { LiveView } from "./up/live_view.ts";
import { isWanted, MeshStats, type Scrape } from "./up/mesh_stats.ts";
import { fetchText } from "./up/probe.ts";
import { parsePrometheusText } from "./up/prometheus_text.ts";
import { renderTable } from "./up/stats_table.ts";

/** Width of the table when it does not go to a terminal. */
const DEFAULT_WIDTH = 160;

interface StatOptions extends ScopeOptions {
  readonly address?: readonly string[];
  readonly state?: string;
  readonly watch?: true;
  readonly interval: number;
  readonly output: Output;
}

/** A sidecar whose metrics are shown under a name. */
interface Source {
  readonly key: string;
  readonly workload: string;
  /** null: no answer. */
  readonly read: () => Promise<string | null>;
}

/** Shows success rate, rate, latency and the share of mutual TLS, between two looks at the sidecars' metrics. */
export async function runStat(argv: readonly string[]): Promise<void> {
  const command = withKubeOptions(teachingCommand(
    "stat",
    "Success rate, requests per second, latency (p50, p95, p99) and share of mutual TLS of workloads and routes. " +
      "→ is what a workload sends, ← what it receives. The numbers are of the time between two looks.",
    [
      "tulle stat                             all workloads of the mesh that runs on this machine",
      "tulle stat front catalogue-0           these only (a workload, or one instance)",
      "tulle stat -w                          live, until Ctrl-C",
      "tulle stat --interval 10s -o json      one look, ten seconds long, for a script",
      "tulle stat --address 10.77.0.12:4191   a sidecar by the address of its admin server",
      "tulle stat deploy -n shop              the Deployments of a namespace of a cluster",
      "tulle stat deploy/web pod/db-0 -n shop these only; -A for all namespaces",
    ],
  ))
    .argument(
      "[workloads...]",
      'on this machine: workloads or instances, such as "front", "shop/front" or "front-0.shop"; in a cluster: kinds and names as for kubectl; none: all',
    )
    .option("-n, --namespace <name>", "a namespace of the cluster")
    .option("-A, --all-namespaces", "all namespaces of the cluster")
    .option("--address <address...>", "admin servers to ask instead of looking for a mesh")
    .option("--state <folder>", "state folder of the mesh that is meant, when several run")
    .option("-w, --watch", "go on until Ctrl-C; with -o json a line for each look")
    .option("--interval <time>", "time between two looks", parseDurationOption, 2000)
    .option("-o, --output <form>", "table or json", parseOutput, "table")
    .action((words: string[], options: StatOptions) => show(argv, words, options));
  await runCommand(command, argv);
}

async function show(argv: readonly string[], words: readonly string[], options: StatOptions): Promise<void> {
  if (isAboutCluster(words, options)) {
    const client = openCluster(options);
    // Pods come and go between two looks.
    return await run(() => clusterSources(client, words, options), options);
  }
  const targets = findTargets(options, words, ADMIN_PORT);
  const status = targets.mesh === null ? null : await runInside(targets.mesh, ["stat", ...argv]);
  if (status !== null) process.exitCode = status;
  else await run(() => Promise.resolve(targets.proxies.map(localSource)), options);
}

function localSource({ key, workload, admin }: KnownProxy): Source {
  return { key, workload, read: () => fetchText(`${admin}/metrics`) };
}

async function clusterSources(client: KubeClient, words: readonly string[], options: StatOptions): Promise<Source[]> {
  const namespace = namespaceOf(client, options);
  const { pods, isByPod } = await findPods(client, namespace, words);
  if (pods.length === 0) {
    const where = namespace === null ? "the cluster" : `namespace ${namespace}`;
    throw new Error(
      `no meshed pod is in ${where}: annotate it with tulle.dev/inject=enabled and restart its workloads`,
    );
  }
  return pods.map((pod) => {
    const workload = isByPod ? `${pod.namespace}/${pod.name}` : `${pod.namespace}/${pod.workload}`;
    return { key: workload, workload, read: () => readSidecarMetrics(client, pod).catch(() => null) };
  });
}

type Find = () => Promise<readonly Source[]>;

async function run(find: Find, options: StatOptions): Promise<void> {
  if (options.watch === true) await watch(find, options);
  else await look(find, options);
}

async function look(find: Find, options: StatOptions): Promise<void> {
  const stats = new MeshStats();
  const sources = await find();
  stats.look(await scrape(sources), performance.now());
  await Bun.sleep(options.interval);
  const rows = stats.look(await scrape(sources), performance.now());
  if (options.output === "json") process.stdout.write(JSON.stringify({ intervalMs: options.interval, rows }) + "\n");
  else if (rows.length === 0) process.stdout.write("no traffic yet\n");
  else process.stdout.write(renderTable(rows, process.stdout.columns ?? DEFAULT_WIDTH).join("\n") + "\n");
}

async function watch(find: Find, options: StatOptions): Promise<void> {
  const view = new LiveView(options.output);
  let isOver = false;
  const { promise: over, resolve } = Promise.withResolvers<void>();
  for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => (isOver = true, resolve()));
  while (!isOver) {
    view.show(await scrape(await find()));
    await Promise.race([Bun.sleep(options.interval), over]);
  }
  view.finish();
  // A sleep that lost the race must not keep the terminal waiting.
  process.exit(0);
}

/** Asks all proxies. Those that do not answer are named on stderr; when none does, that is an error. */
async function scrape(sources: readonly Source[]): Promise<Scrape[]> {
  const texts = await Promise.all(sources.map(({ read }) => read()));
  const silent = sources.filter((_, i) => texts[i] === null).map(({ key }) => key);
  if (silent.length === sources.length) throw new Error(`no answer from ${silent.join(", ")}: is it running?`);
  if (silent.length > 0) process.stderr.write(`no answer from ${silent.join(", ")}\n`);
  return sources.flatMap(({ key, workload }, i) => {
    const text = texts[i] ?? null;
    return text === null ? [] : [{ key, workload, samples: parsePrometheusText(text, isWanted) }];
  });
}
