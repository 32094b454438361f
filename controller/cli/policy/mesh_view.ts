/** A mesh as its own proxies would see it: the controller's index, its messages, and the proxy's decisions on them. */
import { UsageError } from "../../../src/base/error.ts";
import { suggest } from "../../../src/base/suggest.ts";
import { InboundJudge, readPolicy, readTarget } from "../../../src/proxy/explain.ts";
import { parseTarget } from "../../core/target.ts";
import { World } from "../../index/world.ts";
import { instanceName, replicasOf } from "../../kube/instances.ts";
import { keyOf, type Pod, type Resource } from "../../kube/resources.ts";
import { ResourceStore } from "../../kube/store.ts";
import { policyMessage, targetMessage } from "../../serve/snapshot_message.ts";
import type { MeshState } from "./mesh_state.ts";

/** An instance of a workload: a pod, or one of `tulle up`. */
export interface Subject {
  readonly namespace: string;
  /** Of the instance. */
  readonly name: string;
  /** What made it: "Deployment", "StatefulSet" …, "Pod", "ExternalWorkload". */
  readonly kind: string;
  readonly workload: string;
  readonly identity: string;
  readonly meshed: boolean;
  /** The first one; "" while it has none. */
  readonly address: string;
  readonly labels: Readonly<Record<string, string>>;
}

export type TargetSnapshot = ReturnType<typeof readTarget>;

export class MeshView {
  readonly state: MeshState;
  readonly set = new ResourceStore();
  readonly world: World;
  readonly subjects: readonly Subject[];
  readonly #judges = new Map<string, InboundJudge | null>();

  constructor(state: MeshState) {
    this.state = state;
    this.set.replace([...state.resources]);
    this.world = new World(this.set, state.addresses, state.options);
    this.subjects = this.#readSubjects();
  }

  /** The same mesh after objects were applied and others deleted. @param gone keys, "Server shop/web" */
  with(objects: readonly Resource[], gone: ReadonlySet<string> = new Set()): MeshView {
    const keys = new Set(objects.map(keyOf));
    const kept = this.state.resources.filter((resource) => !keys.has(keyOf(resource)) && !gone.has(keyOf(resource)));
    // Age decides between rivals, and an object that is applied again stays as old as it is.
    const ages = new Map(this.state.resources.map((resource) => [keyOf(resource), resource.meta.createdMs]));
    const aged = objects.map((object) => {
      const createdMs = object.meta.createdMs ?? ages.get(keyOf(object)) ?? null;
      return { ...object, meta: { ...object.meta, createdMs } };
    });
    return new MeshView({ ...this.state, resources: [...kept, ...aged] });
  }

  /** What a client's sidecar is told about "host:port". @throws Error for no target */
  target(text: string, from: { readonly namespace: string; readonly name: string }): TargetSnapshot {
    const target = parseTarget(text);
    if (target === null) throw new UsageError(`found "${text}", want host:port`);
    return readTarget(targetMessage(text, this.world.outbound(target, from.namespace, from.name)));
  }

  /** The decisions of an instance's sidecar; null when there is no such instance. */
  judge(namespace: string, name: string): InboundJudge | null {
    const key = `${namespace}/${name}`;
    let judge = this.#judges.get(key);
    if (judge === undefined) {
      const inbound = this.world.inbound(namespace, name);
      judge = inbound === null ? null : new InboundJudge(readPolicy(policyMessage(inbound)));
      this.#judges.set(key, judge);
    }
    return judge;
  }

  /**
   * Instances that a word means: "deploy/web", "web", "web-0", "shop/web", "web.shop".
   * @throws UsageError when there is none
   */
  find(word: string, namespace: string | null): readonly Subject[] {
    const parts = word.split("/");
    const kind = parts.length === 2 ? KINDS[parts[0] ?? ""] : undefined;
    const plain = kind === undefined ? word : parts[1] ?? "";
    const found = this.subjects.filter((subject) => {
      if (kind !== undefined && kind !== subject.kind && kind !== "any" && subject.kind !== "ExternalWorkload") {
        return false;
      }
      return [subject.workload, subject.name].some((name) => {
        if (plain === `${subject.namespace}/${name}` || plain === `${name}.${subject.namespace}`) return true;
        return plain === name && (namespace === null || namespace === subject.namespace);
      });
    });
    if (found.length > 0) return found;
    const names = this.subjects.flatMap((
      { namespace, workload, name },
    ) => [workload, name, `${workload}.${namespace}`]);
    const near = suggest(plain, names);
    const where = namespace === null ? "" : ` in namespace ${namespace}`;
    const known = [...new Set(this.subjects.map((subject) => `${subject.namespace}/${subject.workload}`))].slice(0, 12);
    throw new UsageError(
      `no workload "${word}"${where} in ${this.state.where}.${
        near === null ? ` There are: ${known.join(", ") || "none"}` : ` Did you mean "${near}"?`
      }`,
    );
  }

  /** The same for a word that must mean one workload. @throws UsageError also when it means several */
  findOne(word: string, namespace: string | null): readonly Subject[] {
    const found = this.find(word, namespace);
    const workloads = [...new Set(found.map((each) => `${each.kind} ${each.namespace}/${each.workload}`))];
    if (workloads.length > 1) {
      throw new UsageError(`"${word}" is ${workloads.join(" and ")}: say which, by -n NAMESPACE or as kind/name`);
    }
    return found;
  }

  #readSubjects(): Subject[] {
    const owners = new Map<string, { kind: string; workload: string; labels: Subject["labels"] }>();
    for (const pod of this.set.list("Pod")) {
      owners.set(`${pod.meta.namespace}/${pod.meta.name}`, { ...ownerOf(pod), labels: pod.meta.labels });
    }
    for (const external of this.set.list("ExternalWorkload")) {
      const { namespace, name: workload, labels } = external.meta;
      for (let i = 0; i < replicasOf(external); i++) {
        owners.set(`${namespace}/${instanceName(external, i)}`, { kind: "ExternalWorkload", workload, labels });
      }
    }
    return this.world.workloads().flatMap((summary): Subject[] => {
      const [namespace = "", name = ""] = summary.workload.split("/");
      const owner = owners.get(summary.workload);
      if (owner === undefined) return [];
      return [{
        namespace,
        name,
        ...owner,
        identity: summary.identity,
        meshed: summary.meshed,
        address: summary.addresses[0] ?? "",
      }];
    });
  }
}

/** Kinds as people abbreviate them. On this machine every workload is an ExternalWorkload, and goes by any of them. */
const KINDS: Readonly<Record<string, string>> = {
  deploy: "Deployment",
  deployment: "Deployment",
  sts: "StatefulSet",
  statefulset: "StatefulSet",
  ds: "DaemonSet",
  daemonset: "DaemonSet",
  job: "Job",
  cronjob: "CronJob",
  po: "any",
  pod: "any",
  ew: "ExternalWorkload",
  externalworkload: "ExternalWorkload",
};

function ownerOf({ meta, owner }: Pod): { kind: string; workload: string } {
  if (owner === null) return { kind: "Pod", workload: meta.name };
  const hash = meta.labels["pod-template-hash"];
  if (owner.kind === "ReplicaSet" && hash !== undefined && owner.name.endsWith(`-${hash}`)) {
    return { kind: "Deployment", workload: owner.name.slice(0, -hash.length - 1) };
  }
  const scheduled = owner.kind === "Job" ? /^(.+)-\d{7,}$/.exec(owner.name) : null;
  return scheduled === null
    ? { kind: owner.kind, workload: owner.name }
    : { kind: "CronJob", workload: scheduled[1] ?? owner.name };
}
