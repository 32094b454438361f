/**
 * Pods that should be meshed and are not: older than the annotation, admitted while the webhook was away, or of a kind that
 * cannot be. Nobody else would notice, so each gets an Event, and a metric counts them.
 */
import { errorText } from "../../src/base/error.ts";
import type { KubeClient } from "../api/client.ts";
import { writeEvent } from "../api/event.ts";
import { TYPES } from "../api/resource_type.ts";
import { CONTROL_PLANE_LABEL } from "../core/cluster_names.ts";
import type { Gauge } from "../core/metrics.ts";
import type { Pod } from "../kube/resources.ts";
import type { ResourceStore } from "../kube/store.ts";

const INJECT = "tulle.dev/inject";
/** Written by the injector: why it cannot be done. */
const NOT_INJECTED = "tulle.dev/not-injected";
/** How often all pods are looked at, milliseconds: a thousandth of a second for thousands of them. */
const LOOK_MS = 5_000;
/** Events of one look; the next one goes on. A namespace that was just annotated may have thousands of pods. */
const EVENTS_PER_LOOK = 20;
/** A pod that is told is not told again for so long, milliseconds: the cluster forgets events after an hour. */
const REMINDER_MS = 3_600_000;

export interface UnmeshedOptions {
  readonly client: KubeClient;
  readonly store: ResourceStore;
  readonly isWriter: () => boolean;
  readonly gauge: Gauge;
  readonly onTrouble: (pod: string, detail: string) => void;
  /** Wall clock. */
  readonly now: () => number;
}

/** A pod, and why it has no sidecar: the injector's word, "" when it was not asked. */
export interface UnmeshedPod {
  readonly pod: Pod;
  readonly refusal: string;
}

/** Pods that ask for a sidecar, themselves or by their namespace, and run without. */
export function unmeshedPods(store: Pick<ResourceStore, "list" | "get">): UnmeshedPod[] {
  const found: UnmeshedPod[] = [];
  for (const pod of store.list("Pod")) {
    if (pod.meshed || pod.finished || pod.terminating) continue;
    const namespace = store.get("Namespace", "", pod.meta.namespace)?.meta;
    const labels = { ...namespace?.labels, ...pod.meta.labels };
    const wanted = pod.meta.annotations[INJECT] ?? namespace?.annotations[INJECT];
    if (wanted !== "enabled" || labels[CONTROL_PLANE_LABEL] !== undefined) continue;
    found.push({ pod, refusal: pod.meta.annotations[NOT_INJECTED] ?? "" });
  }
  return found;
}

export class UnmeshedPods {
  readonly #options: UnmeshedOptions;
  /** When each was told, by namespace, name and the pod's age. */
  readonly #told = new Map<string, number>();
  #timer: ReturnType<typeof setInterval> | null = null;
  #running = false;

  constructor(options: UnmeshedOptions) {
    this.#options = options;
  }

  start(): void {
    this.#timer = setInterval(() => void this.look(), LOOK_MS);
  }

  close(): void {
    if (this.#timer !== null) clearInterval(this.#timer);
  }

  /** One look; those that were told are passed over. */
  async look(): Promise<void> {
    const { store, gauge, isWriter, now } = this.#options;
    const found = unmeshedPods(store);
    gauge.set(found.length);
    if (this.#running || !isWriter()) return;
    this.#running = true;
    const keys = new Set(found.map(keyOf));
    for (const key of this.#told.keys()) if (!keys.has(key)) this.#told.delete(key);
    const untold = found.filter((each) => now() - (this.#told.get(keyOf(each)) ?? -Infinity) >= REMINDER_MS);
    for (const each of untold.slice(0, EVENTS_PER_LOOK)) await this.#tell(each);
    this.#running = false;
  }

  async #tell(unmeshed: UnmeshedPod): Promise<void> {
    const { client, onTrouble, now } = this.#options;
    const { namespace, name } = unmeshed.pod.meta;
    try {
      const pod = await client.find(TYPES.Pod, namespace, name); // for its UID, without which nobody finds the event
      if (pod !== null && Date.parse(String(pod.metadata["creationTimestamp"])) === unmeshed.pod.meta.createdMs) {
        const about = { apiVersion: "v1", kind: "Pod", namespace, name, uid: pod.metadata.uid ?? "" };
        const message = messageFor(unmeshed);
        await writeEvent(client, about, { type: "Warning", reason: "NotMeshed", message, component: "tulle" }, now());
      }
      this.#told.set(keyOf(unmeshed), now());
    } catch (error) {
      onTrouble(`${namespace}/${name}`, errorText(error));
    }
  }
}

function messageFor({ pod, refusal }: UnmeshedPod): string {
  if (refusal !== "") {
    return `It has no sidecar, because it cannot have one: ${refusal}. Change that, or annotate it with ${INJECT}=disabled.`;
  }
  const owner = pod.owner === null
    ? "make it anew"
    : `restart its ${pod.owner.kind} (kubectl rollout restart, or delete the pod)`;
  return `It has no sidecar although ${INJECT}=enabled asks for one: it is older than the annotation, or came while ` +
    `the webhook was away. Its traffic is neither encrypted nor authorised; ${owner}.`;
}

function keyOf({ pod: { meta } }: UnmeshedPod): string {
  return `${meta.namespace}/${meta.name}/${meta.createdMs}`;
}
