/** Whether the pods that should be meshed are, and how their sidecars do. */
import { errorText } from "../../../src/base/error.ts";
import { VERSION } from "../../../src/base/version.ts";
import type { KubeClient, KubeObject } from "../../api/client.ts";
import { TYPES } from "../../api/resource_type.ts";
import {
  BUNDLE_CONFIG_MAP,
  BUNDLE_KEY,
  INJECT_ANNOTATION as INJECT,
  INJECTED_ANNOTATION,
  MESH_NAMESPACE,
  REFUSED_ANNOTATION,
  SIDECAR_CONTAINER,
} from "../../core/cluster_names.ts";
import { certificatesOf } from "../../core/pem.ts";
import { MESH_PORT } from "../../core/sidecar_ports.ts";
import { hasSidecar, readSidecarMetrics } from "../cluster_targets.ts";
import { Section } from "./finding.ts";
import { isReady } from "./pod_state.ts";

/** Sidecars asked at once. */
const BATCH = 20;
/** A certificate that ends sooner should have been renewed: leaves live a day and are renewed at 70 %. */
const CERTIFICATE_WARNING_MS = 3_600_000;

/** @param namespace null: all @param nowMs wall clock */
export async function checkDataPlane(
  client: KubeClient,
  namespace: string | null,
  bundlePem: string,
  nowMs: number,
): Promise<Section> {
  const section = new Section("data plane");
  const look = () => lookAtPods(client, namespace, bundlePem, nowMs, section);
  await section.attempt("pods that ask for it are meshed", look, undefined);
  return section;
}

async function lookAtPods(
  client: KubeClient,
  namespace: string | null,
  bundlePem: string,
  nowMs: number,
  section: Section,
): Promise<void> {
  const namespaces = await client.list(TYPES.Namespace, null);
  const annotated = new Map(namespaces.map(({ metadata }) => [metadata.name ?? "", metadata.annotations?.[INJECT]]));
  const pods = (await client.list(TYPES.Pod, namespace)).filter((pod) => !isOver(pod));
  const meshed = pods.filter(hasSidecar);
  checkUnmeshed(pods, annotated, section);
  if (meshed.length === 0) {
    section.ok("meshed pods", "none yet");
    return;
  }
  checkReadiness(meshed, section);
  checkVersions(meshed, section);
  await checkBundles(client, meshed, bundlePem, section);
  await checkSidecars(client, meshed.filter(isReady), nowMs, section);
  await checkNetworkPolicies(client, meshed, section);
}

function isOver(pod: KubeObject): boolean {
  const { phase } = (pod["status"] ?? {}) as { phase?: string };
  return phase === "Succeeded" || phase === "Failed" || pod.metadata["deletionTimestamp"] !== undefined;
}

function nameOf({ metadata }: KubeObject): string {
  return `${metadata.namespace}/${metadata.name}`;
}

/** Pods that slipped through: the webhook was away, or they are older than the annotation. */
function checkUnmeshed(
  pods: readonly KubeObject[],
  annotated: ReadonlyMap<string, string | undefined>,
  section: Section,
): void {
  let found = 0;
  for (const pod of pods) {
    const { namespace = "", annotations = {} } = pod.metadata;
    const wanted = annotations[INJECT] ?? annotated.get(namespace);
    if (wanted !== "enabled" || hasSidecar(pod) || namespace === MESH_NAMESPACE) continue;
    found++;
    const reason = annotations[REFUSED_ANNOTATION];
    if (reason !== undefined) {
      section.warn(
        "pods that ask for it are meshed",
        `${nameOf(pod)} cannot be: ${reason}`,
        "see the warning at its creation, or disable the injection of this pod",
      );
    } else {
      section.fail(
        "pods that ask for it are meshed",
        `${nameOf(pod)} has no sidecar`,
        `restart its workload: kubectl -n ${namespace} rollout restart …`,
      );
    }
  }
  if (found === 0) section.ok("pods that ask for it are meshed");
}

function checkReadiness(meshed: readonly KubeObject[], section: Section): void {
  const unready = meshed.filter((pod) => {
    const { initContainerStatuses = [] } = (pod["status"] ?? {}) as {
      initContainerStatuses?: readonly { name?: string; ready?: boolean }[];
    };
    return initContainerStatuses.find(({ name }) => name === SIDECAR_CONTAINER)?.ready !== true;
  });
  if (unready.length === 0) return section.ok("sidecars are ready", String(meshed.length));
  for (const pod of unready.slice(0, 20)) {
    const { namespace, name } = pod.metadata;
    section.fail(
      "sidecars are ready",
      `that of ${nameOf(pod)} is not`,
      `kubectl -n ${namespace} logs ${name} -c ${SIDECAR_CONTAINER}; its /ready says what it waits for`,
    );
  }
}

function checkVersions(meshed: readonly KubeObject[], section: Section): void {
  const others = meshed.filter((pod) => (pod.metadata.annotations?.[INJECTED_ANNOTATION] ?? VERSION) !== VERSION);
  if (others.length === 0) return section.ok("sidecars have this version", VERSION);
  const names = others.slice(0, 5).map(nameOf).join(", ");
  section.warn(
    "sidecars have this version",
    `${others.length} of ${meshed.length} have another than ${VERSION}: ${names}${others.length > 5 ? " …" : ""}`,
    "restart their workloads when it suits: versions next to each other work together",
  );
}

async function checkBundles(
  client: KubeClient,
  meshed: readonly KubeObject[],
  bundlePem: string,
  section: Section,
): Promise<void> {
  const root = certificatesOf(bundlePem)[0] ?? "";
  let wrong = 0;
  for (const namespace of new Set(meshed.map((pod) => pod.metadata.namespace ?? ""))) {
    const map = await client.find(TYPES.ConfigMap, namespace, BUNDLE_CONFIG_MAP);
    const text = ((map?.["data"] ?? {}) as Readonly<Record<string, string>>)[BUNDLE_KEY] ?? "";
    if (root === "" || text.includes(root)) continue;
    wrong++;
    section.fail(
      "namespaces have the trust bundle",
      `ConfigMap ${namespace}/${BUNDLE_CONFIG_MAP} ${map === null ? "is missing" : "does not hold the issuer's root"}`,
      "a controller writes it: is one running, and does it hold the lease?",
    );
  }
  if (wrong === 0) section.ok("namespaces have the trust bundle");
}

/** Asks each sidecar by way of the API server, which reaches every pod. */
async function checkSidecars(
  client: KubeClient,
  pods: readonly KubeObject[],
  nowMs: number,
  section: Section,
): Promise<void> {
  let bad = 0;
  for (let at = 0; at < pods.length; at += BATCH) {
    await Promise.all(
      pods.slice(at, at + BATCH).map(async (pod) => {
        const { namespace = "", name = "" } = pod.metadata;
        try {
          const text = await readSidecarMetrics(client, { namespace, name });
          const expiresMs = 1000 * valueOf(text, "control_identity_cert_expiration_timestamp_seconds");
          if (expiresMs - nowMs < CERTIFICATE_WARNING_MS) {
            bad++;
            section.fail(
              "certificates are renewed",
              `that of ${nameOf(pod)} ${expiresMs <= nowMs ? "expired" : "expires"} at ${
                new Date(expiresMs).toISOString()
              }`,
              `kubectl -n ${namespace} logs ${name} -c ${SIDECAR_CONTAINER} | grep -i certif; are the clocks right?`,
            );
          }
          if (valueOf(text, "tulle_controller_connected") !== 1) {
            bad++;
            section.warn(
              "sidecars hear the controller",
              `${nameOf(pod)} does not: it goes on with what it knows`,
              `may ${namespace} reach the controller (NetworkPolicy, DNS)?`,
            );
          }
        } catch (error) {
          bad++;
          section.warn(
            "sidecars answer",
            `${nameOf(pod)}: ${errorText(error)}`,
            "you need the right to get pods/proxy",
          );
        }
      }),
    );
  }
  if (bad === 0) section.ok("certificates are renewed, and sidecars hear the controller", String(pods.length));
}

function valueOf(metrics: string, name: string): number {
  const line = metrics.split("\n").find((text) => text.startsWith(`${name} `) || text.startsWith(`${name}{`));
  return line === undefined ? NaN : Number(line.slice(line.lastIndexOf(" ") + 1));
}

interface NetworkPolicySpec {
  readonly podSelector?: {
    readonly matchLabels?: Readonly<Record<string, string>>;
    readonly matchExpressions?: readonly unknown[];
  };
  readonly policyTypes?: readonly string[];
  readonly ingress?: readonly {
    readonly ports?: readonly { readonly port?: number | string; readonly endPort?: number }[];
  }[];
}

/** A policy that lets the application's port in but not the mesh's cuts meshed pods off from each other. */
async function checkNetworkPolicies(
  client: KubeClient,
  meshed: readonly KubeObject[],
  section: Section,
): Promise<void> {
  const type = {
    group: "networking.k8s.io",
    version: "v1",
    plural: "networkpolicies",
    kind: "NetworkPolicy",
    namespaced: true,
  };
  const policies = await client.list(type, null).catch(() => []);
  let bad = 0;
  for (const policy of policies) {
    const spec = (policy["spec"] ?? {}) as NetworkPolicySpec;
    const { ingress = [], policyTypes = ["Ingress"] } = spec;
    if (!policyTypes.includes("Ingress") || ingress.length === 0) continue; // nothing at all is let in: that is meant
    if (ingress.some(({ ports }) => ports === undefined || ports.length === 0 || ports.some(letsMeshIn))) continue;
    const labels = Object.entries(spec.podSelector?.matchLabels ?? {});
    const selected = meshed.find((pod) =>
      pod.metadata.namespace === policy.metadata.namespace &&
      labels.every(([key, value]) => pod.metadata.labels?.[key] === value)
    );
    if (selected === undefined) continue;
    bad++;
    section.warn(
      "network policies let the mesh through",
      `NetworkPolicy ${nameOf(policy)} selects ${nameOf(selected)} and does not admit port ${MESH_PORT}`,
      `add port ${MESH_PORT} beside the application's`,
    );
  }
  if (bad === 0) section.ok("network policies let the mesh through");
}

function letsMeshIn({ port, endPort }: { readonly port?: number | string; readonly endPort?: number }): boolean {
  if (port === undefined) return true;
  return typeof port === "number" && port <= MESH_PORT && (endPort ?? port) >= MESH_PORT;
}
