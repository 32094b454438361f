/** Whether the parts of the mesh are there, run, and know each other. */
import { X509Certificate } from "node:crypto";
import { errorText } from "../../../src/base/error.ts";
import type { KubeClient } from "../../api/client.ts";
import { TYPES } from "../../api/resource_type.ts";
import {
  CONTROLLER,
  CONTROLLER_ADMIN_PORT,
  EXTRA_ROOTS_CONFIG_MAP,
  ISSUER_SECRET,
  MESH_NAMESPACE,
  NEXT_ISSUER_SECRET,
  WRITER_LEASE,
} from "../../core/cluster_names.ts";
import { certificatesOf } from "../../core/pem.ts";
import { LEASE_MS } from "../../api/lease.ts";
import { ROOTS_KEY } from "../../issuer/cluster_issuer.ts";
import { customResourceDefinitions } from "../../manifests/crds.ts";
import { checkAgents } from "./agent_checks.ts";
import { Section } from "./finding.ts";
import { checkWebhooks } from "./webhook_checks.ts";

/** An issuer that ends sooner is told, milliseconds. */
const ISSUER_WARNING_MS = 60 * 24 * 3_600_000;
const REINSTALL = "tulle install | kubectl apply --server-side -f -";

/** Stands for an object that one may not see. */
const UNSEEN = {};

/** @param nowMs wall clock @returns the section, and the trust bundle in force ("" when it could not be read) */
export async function checkControlPlane(
  client: KubeClient,
  nowMs: number,
): Promise<{ section: Section; bundlePem: string }> {
  const section = new Section("control plane");
  const found = () => client.find(TYPES.Namespace, null, MESH_NAMESPACE);
  if (await section.attempt("the mesh is installed", found, UNSEEN) === null) {
    section.fail("the mesh is installed", `there is no namespace ${MESH_NAMESPACE}`, REINSTALL);
    return { section, bundlePem: "" };
  }
  const attempt = <T>(check: string, look: () => Promise<T>, otherwise: T) => section.attempt(check, look, otherwise);
  await attempt("our kinds are defined", () => checkKinds(client, section), undefined);
  const runs = await attempt("the controller runs", () => checkDeployment(client, section), false);
  await attempt("the network plugin is on every node", () => checkAgents(client, section), undefined);
  await attempt("one controller writes", () => checkLease(client, section, nowMs), undefined);
  const bundlePem = await attempt("the issuer is there", () => checkIssuer(client, section, nowMs), "");
  await attempt("pods get their sidecars", () => checkWebhooks(client, section, bundlePem, runs), undefined);
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
}

/** @returns whether one is ready */
async function checkDeployment(client: KubeClient, section: Section): Promise<boolean> {
  const found = await client.find(TYPES.Deployment, MESH_NAMESPACE, CONTROLLER);
  if (found === null) {
    section.fail("the controller runs", "its Deployment is missing", REINSTALL);
    return false;
  }
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
  return readyReplicas > 0;
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
  if (await client.find(TYPES.Secret, MESH_NAMESPACE, NEXT_ISSUER_SECRET) !== null) {
    const roots = await client.find(TYPES.ConfigMap, MESH_NAMESPACE, EXTRA_ROOTS_CONFIG_MAP);
    const text = ((roots?.["data"] ?? {}) as Readonly<Record<string, string>>)[ROOTS_KEY] ?? "";
    section.warn(
      "the root stays",
      `its exchange is under way, or was cut off; ${certificatesOf(text).length} roots are trusted by now`,
      "tulle ca rotate goes on where it was",
    );
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
