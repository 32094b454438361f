/** Values → all objects of an installation, in the order in which they are applied. Pure. */
import { CONTROL_PLANE_LABEL, MESH_NAMESPACE } from "../core/cluster_names.ts";
import { labels, type Manifest } from "./_common.ts";
import { agentManifests } from "./agent.ts";
import { customResourceDefinitions } from "./crds.ts";
import { controllerManifests } from "./controller.ts";
import { podMonitors } from "./pod_monitors.ts";
import type { InstallValues } from "./values.ts";
import { webhookManifests } from "./webhooks.ts";

export type { Manifest } from "./_common.ts";

/** Everything that an installation consists of. */
export function manifests(values: InstallValues): Manifest[] {
  return [
    {
      apiVersion: "v1",
      kind: "Namespace",
      metadata: {
        name: MESH_NAMESPACE,
        labels: {
          ...labels("namespace", values),
          [CONTROL_PLANE_LABEL]: "namespace",
          // The agent enters the namespaces of pods.
          "pod-security.kubernetes.io/enforce": "privileged",
        },
        annotations: { "tulle.dev/inject": "disabled" },
      },
    },
    ...(values.installCrds ? customResourceDefinitions(values) : []),
    ...controllerManifests(values),
    ...agentManifests(values),
    ...webhookManifests(values),
    ...(values.podMonitor.enabled ? podMonitors(values) : []),
  ];
}
