/** Webhook configurations. The trust in us (caBundle) is written by the controller, which knows the bundle in force. */
import {
  CONTROL_PLANE_LABEL,
  CONTROLLER,
  INJECT_PATH,
  INJECT_WEBHOOK,
  MESH_NAMESPACE,
  VALIDATE_PATH,
  VALIDATE_WEBHOOK,
  WEBHOOK_SERVICE,
} from "../core/cluster_names.ts";
import { clusterWide, type Manifest } from "./_common.ts";
import type { InstallValues } from "./values.ts";

/** Longest time that a pod's creation waits for us, seconds. */
const TIMEOUT_SECONDS = 5;

/** Both configurations. */
export function webhookManifests(values: InstallValues): Manifest[] {
  const api = "admissionregistration.k8s.io/v1";
  return [
    clusterWide(api, "MutatingWebhookConfiguration", INJECT_WEBHOOK, CONTROLLER, values, {
      webhooks: [{
        ...common("inject.tulle.dev", INJECT_PATH),
        // Unless the user says otherwise: a pod without its sidecar is found and told; a cluster that cannot make pods is none.
        failurePolicy: values.webhookFailurePolicy,
        sideEffects: "NoneOnDryRun",
        reinvocationPolicy: "IfNeeded",
        // Namespaces cannot be selected by annotation: all are asked about, but those of the cluster and our own.
        namespaceSelector: {
          matchExpressions: [
            {
              key: "kubernetes.io/metadata.name",
              operator: "NotIn",
              values: ["kube-system", "kube-node-lease", MESH_NAMESPACE],
            },
            { key: CONTROL_PLANE_LABEL, operator: "DoesNotExist" },
          ],
        },
        objectSelector: { matchExpressions: [{ key: CONTROL_PLANE_LABEL, operator: "DoesNotExist" }] },
        rules: [{
          apiGroups: [""],
          apiVersions: ["v1"],
          resources: ["pods"],
          operations: ["CREATE"],
          scope: "Namespaced",
        }],
      }],
    }),
    clusterWide(api, "ValidatingWebhookConfiguration", VALIDATE_WEBHOOK, CONTROLLER, values, {
      webhooks: [{
        ...common("validate.tulle.dev", VALIDATE_PATH),
        // What slips through is refused by the controller all the same, and told there.
        failurePolicy: "Ignore",
        sideEffects: "None",
        rules: [{
          apiGroups: ["policy.tulle.dev", "workload.tulle.dev"],
          apiVersions: ["*"],
          resources: ["*"],
          operations: ["CREATE", "UPDATE"],
          scope: "Namespaced",
        }],
      }],
    }),
  ];
}

function common(name: string, path: string): Manifest {
  return {
    name,
    admissionReviewVersions: ["v1"],
    timeoutSeconds: TIMEOUT_SECONDS,
    clientConfig: { service: { namespace: MESH_NAMESPACE, name: WEBHOOK_SERVICE, path, port: 443 } },
  };
}
