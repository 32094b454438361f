/** Sidecars of a cluster that a command is about, named as for kubectl: `deploy`, `deploy/web`, `pod/web-0`, `web`, with -n or -A. */
import { UsageError } from "../../src/base/error.ts";
import { suggest } from "../../src/base/suggest.ts";
import type { KubeClient, KubeObject } from "../api/client.ts";
import { TYPES } from "../api/resource_type.ts";
import { SIDECAR_CONTAINER } from "../core/cluster_names.ts";
import { ADMIN_PORT } from "../core/sidecar_ports.ts";
import type { KubeOptions } from "./_kube_options.ts";

/** A meshed pod, and what made it. */
export interface MeshedPod {
  readonly namespace: string;
  readonly name: string;
  /** Of the top owner: Deployment, StatefulSet, DaemonSet, Job, CronJob; Pod for one without. */
  readonly kind: string;
  readonly workload: string;
}

export interface ClusterTargets {
  readonly pods: readonly MeshedPod[];
  /** True when single pods were asked for: then they are shown one by one. */
  readonly isByPod: boolean;
}

const KINDS: Readonly<Record<string, string>> = {
  deploy: "Deployment",
  deployment: "Deployment",
  deployments: "Deployment",
  sts: "StatefulSet",
  statefulset: "StatefulSet",
  statefulsets: "StatefulSet",
  ds: "DaemonSet",
  daemonset: "DaemonSet",
  daemonsets: "DaemonSet",
  job: "Job",
  jobs: "Job",
  cronjob: "CronJob",
  cronjobs: "CronJob",
  po: "Pod",
  pod: "Pod",
  pods: "Pod",
};

/** Options that choose the pods of a cluster. */
export interface ScopeOptions extends KubeOptions {
  readonly namespace?: string;
  readonly allNamespaces?: true;
}

/** Whether a command means a cluster rather than this machine: by its options, or by a kind of workloads. */
export function isAboutCluster(words: readonly string[], options: ScopeOptions): boolean {
  const { namespace, allNamespaces, kubeconfig, context } = options;
  return [namespace, allNamespaces, kubeconfig, context].some((value) => value !== undefined) || words.some(isKindWord);
}

/** The namespace that is meant: -n, else the context's. @returns null for all */
export function namespaceOf(client: KubeClient, { namespace, allNamespaces }: ScopeOptions): string | null {
  return allNamespaces === true ? null : namespace ?? client.target.namespace;
}

/** Whether a word is a kind of workloads, alone or before a name. */
function isKindWord(word: string): boolean {
  return Object.hasOwn(KINDS, word.split("/")[0] ?? "");
}

/**
 * @param namespace null: all
 * @param words kinds, kind/name or names; "deploy web" is deploy/web; none: every workload
 * @throws UsageError when a word means nothing
 */
export async function findPods(
  client: KubeClient,
  namespace: string | null,
  words: readonly string[],
): Promise<ClusterTargets> {
  const all = (await client.list(TYPES.Pod, namespace)).filter(isMeshed).map(meshedPod);
  const selectors = readWords(words);
  if (selectors.length === 0) return { pods: all, isByPod: false };
  const pods = all.filter((pod) => selectors.some((selector) => matches(pod, selector)));
  for (const { kind, name } of selectors) {
    if (name === null || all.some((pod) => matches(pod, { kind, name }))) continue;
    const names = all.flatMap((pod) => [pod.workload, pod.name]);
    const near = suggest(name, names);
    const where = namespace === null ? "any namespace" : `namespace ${namespace}`;
    throw new UsageError(`no meshed pod of "${name}" is in ${where}${near === null ? "" : `; did you mean ${near}?`}`);
  }
  return { pods, isByPod: selectors.some(({ kind }) => kind === "Pod") };
}

interface Selector {
  /** null: any. */
  readonly kind: string | null;
  readonly name: string | null;
}

function readWords(words: readonly string[]): Selector[] {
  const selectors: Selector[] = [];
  let kind: string | null = null;
  for (const word of words) {
    const [head = "", name] = word.split("/");
    if (name !== undefined) {
      const found = KINDS[head];
      if (found === undefined) {
        const near = suggest(head, Object.keys(KINDS));
        throw new UsageError(`"${head}" is no kind of workloads${near === null ? "" : `: did you mean ${near}?`}`);
      }
      selectors.push({ kind: found, name });
    } else if (Object.hasOwn(KINDS, word) && kind === null) kind = KINDS[word] ?? null;
    else selectors.push({ kind, name: word });
  }
  if (kind !== null && !selectors.some((selector) => selector.kind === kind)) selectors.push({ kind, name: null });
  return selectors;
}

function matches(pod: MeshedPod, { kind, name }: Selector): boolean {
  if (kind === "Pod") return name === null || pod.name === name;
  if (kind !== null && pod.kind !== kind) return false;
  return name === null || pod.workload === name || (kind === null && pod.name === name);
}

/** Whether a pod was given a sidecar. */
export function hasSidecar(pod: KubeObject): boolean {
  const { initContainers = [] } = (pod["spec"] ?? {}) as { initContainers?: readonly { name?: string }[] }; // API's schema
  return initContainers.some(({ name }) => name === SIDECAR_CONTAINER);
}

function isMeshed(pod: KubeObject): boolean {
  const { phase } = (pod["status"] ?? {}) as { phase?: string };
  return phase === "Running" && hasSidecar(pod);
}

/** A sidecar's metrics, by way of the API server, which reaches every pod. @throws ApiError */
export function readSidecarMetrics(
  client: KubeClient,
  { namespace, name }: Pick<MeshedPod, "namespace" | "name">,
): Promise<string> {
  return client.text(`/api/v1/namespaces/${namespace}/pods/${name}:${ADMIN_PORT}/proxy/metrics`);
}

function meshedPod({ metadata }: KubeObject): MeshedPod {
  const { namespace = "", name = "", labels = {} } = metadata;
  const owners = (metadata["ownerReferences"] ?? []) as readonly {
    kind?: string;
    name?: string;
    controller?: boolean;
  }[];
  const owner = owners.find(({ controller }) => controller === true);
  const ownerName = owner?.name ?? name;
  const hash = labels["pod-template-hash"];
  if (owner?.kind === "ReplicaSet" && hash !== undefined && ownerName.endsWith(`-${hash}`)) {
    return { namespace, name, kind: "Deployment", workload: ownerName.slice(0, -hash.length - 1) };
  }
  // A CronJob's Jobs end in the minute for which they were made.
  const scheduled = owner?.kind === "Job" ? /^(.+)-\d{7,}$/.exec(ownerName) : null;
  if (scheduled !== null) return { namespace, name, kind: "CronJob", workload: scheduled[1] ?? ownerName };
  return { namespace, name, kind: owner?.kind ?? "Pod", workload: ownerName };
}
