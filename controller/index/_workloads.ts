/** Workload instances: who runs where, under which identity. */
import type { DefaultPolicy } from "../core/snapshot.ts";
import { declaredAddresses, identityOf, instanceName, replicasOf, spiffeId } from "../kube/instances.ts";
import type { Addresses } from "../kube/addresses.ts";
import type { ExternalWorkload, Meta, Namespace, Pod, Probe } from "../kube/resources.ts";
import { keyOf } from "../kube/resources.ts";
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

/** Instances of pods, with the namespace they were made with. */
export type PodInstances = WeakMap<Pod, { readonly namespace: Namespace | null; readonly instance: Instance }>;

export interface Workloads {
  /** By "namespace/instance". */
  readonly byName: ReadonlyMap<string, Instance>;
  readonly byAddress: ReadonlyMap<string, Instance>;
  /** By namespace, in order of name. */
  readonly byNamespace: ReadonlyMap<string, readonly Instance[]>;
}

export function buildWorkloads(
  set: ResourceSet,
  addresses: Addresses,
  options: IndexOptions,
  report: Report,
  known: PodInstances,
): Workloads {
  const byName = new Map<string, Instance>();
  const byAddress = new Map<string, Instance>();
  const byNamespace = new Map<string, Instance[]>();
  const add = (instance: Instance) => {
    byName.set(`${instance.namespace}/${instance.name}`, instance);
    const inNamespace = byNamespace.get(instance.namespace);
    if (inNamespace === undefined) byNamespace.set(instance.namespace, [instance]);
    else inNamespace.push(instance);
    for (const ip of instance.addresses) {
      const holder = byAddress.get(ip);
      if (holder === undefined || isTerminating(holder)) byAddress.set(ip, instance);
      // An address moves from one pod to the next before everybody has heard of it.
      else if (!isTerminating(instance)) {
        const detail = `its address ${ip} belongs to ${holder.namespace}/${holder.name} already`;
        report.warn(keyOf(instance.workload), detail);
      }
    }
  };
  for (const pod of set.list("Pod")) {
    if (!pod.finished) add(knownInstance(pod, set, options, report, known));
  }
  for (const workload of set.list("ExternalWorkload")) {
    for (const instance of instancesOf(workload, set, addresses, options, report)) add(instance);
  }
  return { byName, byAddress, byNamespace };
}

function isTerminating({ workload }: Instance): boolean {
  return workload.kind === "Pod" && workload.terminating;
}

/** Most pods are the same from one world to the next. */
function knownInstance(
  pod: Pod,
  set: ResourceSet,
  options: IndexOptions,
  report: Report,
  known: PodInstances,
): Instance {
  const namespace = set.get("Namespace", "", pod.meta.namespace);
  const before = known.get(pod);
  if (before !== undefined && before.namespace === namespace) return before.instance;
  const instance = podInstance(pod, set, options, report);
  known.set(pod, { namespace, instance });
  return instance;
}

function podInstance(pod: Pod, set: ResourceSet, options: IndexOptions, report: Report): Instance {
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

function instancesOf(
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

/** Number of a port given by number or name; null when the workload has no port of that name. */
export function portNumber(workload: Instance["workload"], port: number | string): number | null {
  if (typeof port === "number") return port;
  return workload.ports.find((candidate) => candidate.name === port && candidate.protocol === "TCP")?.port ?? null;
}
