/** Whether the parts of the mesh are there, run, and know each other. */
import { X509Certificate } from "node:crypto";
import { errorText } from "../../../src/base/error.ts";
import type { KubeClient, KubeObject } from "../../api/client.ts";
import { TYPES } from "../../api/resource_type.ts";
import {
  AGENT,
  CONTROLLER,
  CONTROLLER_ADMIN_PORT,
  INJECT_WEBHOOK,
  ISSUER_SECRET,
  MESH_NAMESPACE,
  VALIDATE_WEBHOOK,
  WRITER_LEASE,
} from "../../core/cluster_names.ts";
import { certificatesOf } from "../../core/pem.ts";
import { LEASE_MS } from "../../api/lease.ts";
import { customResourceDefinitions } from "../../manifests/crds.ts";
import { Section } from "./finding.ts";

/** An issuer that ends sooner is told, milliseconds. */
const ISSUER_WARNING_MS = 60 * 24 * 3_600_000;
const REINSTALL = "tulle install | kubectl apply --server-side -f -";

/** @param nowMs wall clock @returns the section, and the trust bundle in force ("" when it could not be read) */
export async function checkControlPlane(
  client: KubeClient,
  nowMs: number,
): Promise<{ section: Section; bundlePem: string }> {
  const section = new Section("control plane");
  if (await client.find(TYPES.Namespace, null, MESH_NAMESPACE) === null) {
    section.fail("the mesh is installed", `there is no namespace ${MESH_NAMESPACE}`, REINSTALL);
    return { section, bundlePem: "" };
  }
  await checkKinds(client, section);
  await checkDeployment(client, section);
  await checkAgents(client, section);
  await checkLease(client, section, nowMs);
  const bundlePem = await checkIssuer(client, section, nowMs);
  await checkWebhooks(client, section, bundlePem);
  await checkConfiguration(client, section);
  return { section, bundlePem };
}

async function checkKinds(client: KubeClient, section: Section): Promise<void> {
  const missing: string[] = [];
  for (const { metadata } of customResourceDefinitions({ version: "" }) as { metadata: { name: string } }[]) {
    if (await client.find(TYPES.CustomResourceDefinition, null, metadata.name) === null) missing.push(metadata.name);
  }
  if (missing.length === 0) section.ok("our kinds are defined");
  else section.fail("our kinds are defined", `missing: ${missing.join(", ")}`, REINSTALL);
}

interface WorkloadStatus {
  readonly readyReplicas?: number;
  readonly desiredNumberScheduled?: number;
  readonly numberReady?: number;
}

async function checkDeployment(client: KubeClient, section: Section): Promise<void> {
  const found = await client.find(TYPES.Deployment, MESH_NAMESPACE, CONTROLLER);
  if (found === null) return section.fail("the controller runs", "its Deployment is missing", REINSTALL);
  const { replicas = 1 } = (found["spec"] ?? {}) as { replicas?: number };
  const { readyReplicas = 0 } = (found["status"] ?? {}) as WorkloadStatus;
  const fix =
    `kubectl -n ${MESH_NAMESPACE} describe pods -l app.kubernetes.io/component=${CONTROLLER}; kubectl -n ${MESH_NAMESPACE} logs deploy/${CONTROLLER}`;
  if (readyReplicas === 0) {
    section.fail(
      "the controller runs",
      `0 of ${replicas} are ready: sidecars go on with what they know, new pods do not start`,
      fix,
    );
  } else if (readyReplicas < replicas) {
    section.warn("the controller runs", `${readyReplicas} of ${replicas} are ready`, fix);
  } else section.ok("the controller runs", `${readyReplicas} of ${replicas} ready`);
}

async function checkAgents(client: KubeClient, section: Section): Promise<void> {
  const found = await client.find(TYPES.DaemonSet, MESH_NAMESPACE, AGENT);
  if (found === null) return section.fail("the network plugin is on every node", "its DaemonSet is missing", REINSTALL);
  const { desiredNumberScheduled = 0, numberReady = 0 } = (found["status"] ?? {}) as WorkloadStatus;
  if (numberReady >= desiredNumberScheduled && desiredNumberScheduled > 0) {
    return section.ok("the network plugin is on every node", `${numberReady} of ${desiredNumberScheduled}`);
  }
  const pods = await client.list(TYPES.Pod, MESH_NAMESPACE, { labelSelector: `app.kubernetes.io/component=${AGENT}` });
  const unready = pods.filter((pod) => !isReady(pod)).map((pod) =>
    (pod["spec"] as { nodeName?: string } | undefined)?.nodeName ?? "?"
  );
  section.fail(
    "the network plugin is on every node",
    `${numberReady} of ${desiredNumberScheduled} agents are ready${
      unready.length === 0 ? "" : `; not on ${unready.join(", ")}`
    }: new meshed pods of those nodes wait`,
    `kubectl -n ${MESH_NAMESPACE} logs daemonset/${AGENT}`,
  );
}

/** Whether a pod's condition Ready is true. */
export function isReady(pod: KubeObject): boolean {
  const { conditions = [] } = (pod["status"] ?? {}) as { conditions?: readonly { type?: string; status?: string }[] };
  return conditions.some(({ type, status }) => type === "Ready" && status === "True");
}

async function checkLease(client: KubeClient, section: Section, nowMs: number): Promise<void> {
  const lease = await client.find(TYPES.Lease, MESH_NAMESPACE, WRITER_LEASE);
  const { holderIdentity = "", renewTime = "" } = (lease?.["spec"] ?? {}) as {
    holderIdentity?: string;
    renewTime?: string;
  };
  const age = nowMs - Date.parse(renewTime);
  if (holderIdentity !== "" && age < 4 * LEASE_MS) return section.ok("one controller writes", holderIdentity);
  const detail = holderIdentity === ""
    ? "none holds the lease"
    : `${holderIdentity} was last heard of ${Math.round(age / 1000)} s ago`;
  section.warn(
    "one controller writes",
    `${detail}: trust bundles are not brought to new namespaces`,
    `kubectl -n ${MESH_NAMESPACE} logs deploy/${CONTROLLER} | grep -i lease`,
  );
}

async function checkIssuer(client: KubeClient, section: Section, nowMs: number): Promise<string> {
  const secret = await client.find(TYPES.Secret, MESH_NAMESPACE, ISSUER_SECRET).catch(() => null);
  const data = (secret?.["data"] ?? {}) as Readonly<Record<string, string>>;
  const pem = Buffer.from(data["tls.crt"] ?? "", "base64").toString("utf8");
  const rootPem = Buffer.from(data["ca.crt"] ?? "", "base64").toString("utf8") || pem;
  if (secret === null) {
    section.fail(
      "the issuer is there",
      `Secret ${MESH_NAMESPACE}/${ISSUER_SECRET} is missing or not yours to read`,
      "let the controller make it (install without --no-create-issuer), or make it by cert-manager or by hand",
    );
    return "";
  }
  try {
    const certificate = new X509Certificate(pem);
    const left = Date.parse(certificate.validTo) - nowMs;
    const day = new Date(certificate.validTo).toISOString().slice(0, 10);
    if (left <= 0) {
      section.fail("the issuer is valid", `it expired on ${day}: no certificate is renewed`, "tulle ca rotate");
    } else if (left < ISSUER_WARNING_MS) section.warn("the issuer is valid", `it expires on ${day}`, "tulle ca rotate");
    else section.ok("the issuer is valid", `until ${day}`);
    return rootPem;
  } catch (error) {
    section.fail(
      "the issuer is valid",
      `tls.crt of Secret ${MESH_NAMESPACE}/${ISSUER_SECRET}: ${errorText(error)}`,
      "put a CA certificate in PEM and its P-256 key there",
    );
    return "";
  }
}

async function checkWebhooks(client: KubeClient, section: Section, bundlePem: string): Promise<void> {
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
    if (trusted.replace(/\s/g, "").includes(root) && trusted !== "") section.ok(check);
    else {
      section.fail(
        check,
        `the API server does not trust the webhook: caBundle of ${name} is not the mesh's`,
        `is a controller running? it writes the caBundle: kubectl -n ${MESH_NAMESPACE} logs deploy/${CONTROLLER}`,
      );
    }
  }
}

/** What the controller itself says of the configuration. */
async function checkConfiguration(client: KubeClient, section: Section): Promise<void> {
  const path = `/api/v1/namespaces/${MESH_NAMESPACE}/services/${CONTROLLER}:${CONTROLLER_ADMIN_PORT}/proxy/config`;
  let config: {
    errors?: string[];
    warnings?: string[];
    objectWarnings?: string[];
    proxies?: { resources?: { refused?: unknown; name?: string }[]; workload?: string }[];
  };
  try {
    config = JSON.parse(await client.text(path));
  } catch (error) {
    return section.warn(
      "the configuration is good",
      `the controller's /config cannot be read: ${errorText(error)}`,
      "you need the right to get services/proxy in its namespace",
    );
  }
  const { errors = [], warnings = [], objectWarnings = [], proxies = [] } = config;
  for (const error of errors) {
    section.fail("the configuration is good", error, "mend the object; its last good state is in force");
  }
  for (const warning of [...warnings, ...objectWarnings].slice(0, 20)) {
    section.warn("the configuration fits together", warning, "");
  }
  for (const { workload, resources = [] } of proxies) {
    for (const { refused, name } of resources) {
      if (refused !== null && refused !== undefined) {
        section.fail(
          "sidecars take what they are sent",
          `${workload} refuses ${name}: ${JSON.stringify(refused)}`,
          "a controller and sidecars of different versions? restart the workload",
        );
      }
    }
  }
  if (errors.length + warnings.length + objectWarnings.length === 0) section.ok("the configuration is good");
}
