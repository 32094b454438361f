/** Whether a pod gets a sidecar, and why not. Pure. */
import {
  CONTROL_PLANE_LABEL,
  INJECT_ANNOTATION as INJECT,
  PROXY_UID,
  SIDECAR_CONTAINER,
} from "../core/cluster_names.ts";
import { allContainers, type PodTemplate } from "./pod.ts";
import type { Annotations } from "./settings.ts";

export type InjectVerdict =
  | { readonly kind: "inject" }
  /** Nobody asked for it, or it is there already. */
  | { readonly kind: "skip"; readonly reason: string }
  /** Somebody asked for it, and it cannot be. The pod starts without, and the reason is told. */
  | { readonly kind: "refuse"; readonly code: string; readonly reason: string };

/** @param namespace annotations and labels of the pod's namespace */
export function judgePod(
  pod: PodTemplate,
  namespace: { readonly annotations: Annotations; readonly labels: Readonly<Record<string, string>> },
): InjectVerdict {
  const spec = pod.spec ?? {};
  const labels = { ...namespace.labels, ...pod.metadata?.labels };
  if (labels[CONTROL_PLANE_LABEL] !== undefined) return skip("it belongs to the control plane");
  const own = pod.metadata?.annotations?.[INJECT];
  const wanted = own ?? namespace.annotations[INJECT];
  if (wanted === undefined) return skip(`neither the pod nor its namespace has the annotation ${INJECT}`);
  if (wanted === "disabled") return skip(`${INJECT} is disabled`);
  if (wanted !== "enabled") {
    const where = own === undefined ? "its namespace" : "the pod";
    return refuse("bad_annotation", `annotation ${INJECT} of ${where}: found "${wanted}", want enabled or disabled`);
  }
  const containers = allContainers(spec);
  if (containers.some(({ name }) => name === SIDECAR_CONTAINER)) return skip("it has a sidecar already");
  if (spec.hostNetwork === true) {
    return refuse(
      "host_network",
      "it uses its node's network (hostNetwork), which is not its own to capture; take hostNetwork away, or disable the injection",
    );
  }
  const intruder = containers.find((container) => userOf(container, spec) === PROXY_UID);
  if (intruder !== undefined) {
    return refuse(
      "proxy_uid",
      `its container ${intruder.name} runs as user ${PROXY_UID}, whose connections are not captured; give it another runAsUser`,
    );
  }
  return { kind: "inject" };
}

function userOf(container: { readonly securityContext?: { readonly runAsUser?: number } }, spec: PodTemplate["spec"]) {
  return container.securityContext?.runAsUser ?? spec?.securityContext?.runAsUser;
}

function skip(reason: string): InjectVerdict {
  return { kind: "skip", reason };
}

function refuse(code: string, reason: string): InjectVerdict {
  return { kind: "refuse", code, reason };
}
