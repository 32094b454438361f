/** What sidecars say of themselves. */
import { errorText, UsageError } from "../../../src/base/error.ts";
import type { MeshedPod, ScopeOptions } from "../cluster_targets.ts";
import { findPods, isAboutCluster, namespaceOf, readSidecarMetrics } from "../cluster_targets.ts";
import { openCluster } from "../_kube_options.ts";
import { ADMIN_PORT } from "../../core/sidecar_ports.ts";
import { execInSidecar } from "../exec_in_sidecar.ts";
import { runInside } from "../find_mesh.ts";
import { findTargets } from "../targets.ts";
import { fetchText } from "../up/probe.ts";

export interface SidecarOptions extends ScopeOptions {
  readonly address?: readonly string[];
  readonly state?: string;
}

type Subject = "config" | "metrics";

/** One answer; null: none. */
interface Answer {
  readonly key: string;
  readonly text: string | null;
  /** Why there is none. */
  readonly reason: string;
}

/**
 * Prints the answers: of one sidecar as it came, of several with their names (JSON: an object by name). Those that do not
 * answer are named on stderr, and the command ends with 1.
 */
export async function showSidecars(
  subject: Subject,
  names: readonly string[],
  options: SidecarOptions,
  argv: readonly string[],
): Promise<void> {
  const answers = await ask(subject, names, options, argv);
  if (answers === null) return;
  const found = answers.filter((answer): answer is Answer & { text: string } => answer.text !== null);
  for (const { key, text, reason } of answers) {
    if (text === null) process.stderr.write(`no answer from ${key}: ${reason}\n`);
  }
  if (found.length < answers.length) process.exitCode = 1;
  const [only] = found;
  if (found.length === 1 && only !== undefined) process.stdout.write(only.text);
  else if (subject === "metrics") {
    process.stdout.write(found.map(({ key, text }) => `# sidecar of ${key}\n${text}`).join("\n"));
  } else if (found.length > 1) {
    const byName = Object.fromEntries(found.map(({ key, text }) => [key, JSON.parse(text) as unknown]));
    process.stdout.write(`${JSON.stringify(byName, null, 2)}\n`);
  }
}

/** @returns null when another process, inside the mesh, has printed the answers */
async function ask(
  subject: Subject,
  names: readonly string[],
  options: SidecarOptions,
  argv: readonly string[],
): Promise<readonly Answer[] | null> {
  if (isAboutCluster(names, options)) {
    const client = openCluster(options);
    const { pods } = await findPods(client, namespaceOf(client, options), names);
    if (pods.length === 0) throw new UsageError("no meshed pod runs there: see kubectl get pods -l tulle.dev/meshed");
    return await Promise.all(pods.map((pod) => {
      const read = subject === "metrics" ? readSidecarMetrics(client, pod) : sidecarConfig(options, pod);
      return answerOf(`${pod.namespace}/${pod.name}`, read);
    }));
  }
  const { mesh, proxies } = findTargets(options, names, ADMIN_PORT);
  const status = mesh === null ? null : await runInside(mesh, ["diagnostics", ...argv]);
  if (status !== null) {
    process.exitCode = status;
    return null;
  }
  return await Promise.all(proxies.map(async ({ key, admin }) => {
    const text = await fetchText(`${admin}/${subject}`);
    return { key, text, reason: "is it running, and may this address ask? /config is for loopback and named networks" };
  }));
}

/** What a sidecar runs with: its admin server tells loopback alone, so it is asked from beside it. @throws Error */
export function sidecarConfig(
  options: ScopeOptions,
  pod: Pick<MeshedPod, "namespace" | "name">,
): Promise<string> {
  return execInSidecar(options, pod, ["diagnostics", "config", "--address", `127.0.0.1:${ADMIN_PORT}`]);
}

async function answerOf(key: string, read: Promise<string>): Promise<Answer> {
  try {
    return { key, text: await read, reason: "" };
  } catch (error) {
    if (error instanceof UsageError) throw error;
    return { key, text: null, reason: errorText(error) };
  }
}
