/** Whether the API server knows our webhooks, trusts them, and gets answers from them. */
import { errorText } from "../../../src/base/error.ts";
import { ApiError } from "../../api/api_error.ts";
import type { KubeClient } from "../../api/client.ts";
import { TYPES } from "../../api/resource_type.ts";
import { CONTROLLER, INJECT_WEBHOOK, MESH_NAMESPACE, VALIDATE_WEBHOOK } from "../../core/cluster_names.ts";
import { certificatesOf } from "../../core/pem.ts";
import { hasSidecar } from "../cluster_targets.ts";
import type { Section } from "./finding.ts";

const REINSTALL = "tulle install | kubectl apply --server-side -f -";

/**
 * @param bundlePem of the mesh
 * @param runs whether a controller is ready: without one there is nothing to try, and that was said already
 */
export async function checkWebhooks(
  client: KubeClient,
  section: Section,
  bundlePem: string,
  runs: boolean,
): Promise<void> {
  for (
    const [type, name] of [
      [TYPES.MutatingWebhookConfiguration, INJECT_WEBHOOK],
      [TYPES.ValidatingWebhookConfiguration, VALIDATE_WEBHOOK],
    ] as const
  ) {
    const check = name === INJECT_WEBHOOK ? "pods get their sidecars" : "our kinds are validated";
    const found = await client.find(type, null, name);
    const [webhook] = (found?.["webhooks"] ?? []) as { clientConfig?: { caBundle?: string } }[];
    if (webhook === undefined) {
      section.fail(check, `${type.kind} ${name} is missing`, REINSTALL);
      continue;
    }
    const trusted = Buffer.from(webhook.clientConfig?.caBundle ?? "", "base64").toString("utf8");
    const root = (certificatesOf(bundlePem)[0] ?? "").replace(/\s/g, "");
    if (trusted.replace(/\s/g, "").includes(root) && trusted !== "") {
      if (name === INJECT_WEBHOOK && runs) await tryInjection(client, section, check);
      else section.ok(check);
    } else {
      section.fail(
        check,
        `the API server does not trust the webhook: caBundle of ${name} is not the mesh's`,
        `is a controller running? it writes the caBundle: kubectl -n ${MESH_NAMESPACE} logs deploy/${CONTROLLER}`,
      );
    }
  }
}

/** Namespace of the trial: each cluster has it. */
const TRIAL_NAMESPACE = "default";

/** A pod that passes whatever admission asks of pods. It is never made: the request says dryRun. */
const TRIAL_POD = {
  apiVersion: "v1",
  kind: "Pod",
  metadata: { name: "tulle-check", annotations: { "tulle.dev/inject": "enabled" } },
  spec: {
    securityContext: { runAsNonRoot: true, runAsUser: 1000, seccompProfile: { type: "RuntimeDefault" } },
    containers: [{
      name: "trial",
      image: "tulle",
      securityContext: { allowPrivilegeEscalation: false, capabilities: { drop: ["ALL"] } },
    }],
  },
};

/** Sees the whole way: that the API server reaches the webhook, believes its certificate, and takes its answer. */
async function tryInjection(client: KubeClient, section: Section, check: string): Promise<void> {
  const path = `/api/v1/namespaces/${TRIAL_NAMESPACE}/pods`;
  try {
    const pod = await client.json<Parameters<typeof hasSidecar>[0]>("POST", path, {
      query: { dryRun: "All" },
      body: TRIAL_POD,
    });
    if (hasSidecar(pod)) return section.ok(check);
    section.fail(
      check,
      "a pod on trial got none: the API server does not reach the webhook, or does not believe its certificate",
      `has its Service endpoints? kubectl -n ${MESH_NAMESPACE} get endpointslices; else see the API server's log for ${INJECT_WEBHOOK}`,
    );
  } catch (error) {
    // Who may not create pods has seen all the rest.
    if (error instanceof ApiError && error.status === 403) return section.ok(check);
    section.warn(check, `it could not be tried: ${errorText(error)}`, "");
  }
}
