/**
 * Instances by name and address. Built once, then told which pods changed: to go through thousands of pods for each change of
 * one would cost more than all else.
 */
import type { Addresses } from "../kube/addresses.ts";
import { keyOf, type Namespace, type Pod } from "../kube/resources.ts";
import type { Change, ResourceSet } from "../kube/store.ts";
import type { Report } from "./_report.ts";
import { selectsLabels } from "./_selector.ts";
import { type IndexOptions, type Instance, instancesOf, podInstance } from "./_workloads.ts";

/** Instances of pods, with the namespace they were made with: most pods are the same from one world to the next. */
export type PodInstances = WeakMap<Pod, { readonly namespace: Namespace | null; readonly instance: Instance }>;

type Labels = Readonly<Record<string, string>>;

const NONE: readonly Instance[] = [];

export class WorkloadIndex {
  readonly #set: ResourceSet;
  readonly #options: IndexOptions;
  readonly #known: PodInstances;
  readonly #byName = new Map<string, Instance>();
  /** Instances that say they have an address: pods by name, then ExternalWorkloads. One holds it. */
  readonly #claims = new Map<string, Instance[]>();
  readonly #externalIn = new Map<string, Instance[]>();

  constructor(set: ResourceSet, addresses: Addresses, options: IndexOptions, report: Report, known: PodInstances) {
    this.#set = set;
    this.#options = options;
    this.#known = known;
    for (const pod of set.list("Pod")) if (!pod.finished) this.#add(this.#instanceOf(pod, report), report);
    for (const workload of set.list("ExternalWorkload")) {
      const { namespace } = workload.meta;
      const instances = instancesOf(workload, set, addresses, options, report);
      for (const instance of instances) this.#add(instance, report);
      this.#externalIn.set(namespace, [...this.#externalIn.get(namespace) ?? [], ...instances]);
    }
  }

  /** @param name "namespace/instance" */
  get(name: string): Instance | undefined {
    return this.#byName.get(name);
  }

  all(): Iterable<Instance> {
    return this.#byName.values();
  }

  /** Whoever holds an address. */
  at(ip: string): Instance | undefined {
    const claims = this.#claims.get(ip);
    return claims === undefined ? undefined : holderOf(claims);
  }

  /** Instances of ExternalWorkloads of a namespace, in order of name. */
  externalIn(namespace: string): readonly Instance[] {
    return this.#externalIn.get(namespace) ?? NONE;
  }

  /** True when a selector of a namespace selects a pod. Looks at all pods. */
  selectsPod(namespace: string, selector: Labels): boolean {
    return this.#set.list("Pod").some(({ meta, finished }) =>
      !finished && meta.namespace === namespace && selectsLabels(selector, meta.labels)
    );
  }

  /** Pods came, went or became different; nothing else did. */
  update(changes: Iterable<Change>, report: Report): void {
    for (const { before, after } of changes) {
      if (before?.kind === "Pod") this.#remove(before);
      if (after?.kind === "Pod" && !after.finished) this.#add(this.#instanceOf(after, report), report);
    }
  }

  #instanceOf(pod: Pod, report: Report): Instance {
    const namespace = this.#set.get("Namespace", "", pod.meta.namespace);
    const before = this.#known.get(pod);
    if (before !== undefined && before.namespace === namespace) return before.instance;
    const instance = podInstance(pod, this.#set, this.#options, report);
    this.#known.set(pod, { namespace, instance });
    return instance;
  }

  #add(instance: Instance, report: Report): void {
    const { workload, addresses } = instance;
    const name = nameOf(instance);
    // An ExternalWorkload has a name before a pod has it.
    if (workload.kind !== "Pod" || this.#byName.get(name)?.workload.kind !== "ExternalWorkload") {
      this.#byName.set(name, instance);
    }
    for (const ip of addresses) {
      const claims = this.#claims.get(ip);
      if (claims === undefined) {
        this.#claims.set(ip, [instance]);
        continue;
      }
      const holder = holderOf(claims);
      // An address moves from one pod to the next before everybody has heard of it.
      if (holder !== undefined && !isTerminating(holder) && !isTerminating(instance)) {
        report.warn(keyOf(workload), `its address ${ip} belongs to ${nameOf(holder)} already`);
      }
      claims.push(instance);
      claims.sort(byClaim);
    }
  }

  #remove(pod: Pod): void {
    const instance = this.#known.get(pod)?.instance;
    if (instance === undefined) return;
    const name = nameOf(instance);
    if (this.#byName.get(name) === instance) this.#byName.delete(name);
    for (const ip of instance.addresses) {
      const claims = this.#claims.get(ip)?.filter((claim) => claim !== instance) ?? [];
      if (claims.length === 0) this.#claims.delete(ip);
      else this.#claims.set(ip, claims);
    }
  }
}

/** The first that is not about to go; else the last. */
function holderOf(claims: readonly Instance[]): Instance | undefined {
  return claims.find((claim) => !isTerminating(claim)) ?? claims.at(-1);
}

function isTerminating({ workload }: Instance): boolean {
  return workload.kind === "Pod" && workload.terminating;
}

function byClaim(a: Instance, b: Instance): number {
  if (a.workload.kind !== b.workload.kind) return a.workload.kind === "Pod" ? -1 : 1;
  const [left, right] = [nameOf(a), nameOf(b)];
  return left < right ? -1 : left > right ? 1 : 0;
}

function nameOf({ namespace, name }: Instance): string {
  return `${namespace}/${name}`;
}
