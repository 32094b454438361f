/** `tulle stat`: the golden numbers of workloads and routes. */
import { type Output, parseDurationOption, parseOutput, runCommand, teachingCommand } from "./_command.ts";
import { type KnownProxy, runInside } from "./find_mesh.ts";
import { findTargets, type Targets } from "./targets.ts";
import { LiveView } from "./up/live_view.ts";
import { isWanted, MeshStats, type Scrape } from "./up/mesh_stats.ts";
import { fetchText } from "./up/probe.ts";
import { parsePrometheusText } from "./up/prometheus_text.ts";
import { renderTable } from "./up/stats_table.ts";

/** Port of a sidecar's metrics. */
const ADMIN_PORT = 4191;
/** Width of the table when it does not go to a terminal. */
const DEFAULT_WIDTH = 160;

interface StatOptions {
  readonly address?: readonly string[];
  readonly state?: string;
  readonly watch?: true;
  readonly interval: number;
  readonly output: Output;
}

/** Shows success rate, rate, latency and the share of mutual TLS, between two looks at the sidecars' metrics. */
export async function runStat(argv: readonly string[]): Promise<void> {
  const command = teachingCommand(
    "stat",
    "Success rate, requests per second, latency (p50, p95, p99) and share of mutual TLS of workloads and routes. " +
      "→ is what a workload sends, ← what it receives. The numbers are of the time between two looks.",
    [
      "tulle stat                             all workloads of the mesh that runs on this machine",
      "tulle stat front catalogue-0           these only (a workload, or one instance)",
      "tulle stat -w                          live, until Ctrl-C",
      "tulle stat --interval 10s -o json      one look, ten seconds long, for a script",
      "tulle stat --address 10.77.0.12:4191   a sidecar by the address of its admin server",
    ],
  )
    .argument("[workloads...]", 'workloads or instances, such as "front", "shop/front" or "front-0.shop"; none: all')
    .option("--address <address...>", "admin servers to ask instead of looking for a mesh")
    .option("--state <folder>", "state folder of the mesh that is meant, when several run")
    .option("-w, --watch", "go on until Ctrl-C; with -o json a line for each look")
    .option("--interval <time>", "time between two looks", parseDurationOption, 2000)
    .option("-o, --output <form>", "table or json", parseOutput, "table")
    .action((words: string[], options: StatOptions) => show(argv, words, options));
  await runCommand(command, argv);
}

async function show(argv: readonly string[], words: readonly string[], options: StatOptions): Promise<void> {
  const targets = findTargets(options, words, ADMIN_PORT);
  const status = targets.mesh === null ? null : await runInside(targets.mesh, ["stat", ...argv]);
  if (status !== null) process.exitCode = status;
  else if (options.watch === true) await watch(targets, options);
  else await look(targets, options);
}

async function look(targets: Targets, options: StatOptions): Promise<void> {
  const stats = new MeshStats();
  stats.look(await scrape(targets.proxies), performance.now());
  await Bun.sleep(options.interval);
  const rows = stats.look(await scrape(targets.proxies), performance.now());
  if (options.output === "json") process.stdout.write(JSON.stringify({ intervalMs: options.interval, rows }) + "\n");
  else if (rows.length === 0) process.stdout.write("no traffic yet\n");
  else process.stdout.write(renderTable(rows, process.stdout.columns ?? DEFAULT_WIDTH).join("\n") + "\n");
}

async function watch(targets: Targets, options: StatOptions): Promise<void> {
  const view = new LiveView(options.output);
  let isOver = false;
  const { promise: over, resolve } = Promise.withResolvers<void>();
  for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => (isOver = true, resolve()));
  while (!isOver) {
    view.show(await scrape(targets.proxies));
    await Promise.race([Bun.sleep(options.interval), over]);
  }
  view.finish();
  // A sleep that lost the race must not keep the terminal waiting.
  process.exit(0);
}

/** Asks all proxies. Those that do not answer are named on stderr; when none does, that is an error. */
async function scrape(proxies: readonly KnownProxy[]): Promise<Scrape[]> {
  const texts = await Promise.all(proxies.map((proxy) => fetchText(`${proxy.admin}/metrics`)));
  const silent = proxies.filter((_, i) => texts[i] === null).map((proxy) => `${proxy.key} (${proxy.admin})`);
  if (silent.length === proxies.length) throw new Error(`no answer from ${silent.join(", ")}: is it running?`);
  if (silent.length > 0) process.stderr.write(`no answer from ${silent.join(", ")}\n`);
  return proxies.flatMap(({ key, workload }, i) => {
    const text = texts[i] ?? null;
    return text === null ? [] : [{ key, workload, samples: parsePrometheusText(text, isWanted) }];
  });
}
