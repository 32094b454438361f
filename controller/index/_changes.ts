/**
 * Which answers a change of objects may touch. Pods and slices change all the time, and say exactly what depends on them: an
 * address, a Service. For everything else it is whatever has to do with the namespace, which is coarse and cannot be wrong.
 */
import { type InboundWorkload, INVALID_BACKEND, type OutboundTarget } from "../core/snapshot.ts";
import type { Change } from "../kube/store.ts";
import { serviceOfSlice } from "./_services.ts";

/** Kinds whose addresses endpoints of any namespace may have. */
const WORKLOADS = /^(Pod|ExternalWorkload) /;
/** Kinds that policies of any namespace may refer to. */
const SHARED = /^(MeshTLSAuthentication|NetworkAuthentication) /;

/** What pods and slices alone can touch. */
export class EndpointChanges {
  /** "namespace/service" */
  readonly #services = new Set<string>();
  /** "namespace/pod" */
  readonly pods = new Set<string>();
  /** Of pods, before and after. */
  readonly addresses = new Set<string>();

  /** @returns null when other kinds are among them */
  static of(changed: ReadonlyMap<string, Change>): EndpointChanges | null {
    const found = new EndpointChanges();
    for (const { before, after } of changed.values()) {
      if (!found.#note(before) || !found.#note(after)) return null;
    }
    return found;
  }

  touchTarget({ backends }: OutboundTarget): boolean {
    for (const { backend, endpoints } of backends) {
      if (this.#services.has(`${backend.namespace}/${backend.name}`)) return true;
      if (this.addresses.size > 0) { for (const { ip } of endpoints) if (this.addresses.has(ip)) return true; }
    }
    return false;
  }

  #note(object: Change["before"]): boolean {
    if (object === null) return true;
    if (object.kind === "EndpointSlice") {
      const service = serviceOfSlice(object);
      if (service !== null) this.#services.add(service);
      return true;
    }
    if (object.kind !== "Pod") return false;
    this.pods.add(`${object.meta.namespace}/${object.meta.name}`);
    for (const ip of object.podIPs) this.addresses.add(ip);
    return true;
  }
}

/** What any change can touch. */
export class Changes {
  readonly #namespaces = new Set<string>();
  readonly #touchesShared: boolean;
  readonly #touchesWorkloads: boolean;

  /** @param keys of the changed objects: "Service shop/web", "Namespace shop" */
  constructor(keys: Iterable<string>) {
    let touchesShared = false;
    let touchesWorkloads = false;
    for (const key of keys) {
      const name = key.slice(key.indexOf(" ") + 1);
      const slash = name.indexOf("/");
      this.#namespaces.add(slash < 0 ? name : name.slice(0, slash));
      touchesShared ||= SHARED.test(key);
      touchesWorkloads ||= WORKLOADS.test(key);
    }
    this.#touchesShared = touchesShared;
    this.#touchesWorkloads = touchesWorkloads;
  }

  /** @param viewer namespace whose routes make the answer its own; "" or "ip" for none */
  touchTarget({ parent, routes, backends }: OutboundTarget, viewer: string): boolean {
    const namespaces = this.#namespaces;
    if (namespaces.has(parent.namespace) || namespaces.has(viewer)) return true;
    for (const { backend, endpoints } of backends) {
      if (namespaces.has(backend.namespace)) return true;
      for (const { workload } of endpoints) {
        // An address of nobody may be somebody's now: slices made by hand lead anywhere.
        if (workload === null ? this.#touchesWorkloads : namespaces.has(workload.namespace)) return true;
      }
    }
    for (const { route, backends, plan } of routes) {
      if (namespaces.has(route.namespace)) return true;
      // A backend that is missing may be there now, in whatever namespace.
      if (plan !== null && plan.mirrors.some(isInvalid)) return true;
      for (const share of backends) {
        if (isInvalid(share) || (share.filters !== null && share.filters.mirrors.some(isInvalid))) return true;
      }
    }
    return false;
  }

  touchInbound({ workload }: InboundWorkload): boolean {
    return this.#touchesShared || this.#namespaces.has(workload.namespace);
  }
}

function isInvalid({ backend }: { readonly backend: number }): boolean {
  return backend === INVALID_BACKEND;
}
