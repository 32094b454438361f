/** What a pod's status says. */
import type { KubeObject } from "../../api/client.ts";

/** Whether a pod's condition Ready is true. */
export function isReady(pod: KubeObject): boolean {
  const { conditions = [] } = (pod["status"] ?? {}) as { conditions?: readonly { type?: string; status?: string }[] };
  return conditions.some(({ type, status }) => type === "Ready" && status === "True");
}
