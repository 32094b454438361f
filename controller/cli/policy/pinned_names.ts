/** Whether the sidecar of a workload holds names against what the workload's nameserver gave for them. */
import type { ResourceStore } from "../../kube/store.ts";

const EGRESS_DNS = "tulle.dev/egress-dns";

/** @param name of the instance; its namespace's annotation holds where it says nothing */
export function pinsNames(set: ResourceStore, namespace: string, name: string, workload: string): boolean {
  const own = set.get("Pod", namespace, name)?.meta ?? set.get("ExternalWorkload", namespace, workload)?.meta;
  return (own?.annotations[EGRESS_DNS] ?? ofNamespace(set, namespace) ?? "off") === "pinned";
}

/** Whether workloads of a namespace do unless they say otherwise. */
export function namespacePinsNames(set: ResourceStore, namespace: string): boolean {
  return ofNamespace(set, namespace) === "pinned";
}

function ofNamespace(set: ResourceStore, namespace: string): string | undefined {
  return set.list("Namespace").find(({ meta }) => meta.name === namespace)?.meta.annotations[EGRESS_DNS];
}
