/**
 * Looks after the meshed pods of a node: those whose traffic is not captured (they started before the agent, or while it was
 * away) are repaired in place. Deleting them instead would cost their users more than the fault did.
 */
import { errorText } from "../../src/base/error.ts";
import { hasCapture, installCapture } from "../../src/capture/capture.ts";
import { Namespace } from "../../src/capture/namespace.ts";
import { captureOf, type NodePod } from "./pod_capture.ts";
import { findPodNamespace } from "./pod_namespace.ts";

export type RepairResult =
  | { readonly kind: "not_meshed" | "captured" | "not_running" }
  | { readonly kind: "repaired"; readonly problems: readonly string[] }
  | { readonly kind: "failed"; readonly reason: string };

/** Looks at one pod and captures its traffic when it is not. Takes a fraction of a millisecond beside reading /proc. */
export function repairPod(pod: NodePod): RepairResult {
  const answer = captureOf(pod);
  if (!answer.meshed) return { kind: "not_meshed" };
  try {
    const path = findPodNamespace(pod.metadata.uid ?? "");
    if (path === null) return { kind: "not_running" };
    using namespace = Namespace.open("net", path);
    return namespace.run(() => {
      if (hasCapture()) return { kind: "captured" };
      installCapture(answer.plan);
      return { kind: "repaired", problems: answer.problems };
    });
  } catch (error) {
    return { kind: "failed", reason: errorText(error) };
  }
}
