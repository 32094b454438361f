/** Workload instances: who runs where, under which identity. */
import type { DefaultPolicy } from "../core/snapshot.ts";
import { declaredAddresses, identityOf, instanceName, replicasOf, spiffeId } from "../kube/instances.ts";
import type { Addresses } from "../kube/addresses.ts";
import type { ExternalWorkload, Meta, Pod, Probe } from "../kube/resources.ts";
import type { ResourceSet } from "../kube/store.ts";
import { defaultPolicyOf, injectOf, opaquePortsOf, type PortSet } from "./_annotations.ts";
import type { Report } from "./_report.ts";

/** A pod, or one instance of an ExternalWorkload. */
export interface Instance {
  readonly namespace: string;
  readonly name: string;
  readonly workload: ExternalWorkload | Pod;
  /** Canonical; empty while nobody has assigned one. */
  readonly addresses: readonly string[];
  readonly identity: string;
  /** It has a sidecar. */
  readonly meshed: boolean;
  readonly opaquePorts: PortSet | null;
  readonly defaultPolicy: DefaultPolicy;
  /** What a kubelet asks of it. */
  readonly probes: readonly Probe[];
}

/** What the index needs to know beside the objects. */
export interface IndexOptions {
  readonly trustDomain: string;
  /** "cluster.local": the end of full names of Services. */
  readonly clusterDomain: string;
  /** What the cluster-* default policies mean by inside. */
  readonly clusterNetworks: readonly string[];
  /** Whence probes may come. */
  readonly probeNetworks: readonly string[];
  /** Where no annotation says it. */
  readonly defaultPolicy: DefaultPolicy;
  /** Whether workloads have sidecars where no annotation says it. */
  readonly injectByDefault: boolean;
}

/** A pod as an instance. */
export function podInstance(pod: Pod, set: ResourceSet, options: IndexOptions, report: Report): Instance {
  const { meta } = pod;
  const fromNamespace = inherited(meta, set, report);
  return {
    namespace: meta.namespace,
    name: meta.name,
    workload: pod,
    // The node's addresses tell nobody which pod is meant.
    addresses: pod.hostNetwork ? [] : pod.podIPs,
    identity: spiffeId(options.trustDomain, meta.namespace, pod.serviceAccountName),
    meshed: pod.meshed,
    opaquePorts: fromNamespace(opaquePortsOf),
    defaultPolicy: fromNamespace(defaultPolicyOf) ?? options.defaultPolicy,
    probes: pod.probes,
  };
}

/** Reads an annotation of an object, or else of its namespace. */
function inherited(meta: Meta, set: ResourceSet, report: Report) {
  const namespace = set.get("Namespace", "", meta.namespace);
  return <T>(read: (meta: Meta, report: Report) => T | null): T | null =>
    read(meta, report) ?? (namespace === null ? null : read(namespace.meta, report));
}

/** The instances of an ExternalWorkload. */
export function instancesOf(
  workload: ExternalWorkload,
  set: ResourceSet,
  addresses: Addresses,
  options: IndexOptions,
  report: Report,
): Instance[] {
  const { meta } = workload;
  const fromNamespace = inherited(meta, set, report);
  const shared = {
    namespace: meta.namespace,
    workload,
    identity: identityOf(workload, options.trustDomain),
    meshed: fromNamespace(injectOf) ?? options.injectByDefault,
    opaquePorts: fromNamespace(opaquePortsOf),
    defaultPolicy: fromNamespace(defaultPolicyOf) ?? options.defaultPolicy,
    probes: [],
  };
  return Array.from({ length: replicasOf(workload) }, (_, index) => {
    const name = instanceName(workload, index);
    const declared = declaredAddresses(workload, index);
    const assigned = addresses.workloads.get(`${meta.namespace}/${name}`) ?? [];
    return { ...shared, name, addresses: declared.length > 0 ? declared : assigned };
  });
}

/** Label of the topology zone; newer API servers put it onto pods, anybody may onto ExternalWorkloads. */
const ZONE = "topology.kubernetes.io/zone";

/** Topology zone that a workload's own label says; "" without one. */
export function zoneOf(meta: Meta): string {
  return meta.labels[ZONE] ?? "";
}

/** Number of a port given by number or name; null when the workload has no port of that name. */
export function portNumber(workload: Instance["workload"], port: number | string): number | null {
  if (typeof port === "number") return port;
  return workload.ports.find((candidate) => candidate.name === port && candidate.protocol === "TCP")?.port ?? null;
}
