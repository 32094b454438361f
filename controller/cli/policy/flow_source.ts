/** Facts of who calls whom, from all sidecars of a mesh. */
import { readFileSync } from "node:fs";
import { errorText, UsageError } from "../../../src/base/error.ts";
import type { FlowFact } from "../../../src/proxy/explain.ts";
import { openCluster } from "../_kube_options.ts";
import { findPods } from "../cluster_targets.ts";
import { execInSidecar } from "../exec_in_sidecar.ts";
import type { KnownMesh } from "../find_mesh.ts";
import { fetchText } from "../up/probe.ts";
import { localMesh, type MeshOptions } from "./_mesh_options.ts";

/** Port of a sidecar's admin server. */
const ADMIN_PORT = 4191;

/** What one sidecar has seen. */
export interface WorkloadFlows {
  /** "shop/web-0" */
  readonly workload: string;
  readonly flows: readonly FlowFact[];
  /** Of how much nothing was kept. */
  readonly dropped: number;
}

export interface FlowOptions extends MeshOptions {
  /** A file of `tulle policy flows`, or "-". */
  readonly flows?: string;
  readonly address?: readonly string[];
}

/**
 * Asks every sidecar; those that do not answer are named on stderr.
 * @throws UsageError for a file that is none, Error when nobody answers
 */
export async function collectFlows(options: FlowOptions): Promise<readonly WorkloadFlows[]> {
  if (options.flows !== undefined) return readFlows(options.flows);
  if (options.address !== undefined) {
    return await askAll(options.address.map((each) => [each, () => askAdmin(`http://${each}`)]));
  }
  const mesh = localMesh(options);
  return mesh === null ? await askCluster(options) : await askMesh(mesh);
}

async function askMesh({ proxies }: KnownMesh): Promise<WorkloadFlows[]> {
  return await askAll(proxies.map(({ key, admin }) => [key, () => askAdmin(admin)]));
}

async function askCluster(options: FlowOptions): Promise<WorkloadFlows[]> {
  const { pods } = await findPods(openCluster(options), null, []);
  return await askAll(pods.map((pod) => [`${pod.namespace}/${pod.name}`, async () => {
    const text = await execInSidecar(options, pod, ["policy", "flows", "--address", `127.0.0.1:${ADMIN_PORT}`]);
    return (JSON.parse(text) as WorkloadFlows[])[0] ?? null; // our own binary's
  }]));
}

async function askAdmin(admin: string): Promise<WorkloadFlows | null> {
  const text = await fetchText(`${admin}/flows`);
  if (text === null) return null;
  const { workload, threads } = JSON.parse(text) as { workload: string; threads: Omit<WorkloadFlows, "workload">[] }; // our own proxy's
  return {
    workload,
    flows: threads.flatMap(({ flows }) => flows),
    dropped: threads.reduce((sum, { dropped }) => sum + dropped, 0),
  };
}

async function askAll(
  asked: readonly (readonly [string, () => Promise<WorkloadFlows | null>])[],
): Promise<WorkloadFlows[]> {
  const silent: string[] = [];
  const answers = await Promise.all(asked.map(async ([name, ask]) => {
    try {
      const answer = await ask();
      if (answer === null) silent.push(name);
      return answer;
    } catch (error) {
      silent.push(`${name} (${errorText(error)})`);
      return null;
    }
  }));
  const found = answers.filter((answer) => answer !== null);
  if (found.length === 0) {
    throw new Error(asked.length === 0 ? "there is no sidecar to ask" : `no answer from ${silent.join(", ")}`);
  }
  if (silent.length > 0) {
    process.stderr.write(`no answer from ${silent.join(", ")}: what they have seen is not counted\n`);
  }
  return found;
}

function readFlows(file: string): WorkloadFlows[] {
  let value: unknown;
  try {
    value = JSON.parse(readFileSync(file === "-" ? 0 : file, "utf8"));
  } catch (error) {
    throw new UsageError(`--flows ${file}: ${errorText(error)}`);
  }
  const isOurs = Array.isArray(value) &&
    value.every((each) => typeof each?.workload === "string" && Array.isArray(each.flows));
  if (!isOurs) throw new UsageError(`--flows ${file}: want what \`tulle policy flows\` prints`);
  return value as WorkloadFlows[]; // just checked as far as it is used
}
