/** Decoder of Pod: the parts that say who runs where, under which account, with which ports and probes. */
import { SIDECAR_CONTAINER } from "../core/cluster_names.ts";
import { canonicalIp } from "../core/ip.ts";
import type { Reader } from "./_reader.ts";
import { isObjectName, OBJECT_NAME_FORM, readMeta } from "./_meta.ts";
import type { Pod, Probe, WorkloadPort } from "./resources.ts";

/** Most containers and ports of one pod that are read: far above any real one, and bounds what a pod can make us keep. */
const MAX_CONTAINERS = 64;
const MAX_PORTS = 256;
const PROBES = ["startupProbe", "readinessProbe", "livenessProbe"] as const;

/**
 * Reads a pod. Only what is used is looked at: a pod comes from an API server that has validated it, and has a hundred keys
 * more than a mesh needs.
 */
export function readPod(root: Reader): Pod {
  const meta = readMeta(root, true);
  const raw = root.raw("metadata") as Readonly<Record<string, unknown>> | undefined; // readMeta has checked that it is a mapping
  const spec = root.object("spec");
  const ports = new Map<number, WorkloadPort>();
  const probes: Probe[] = [];
  let meshed = false;
  const readContainer = (container: Reader) => {
    const name = container.text("name", OBJECT_NAME_FORM);
    if (name === SIDECAR_CONTAINER) {
      meshed = true;
      return;
    }
    const own = container.objects("ports", MAX_PORTS, readContainerPort);
    for (const port of own) if (!ports.has(port.port)) ports.set(port.port, port);
    for (const key of PROBES) {
      const probe = readProbe(container.objectOr(key), own);
      if (probe !== null && !probes.some((known) => known.port === probe.port && known.path === probe.path)) {
        probes.push(probe);
      }
    }
  };
  spec.objects("initContainers", MAX_CONTAINERS, readContainer);
  spec.objects("containers", MAX_CONTAINERS, readContainer);
  const status = root.objectOr("status");
  const phase = status?.textOr("phase", "Pending", "a phase") ?? "Pending";
  return {
    kind: "Pod",
    meta,
    serviceAccountName: spec.textOr("serviceAccountName", "default", OBJECT_NAME_FORM, isObjectName),
    podIPs: status === null ? [] : readIps(status, "podIPs"),
    hostNetwork: spec.boolOr("hostNetwork", false),
    nodeName: spec.textOr("nodeName", "", "the name of a node"),
    ports: [...ports.values()],
    probes,
    meshed,
    ready: conditionIsTrue(status, "Ready"),
    finished: phase === "Succeeded" || phase === "Failed",
    terminating: typeof raw?.["deletionTimestamp"] === "string",
    owner: readOwner(raw?.["ownerReferences"]),
  };
}

function readContainerPort(item: Reader): WorkloadPort {
  return {
    name: item.textOr("name", "", "the name of a port"),
    port: item.int("containerPort", 1, 65535),
    protocol: item.oneOf("protocol", ["TCP", "UDP", "SCTP"] as const, "TCP") === "TCP" ? "TCP" : "UDP",
    appProtocol: null,
  };
}

/** An HTTP or gRPC probe; null for others, which the injector lets the sidecar itself answer. */
function readProbe(probe: Reader | null, ports: readonly WorkloadPort[]): Probe | null {
  const http = probe?.objectOr("httpGet") ?? null;
  if (http !== null) {
    const port = http.raw("port");
    const number = typeof port === "number" ? port : ports.find(({ name }) => name === port)?.port;
    const path = http.raw("path");
    if (number === undefined || http.raw("scheme") === "HTTPS") return null;
    return {
      port: number,
      path: typeof path === "string" && path.startsWith("/") ? path.split("?", 1)[0] ?? "/" : "/",
    };
  }
  const grpc = probe?.objectOr("grpc") ?? null;
  if (grpc === null) return null;
  return { port: grpc.int("port", 1, 65535), path: "/grpc.health.v1.Health/Check" };
}

function readIps(status: Reader, key: string): string[] {
  return status.list(key, 4, "addresses", (item) => {
    const { ip } = item as { ip?: unknown }; // checked next
    return typeof ip === "string" ? canonicalIp(ip) ?? "" : "";
  }).filter((ip) => ip !== "");
}

function conditionIsTrue(status: Reader | null, type: string): boolean {
  const conditions = status?.list("conditions", 64, "conditions", (item) => item) ?? [];
  return conditions.some((item) => {
    const condition = item as { type?: unknown; status?: unknown } | null; // compared field by field
    return condition?.type === type && condition.status === "True";
  });
}

/** The controlling owner: ReplicaSet, StatefulSet, DaemonSet, Job … */
function readOwner(references: unknown): Pod["owner"] {
  if (!Array.isArray(references)) return null;
  for (const item of references as readonly Readonly<Record<string, unknown>>[]) {
    const { controller, kind, name } = item;
    if (controller === true && typeof kind === "string" && typeof name === "string") return { kind, name };
  }
  return null;
}
