/**
 * Pods that should be meshed and are not: older than the annotation, admitted while the webhook was away, or of a kind that
 * cannot be. Nobody else would notice, so each gets an Event, and a metric counts them.
 */
import type { KubeClient } from "../api/client.ts";
import { writeEvent } from "../api/event.ts";
import { TYPES } from "../api/resource_type.ts";
import { CONTROL_PLANE_LABEL, INJECT_ANNOTATION as INJECT, REFUSED_ANNOTATION } from "../core/cluster_names.ts";
import type { Gauge } from "../core/metrics.ts";
import type { Pod } from "../kube/resources.ts";
import type { ResourceStore } from "../kube/store.ts";
import { EventTeller } from "./event_teller.ts";

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
    found.push({ pod, refusal: pod.meta.annotations[REFUSED_ANNOTATION] ?? "" });
  }
  return found;
}

/** Counts them, and tells them, as long as it runs. */
export function unmeshedPodEvents(options: UnmeshedOptions): EventTeller<UnmeshedPod> {
  const { client, store, gauge, isWriter, onTrouble, now } = options;
  return new EventTeller({
    find() {
      const found = unmeshedPods(store);
      gauge.set(found.length);
      return found;
    },
    keyOf: ({ pod: { meta } }) => `${meta.namespace}/${meta.name}/${meta.createdMs}`,
    tell: (unmeshed) => tell(client, unmeshed, now()),
    isWriter,
    onTrouble: ({ pod: { meta } }, detail) => onTrouble(`${meta.namespace}/${meta.name}`, detail),
    now,
  });
}

async function tell(client: KubeClient, unmeshed: UnmeshedPod, nowMs: number): Promise<void> {
  const { namespace, name, createdMs } = unmeshed.pod.meta;
  const pod = await client.find(TYPES.Pod, namespace, name); // for its UID, without which nobody finds the event
  if (pod === null || Date.parse(String(pod.metadata["creationTimestamp"])) !== createdMs) return;
  const about = { apiVersion: "v1", kind: "Pod", namespace, name, uid: pod.metadata.uid ?? "" };
  const message = messageFor(unmeshed);
  await writeEvent(client, about, { type: "Warning", reason: "NotMeshed", message, component: "tulle" }, nowMs);
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
