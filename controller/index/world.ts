/** The world at one moment: objects and addresses in, answers out. Each change makes another, which takes over what still holds; answers are computed on demand. */
import { ADMIN_PORT, INBOUND_PORT, MESH_PORT, OUTBOUND_PORT } from "../core/sidecar_ports.ts";
import type { Directory } from "../core/directory.ts";
import type { Egress, InboundWorkload, OutboundTarget } from "../core/snapshot.ts";
import type { Target } from "../core/target.ts";
import { hostPort } from "../../src/base/ip.ts";
import type { Addresses } from "../kube/addresses.ts";
import { type EndpointSlice, keyOf, type Service } from "../kube/resources.ts";
import type { Change, ResourceSet } from "../kube/store.ts";
import { attachRoutes } from "./_attach_routes.ts";
import { buildFaults } from "./_faults.ts";
import { buildEgress, egressTo } from "./_egress.ts";
import { buildPolicies, inboundWorkload, type PolicyIndex } from "./_inbound.ts";
import { type OutboundContext, serviceTarget, undeclaredPort } from "./_outbound.ts";
import { protocolOf } from "./_protocol.ts";
import { type ConfigWarning, Report } from "./_report.ts";
import { addressesOf, buildServices, instanceEndpoint, servicePort, updateSlices } from "./_services.ts";
import { Changes, EndpointChanges } from "./_changes.ts";
import { Touched } from "./_touched.ts";
import { type PodInstances, WorkloadIndex } from "./_workload_index.ts";
import { type IndexOptions, type Instance, zoneOf } from "./_workloads.ts";

export type { ConfigWarning } from "./_report.ts";
export type { IndexOptions } from "./_workloads.ts";

/** Ports of the sidecar itself: they are reached as they are, never through the mesh. */
const PROXY_PORTS = new Set([OUTBOUND_PORT, MESH_PORT, INBOUND_PORT, ADMIN_PORT]);

/** Longest piece of work between two pauses, milliseconds: what proxies wait for goes first. */
const TURN_MS = 5;

/** An earlier world, which is used up by this, and what has changed since. */
export interface Carry {
  readonly world: World;
  readonly changed: ReadonlyMap<string, Change>;
}

/** A Service as /config shows it. */
export interface ServiceSummary {
  readonly service: string;
  readonly addresses: readonly string[];
  readonly ports: readonly {
    readonly port: number;
    readonly protocol: string;
    readonly endpoints: readonly string[];
  }[];
}

/** A workload instance as /config shows it. */
export interface WorkloadSummary {
  readonly workload: string;
  readonly addresses: readonly string[];
  readonly identity: string;
  readonly meshed: boolean;
  readonly ready: boolean;
}

const NOBODY: ReadonlySet<string> = new Set();

export class World implements Directory {
  /** Answers of the world before that do not hold any more. */
  readonly touched = new Touched();
  readonly #report: Report;
  readonly #set: ResourceSet;
  readonly #addresses: Addresses;
  readonly #options: IndexOptions;
  readonly #workloads: WorkloadIndex;
  readonly #policies: PolicyIndex;
  readonly #context: OutboundContext;
  readonly #targets: Map<string, OutboundTarget>;
  readonly #inbound: Map<string, InboundWorkload>;
  readonly #instances: PodInstances;

  /**
   * @param carry answers that still hold are taken over from it, and stay the same objects: they need neither be computed nor
   * encoded nor sent anew. When only pods and slices changed, what they are looked up in is taken over as well. Warnings are
   * not, so they come from a world without.
   */
  constructor(set: ResourceSet, addresses: Addresses, options: IndexOptions, carry: Carry | null = null) {
    this.#set = set;
    this.#addresses = addresses;
    this.#options = options;
    const report = this.#report = new Report(carry === null);
    this.#instances = carry === null ? new WeakMap() : carry.world.#instances;
    this.#targets = carry === null ? new Map() : carry.world.#targets;
    this.#inbound = carry === null ? new Map() : carry.world.#inbound;
    const endpointChanges = carry === null ? null : EndpointChanges.of(carry.changed);
    if (carry !== null && endpointChanges !== null) {
      this.#workloads = carry.world.#workloads;
      this.#policies = carry.world.#policies;
      this.#context = carry.world.#context;
      this.#workloads.update(carry.changed.values(), report);
      updateSlices(this.#context.services, carry.changed.values(), set, report);
      this.#forgetEndpoints(endpointChanges);
      for (const { after } of carry.changed.values()) if (after?.kind === "EndpointSlice") this.#forgetZones(after);
      return;
    }
    this.touched.isAll = true;
    if (carry !== null) this.#forget(new Changes(carry.changed.keys()));
    this.#workloads = new WorkloadIndex(set, addresses, options, report, this.#instances);
    const { toServices, toServers } = attachRoutes(set, report);
    this.#policies = buildPolicies(set, toServers, options, report);
    this.#context = {
      set,
      workloads: this.#workloads,
      services: buildServices(set, addresses, report),
      report,
      routes: toServices,
      clusterDomain: options.clusterDomain,
      node: "",
      egress: buildEgress(set, report),
      faults: buildFaults(set, options.trustDomain, report),
    };
  }

  outbound(target: Target, sourceNamespace: string, sourceName: string): OutboundTarget {
    const service = this.#serviceOf(target, sourceNamespace);
    if (service !== null) {
      // Only routes of its own make a namespace see a Service differently from the others, and only node-local ones a node.
      const viewer = this.#consumers(service).has(sourceNamespace) ? sourceNamespace : "";
      const node = this.#isNodeLocal(service) ? this.#nodeOf(sourceNamespace, sourceName) : "";
      const key = `${viewer} ${node} ${keyOf(service)} ${target.port}`;
      return memo(this.#targets, key, () => this.#serviceTarget(service, target.port, sourceNamespace, node));
    }
    const instance = target.kind === "address" ? this.#workloads.at(target.ip) : undefined;
    if (instance === undefined || target.kind !== "address" || PROXY_PORTS.has(target.port)) {
      return this.#unknown(target, sourceNamespace);
    }
    const key = `ip ${instance.namespace}/${instance.name} ${target.text}`;
    return memo(this.#targets, key, () => instanceTarget(instance, target.ip, target.port));
  }

  #unknown(target: Target, sourceNamespace: string): OutboundTarget {
    if (target.kind !== "address") return unknown(target, null);
    const inside = this.#options.clusterNetworks;
    return unknown(target, egressTo(this.#context.egress, sourceNamespace, target.ip, inside));
  }

  inbound(namespace: string, name: string): InboundWorkload | null {
    const key = `${namespace}/${name}`;
    const instance = this.#workloads.get(key);
    if (instance === undefined) return null;
    const make = () => inboundWorkload(instance, this.#policies, this.#options, this.#report, this.#zoneOf(instance));
    return memo(this.#inbound, key, make);
  }

  /** What the workload's own label says, else what slices say of its address. */
  #zoneOf({ workload, addresses }: Instance): string {
    return zoneOf(workload.meta) || (this.#context.services.zones.get(addresses[0] ?? "") ?? "");
  }

  /** What does not fit together, found by resolving everything: half a second of work for 5 000 pods. */
  warnings(): readonly ConfigWarning[] {
    const world = this.#withoutCarry();
    for (const _ of world.#resolveAll()) { /* all at once */ }
    return world.#report.list();
  }

  /** The same, with pauses in which others get their turn. What changes meanwhile may be seen or not. */
  async warningsInTurns(pause: () => Promise<void>): Promise<readonly ConfigWarning[]> {
    const world = this.#withoutCarry();
    let since = performance.now();
    for (const _ of world.#resolveAll()) {
      if (performance.now() - since < TURN_MS) continue;
      await pause();
      since = performance.now();
    }
    return world.#report.list();
  }

  #withoutCarry(): World {
    return new World(this.#set, this.#addresses, this.#options);
  }

  /** Asks everything that can be asked; yields now and then. */
  *#resolveAll(): Generator<void> {
    for (const service of this.#set.list("Service")) {
      if (service.externalName !== null) continue;
      for (const namespace of [service.meta.namespace, ...this.#consumers(service)]) {
        for (const { port, protocol } of service.ports) {
          if (protocol === "TCP") this.#serviceTarget(service, port, namespace);
        }
        yield;
      }
    }
    for (const instance of this.#workloads.all()) {
      inboundWorkload(instance, this.#policies, this.#options, this.#report, this.#zoneOf(instance));
      yield;
    }
  }

  services(): readonly ServiceSummary[] {
    return this.#set.list("Service").map((service) => ({
      service: `${service.meta.namespace}/${service.meta.name}`,
      addresses: addressesOf(service, this.#addresses),
      ports: service.ports.filter(({ protocol }) => protocol === "TCP").map(({ port }) => {
        const { protocol, backends } = this.#serviceTarget(service, port, service.meta.namespace);
        const endpoints = backends[0]?.endpoints ?? [];
        return { port, protocol, endpoints: endpoints.map((endpoint) => hostPort(endpoint.ip, endpoint.port)) };
      }),
    }));
  }

  workloads(): readonly WorkloadSummary[] {
    return [...this.#workloads.all()].map(({ namespace, name, addresses, identity, meshed, workload }) => ({
      workload: `${namespace}/${name}`,
      addresses,
      identity,
      meshed,
      ready: workload.ready,
    }));
  }

  /** Namespaces other than its own that have routes for a Service. */
  #consumers({ meta }: Service): ReadonlySet<string> {
    const routes = this.#context.routes.get(`${meta.namespace}/${meta.name}`);
    if (routes === undefined) return NOBODY;
    return new Set(routes.map(({ route }) => route.meta.namespace).filter((namespace) => namespace !== meta.namespace));
  }

  /** Whether what a client is told of a Service depends on its node: its own word, or that of a backend of its routes. */
  #isNodeLocal(service: Service): boolean {
    if (service.nodeLocal) return true;
    const routes = this.#context.routes.get(`${service.meta.namespace}/${service.meta.name}`) ?? [];
    return routes.some(({ route }) =>
      route.rules.some(({ backendRefs }) =>
        backendRefs.some((ref) =>
          this.#set.get("Service", ref.namespace ?? route.meta.namespace, ref.name)?.nodeLocal === true
        )
      )
    );
  }

  #nodeOf(namespace: string, name: string): string {
    const workload = this.#workloads.get(`${namespace}/${name}`)?.workload;
    return workload?.kind === "Pod" ? workload.nodeName : "";
  }

  #forget(changes: Changes): void {
    for (const [key, target] of this.#targets) {
      if (changes.touchTarget(target, key.slice(0, key.indexOf(" ")))) this.#targets.delete(key);
    }
    for (const [key, inbound] of this.#inbound) if (changes.touchInbound(inbound)) this.#inbound.delete(key);
  }

  #forgetEndpoints(changes: EndpointChanges): void {
    const { answers } = this.touched;
    for (const [key, target] of this.#targets) {
      if (!changes.touchTarget(target)) continue;
      this.#targets.delete(key);
      answers.add(target);
    }
    for (const pod of changes.pods) {
      const inbound = this.#inbound.get(pod);
      if (inbound === undefined) continue;
      this.#inbound.delete(pod);
      answers.add(inbound);
    }
    for (const address of changes.addresses) this.touched.addresses.add(address);
  }

  /** Slices may tell a pod its zone after its policy was computed. */
  #forgetZones({ endpoints }: EndpointSlice): void {
    for (const { addresses } of endpoints) {
      const instance = this.#workloads.at(addresses[0] ?? "");
      const key = instance === undefined ? "" : `${instance.namespace}/${instance.name}`;
      const inbound = this.#inbound.get(key);
      if (instance === undefined || inbound === undefined || inbound.zone === this.#zoneOf(instance)) continue;
      this.#inbound.delete(key);
      this.touched.answers.add(inbound);
    }
  }

  #serviceTarget(service: Service, port: number, sourceNamespace: string, node = ""): OutboundTarget {
    const declared = servicePort(service, port);
    if (declared === null) return undeclaredPort(service, port, this.#options.clusterDomain);
    return serviceTarget(service, declared, sourceNamespace, { ...this.#context, node });
  }

  #serviceOf(target: Target, sourceNamespace: string): Service | null {
    const service = target.kind === "address"
      ? this.#context.services.byAddress.get(target.ip) ?? null
      : this.#serviceByName(target.host, sourceNamespace);
    return service === null || service.externalName !== null ? null : service;
  }

  /** "web", "web.shop", "web.shop.svc", "web.shop.svc.cluster.local". */
  #serviceByName(host: string, sourceNamespace: string): Service | null {
    const [name, namespace = sourceNamespace, ...rest] = host.split(".");
    const suffix = rest.join(".");
    if (name === undefined || (suffix !== "" && suffix !== "svc" && suffix !== `svc.${this.#options.clusterDomain}`)) {
      return null;
    }
    return this.#set.get("Service", namespace, name);
  }
}

function memo<T>(map: Map<string, T>, key: string, make: () => T): T {
  let value = map.get(key);
  if (value === undefined) {
    value = make();
    map.set(key, value);
  }
  return value;
}

function unknown(target: Target, egress: Egress | null): OutboundTarget {
  const parent = { group: "", kind: "default", namespace: "", name: "unknown", section: "" };
  return {
    known: false,
    parent,
    authority: target.text,
    port: target.port,
    protocol: "detect",
    routes: [],
    backends: [],
    streamRoutes: [],
    egress,
  };
}

/** One instance by its own address: identity and policy hold, and there is nothing to balance. */
function instanceTarget(instance: Instance, ip: string, port: number): OutboundTarget {
  const { namespace, workload, opaquePorts } = instance;
  const own = workload.ports.find((candidate) => candidate.port === port);
  const opaque = opaquePorts?.has(port, own?.name ?? "") === true;
  const protocol = opaque ? "opaque" as const : protocolOf(own?.appProtocol ?? null);
  const section = String(port);
  const parent = {
    group: workload.kind === "Pod" ? "core" : "workload.tulle.dev",
    kind: workload.kind,
    namespace,
    name: workload.meta.name,
    section,
  };
  const route = {
    route: parent,
    hostnames: [],
    matches: [],
    backends: [{ backend: 0, weight: 1, filters: null }],
    requestTimeoutMs: null,
    backendTimeoutMs: null,
    retry: null,
    requestHeaders: null,
    responseHeaders: null,
    plan: null,
  };
  const endpoints = [instanceEndpoint(instance, ip, port, "")];
  const backend = { backend: parent, port, protocol, endpoints, breaker: null, resilience: null };
  const authority = hostPort(ip, port);
  return {
    known: true,
    parent,
    authority,
    port,
    protocol,
    routes: [route],
    backends: [backend],
    streamRoutes: [],
    egress: null,
  };
}
