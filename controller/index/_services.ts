/** Services: their addresses, and the endpoints behind each of their ports. */
import { MESH_PORT } from "../core/sidecar_ports.ts";
import type { Backend, Endpoint, Protocol, ResourceRef } from "../core/snapshot.ts";
import type { Addresses } from "../kube/addresses.ts";
import { type EndpointSlice, keyOf, type Service, type ServicePort, type SliceEndpoint } from "../kube/resources.ts";
import { byName, type Change, type ResourceSet } from "../kube/store.ts";
import { opaquePortsOf } from "./_annotations.ts";
import { protocolOf } from "./_protocol.ts";
import { buildBackendPolicies, resilienceOf } from "./_resilience.ts";
import type { BackendPolicy } from "../kube/backend_policy.ts";
import type { Report } from "./_report.ts";
import { selectsLabels } from "./_selector.ts";
import type { WorkloadIndex } from "./_workload_index.ts";
import { type Instance, portNumber, zoneOf } from "./_workloads.ts";

/** Port of a sidecar's mesh listener. */

export interface Services {
  readonly byAddress: ReadonlyMap<string, Service>;
  /** By "namespace/service", in order of name. */
  readonly slicesOf: Map<string, readonly EndpointSlice[]>;
  /** Topology zones by address, as slices say them. */
  readonly zones: Map<string, string>;
  /** By "Service namespace/name". */
  readonly policies: ReadonlyMap<string, BackendPolicy>;
}

/** What endpoints are computed from. */
export interface ServiceContext {
  readonly set: ResourceSet;
  readonly workloads: WorkloadIndex;
  readonly services: Services;
  readonly report: Report;
  /** Node of the client; "" when it has none, or when no Service that is asked for depends on it. */
  readonly node: string;
}

export function buildServices(set: ResourceSet, addresses: Addresses, report: Report): Services {
  const byAddress = new Map<string, Service>();
  for (const service of set.list("Service")) {
    for (const ip of addressesOf(service, addresses)) {
      const holder = byAddress.get(ip);
      if (holder === undefined) byAddress.set(ip, service);
      else report.warn(keyOf(service), `its address ${ip} belongs to ${keyOf(holder)} already`);
    }
  }
  const policies = buildBackendPolicies(set, report);
  const services: Services = { byAddress, slicesOf: new Map(), zones: new Map(), policies };
  for (const slice of set.list("EndpointSlice")) addSlice(services, slice, set, report);
  return services;
}

/** Slices came, went or became different; no Service did. */
export function updateSlices(services: Services, changes: Iterable<Change>, set: ResourceSet, report: Report): void {
  for (const { before, after } of changes) {
    const key = before?.kind === "EndpointSlice" ? serviceOfSlice(before) : null;
    if (key !== null) services.slicesOf.set(key, services.slicesOf.get(key)?.filter((slice) => slice !== before) ?? []);
    if (before?.kind === "EndpointSlice") noteZones(services, before, true);
    if (after?.kind === "EndpointSlice") addSlice(services, after, set, report);
  }
}

/** "namespace/service" of the Service a slice belongs to; null when it does not say. */
export function serviceOfSlice({ meta }: EndpointSlice): string | null {
  const name = meta.labels["kubernetes.io/service-name"];
  return name === undefined ? null : `${meta.namespace}/${name}`;
}

/** Notes what a slice says of zones, or forgets it. */
function noteZones({ zones }: Services, { endpoints }: EndpointSlice, isGone: boolean): void {
  for (const { addresses, zone } of endpoints) {
    if (zone === null) continue;
    for (const ip of addresses) {
      if (isGone) zones.delete(ip);
      else zones.set(ip, zone);
    }
  }
}

function addSlice(services: Services, slice: EndpointSlice, set: ResourceSet, report: Report): void {
  const { slicesOf } = services;
  noteZones(services, slice, false);
  const key = serviceOfSlice(slice);
  if (key === null) {
    report.warn(keyOf(slice), "it has no label kubernetes.io/service-name, so it belongs to no Service");
    return;
  }
  if (set.get("Service", slice.meta.namespace, key.slice(key.indexOf("/") + 1)) === null) {
    report.warn(keyOf(slice), `its Service ${key} does not exist`);
  }
  slicesOf.set(key, [...slicesOf.get(key) ?? [], slice].sort(byName));
}

/** Addresses of a Service: its own, or the one assigned to what leaves it open. */
export function addressesOf(service: Service, addresses: Addresses): readonly string[] {
  if (service.headless || service.externalName !== null || service.clusterIPs.length > 0) return service.clusterIPs;
  const assigned = addresses.services.get(`${service.meta.namespace}/${service.meta.name}`);
  return assigned === undefined ? [] : [assigned];
}

/** The TCP port of a Service with that number, or null. */
export function servicePort(service: Service, port: number): ServicePort | null {
  return service.ports.find((candidate) => candidate.port === port && candidate.protocol === "TCP") ?? null;
}

export function serviceRef(service: Service, port: number): ResourceRef {
  const { namespace, name } = service.meta;
  return { group: "core", kind: "Service", namespace, name, section: String(port) };
}

/** One port of a Service as a backend, with the endpoints that are there now, in order of address. */
export function serviceBackend(service: Service, port: ServicePort, context: ServiceContext): Backend {
  const { namespace, name } = service.meta;
  const endpoints = new Map<string, Endpoint>();
  const declared = new Set<string | null>();
  addSelected(service, port, context, endpoints, declared);
  addSlices(service, port, context, endpoints, declared, (endpoint) => isReady(service, endpoint));
  // As kube-proxy has it: what is ending, and still serves, is better than nobody.
  if (endpoints.size === 0) addSlices(service, port, context, endpoints, declared, isLastResort);
  return {
    backend: serviceRef(service, port.port),
    port: port.port,
    protocol: backendProtocol(service, port, declared, context),
    endpoints: [...endpoints.keys()].sort().map((key) => endpoints.get(key) as Endpoint), // from the map's own keys
    ...resilienceOf(service, context.services.policies.get(`Service ${namespace}/${name}`) ?? null, context.report),
  };
}

/** What the Service says; else what all its endpoints' ports say alike. */
function backendProtocol(
  service: Service,
  port: ServicePort,
  declared: ReadonlySet<string | null>,
  { set, report }: ServiceContext,
): Protocol {
  const namespace = set.get("Namespace", "", service.meta.namespace);
  const opaque = opaquePortsOf(service.meta, report) ??
    (namespace === null ? null : opaquePortsOf(namespace.meta, report));
  if (opaque !== null && opaque.has(port.port, port.name)) return "opaque";
  if (port.appProtocol !== null) return protocolOf(port.appProtocol);
  const protocols = new Set([...declared].map(protocolOf));
  const [only] = protocols;
  return protocols.size === 1 && only !== undefined ? only : "detect";
}

function addSelected(
  service: Service,
  port: ServicePort,
  { workloads, report }: ServiceContext,
  endpoints: Map<string, Endpoint>,
  declared: Set<string | null>,
): void {
  if (service.selector === null) return;
  let selected = 0;
  // Of pods Kubernetes' own controller keeps the slices.
  for (const instance of workloads.externalIn(service.meta.namespace)) {
    const { workload } = instance;
    if (!selectsLabels(service.selector, workload.meta.labels)) continue;
    selected++;
    const target = portNumber(workload, port.targetPort);
    if (target === null) {
      const detail = `its port ${port.port} goes to the port named ${port.targetPort}, which ${
        keyOf(workload)
      } does not have`;
      report.warn(keyOf(service), detail);
      continue;
    }
    if (!workload.ready && !service.publishNotReadyAddresses) continue;
    const own = workload.ports.find((candidate) => candidate.port === target);
    declared.add(own?.appProtocol ?? null);
    for (const ip of instance.addresses) add(endpoints, instanceEndpoint(instance, ip, target, zoneOf(workload.meta)));
  }
  if (selected === 0 && report.isKept && !workloads.selectsPod(service.meta.namespace, service.selector)) {
    report.warn(keyOf(service), "its selector selects no workload");
  }
}

function addSlices(
  service: Service,
  port: ServicePort,
  { workloads, services, report, node }: ServiceContext,
  endpoints: Map<string, Endpoint>,
  declared: Set<string | null>,
  isWanted: (endpoint: SliceEndpoint) => boolean,
): void {
  // As kube-proxy has it: where the node has none, there is none. A client without a node is told of all.
  const isElsewhere = (nodeName: string) => service.nodeLocal && node !== "" && nodeName !== node;
  for (const slice of services.slicesOf.get(`${service.meta.namespace}/${service.meta.name}`) ?? []) {
    if (slice.addressType === "FQDN") {
      report.warn(keyOf(slice), "endpoints by name (FQDN) are not supported, ignored");
      continue;
    }
    // Ports of a slice have the names of the Service's ports; a lone unnamed port goes with any.
    const ports = slice.ports.filter((candidate) => candidate.protocol === "TCP");
    const own = ports.find((candidate) => candidate.name === port.name) ??
      (ports.length === 1 && ports[0]?.name === "" ? ports[0] : undefined);
    const number = own?.port ?? (typeof port.targetPort === "number" && own !== undefined ? port.targetPort : null);
    if (own === undefined || number === null) continue;
    declared.add(own.appProtocol);
    for (const endpoint of slice.endpoints) {
      if (!isWanted(endpoint) || isElsewhere(endpoint.nodeName)) continue;
      for (const ip of endpoint.addresses) {
        const instance = workloads.at(ip);
        const zone = endpoint.zone ?? (instance === undefined ? "" : zoneOf(instance.workload.meta));
        if (instance !== undefined) add(endpoints, instanceEndpoint(instance, ip, number, zone));
        else add(endpoints, { ip, port: number, identity: "", meshPort: 0, zone, workload: null });
      }
    }
  }
}

function isReady(service: Service, { ready, terminating }: SliceEndpoint): boolean {
  return !terminating && (ready || service.publishNotReadyAddresses);
}

function isLastResort({ serving, terminating }: SliceEndpoint): boolean {
  return serving && terminating;
}

function add(endpoints: Map<string, Endpoint>, endpoint: Endpoint): void {
  const key = `${endpoint.ip} ${endpoint.port}`;
  const before = endpoints.get(key);
  // The same endpoint by selector and by slice: the slice knows the zone.
  if (before === undefined || (before.zone === "" && endpoint.zone !== "")) endpoints.set(key, endpoint);
}

/** An instance's port as an endpoint. */
export function instanceEndpoint(instance: Instance, ip: string, port: number, zone: string): Endpoint {
  const { namespace, name, meshed, identity } = instance;
  return {
    ip,
    port,
    identity: meshed ? identity : "",
    meshPort: meshed ? MESH_PORT : 0,
    zone,
    workload: { namespace, name },
  };
}
