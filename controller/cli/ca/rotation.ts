/**
 * The exchange of a running mesh's root, without a restart and without a failed request:
 *
 *   1. the new root is trusted beside the old one     until every sidecar says that it trusts it
 *   2. the new one signs                              until every sidecar has a certificate of it
 *   3. the old root is no longer trusted
 *
 * Each step stands in the cluster (Secret issuer-next, ConfigMap trust-roots, Secret issuer), so that a rotation that was cut
 * off goes on where it was.
 */
import { createHash, X509Certificate } from "node:crypto";
import { errorText } from "../../../src/base/error.ts";
import type { KubeClient, KubeObject } from "../../api/client.ts";
import { TYPES } from "../../api/resource_type.ts";
import { EXTRA_ROOTS_CONFIG_MAP, ISSUER_SECRET, MESH_NAMESPACE, NEXT_ISSUER_SECRET } from "../../core/cluster_names.ts";
import { ROOTS_KEY } from "../../issuer/cluster_issuer.ts";
import type { IssuerMaterial } from "../../issuer/issuer.ts";
import { findPods, type MeshedPod, readSidecarMetrics } from "../cluster_targets.ts";

const MANAGER = "tulle-ca";
/** Wait between two looks at the sidecars, milliseconds. */
const LOOK_MS = 1000;
/** Sidecars asked at once. */
const BATCH = 20;

export interface RotationOptions {
  readonly client: KubeClient;
  /** Makes the new issuer; not called when one waits already. */
  readonly makeIssuer: () => Promise<IssuerMaterial>;
  /** Longest wait of a step, milliseconds. */
  readonly timeoutMs: number;
  readonly onStep: (text: string) => void;
  /** How many sidecars have got where the step wants them. */
  readonly onProgress: (done: number, of: number) => void;
}

export interface RotationResult {
  readonly sidecars: number;
  readonly oldRoot: string;
  readonly newRoot: string;
}

/** @throws Error that names the sidecars that a step waited for in vain; the mesh is whole at every point */
export async function rotateRoot(options: RotationOptions): Promise<RotationResult> {
  const { client, onStep } = options;
  const current = await client.get(TYPES.Secret, MESH_NAMESPACE, ISSUER_SECRET);
  const next = await client.find(TYPES.Secret, MESH_NAMESPACE, NEXT_ISSUER_SECRET) ?? await prepare(options);
  const oldRoot = rootOf(current);
  const newRoot = rootOf(next);
  if (fingerprint(oldRoot) !== fingerprint(newRoot)) {
    onStep("the new root is trusted beside the old one");
    await writeRoots(client, [oldRoot, newRoot]);
    await waitForSidecars(options, "trust the new root", `tulle_trust_root{sha256="${fingerprint(newRoot)}"} 1`);
    onStep("the new root signs");
    await client.apply(TYPES.Secret, secret(ISSUER_SECRET, next), MANAGER);
  }
  // After a cut the old root is only in the ConfigMap; it goes with the last step whatever it was.
  const sidecars = await waitForSidecars(
    options,
    "have a certificate of the new root",
    `tulle_certificate_root{sha256="${fingerprint(newRoot)}"} 1`,
  );
  onStep("the old root is no longer trusted");
  await writeRoots(client, []);
  await client.delete(TYPES.Secret, MESH_NAMESPACE, NEXT_ISSUER_SECRET);
  return { sidecars, oldRoot: fingerprint(oldRoot), newRoot: fingerprint(newRoot) };
}

async function prepare({ client, makeIssuer, onStep }: RotationOptions): Promise<KubeObject> {
  onStep("a new root is made");
  const { keyPem, certificatePem, rootPem } = await makeIssuer();
  const data = {
    "tls.key": toBase64(keyPem),
    "tls.crt": toBase64(certificatePem),
    "ca.crt": toBase64(rootPem === "" ? certificatePem : rootPem),
  };
  return await client.apply(TYPES.Secret, secret(NEXT_ISSUER_SECRET, { metadata: {}, data }), MANAGER);
}

function secret(name: string, from: KubeObject): KubeObject {
  return { metadata: { namespace: MESH_NAMESPACE, name }, type: "kubernetes.io/tls", data: from["data"] };
}

async function writeRoots(client: KubeClient, roots: readonly string[]): Promise<void> {
  const metadata = { namespace: MESH_NAMESPACE, name: EXTRA_ROOTS_CONFIG_MAP };
  await client.apply(TYPES.ConfigMap, { metadata, data: { [ROOTS_KEY]: roots.join("\n") } }, MANAGER);
}

/** Asks all sidecars until each shows the line. @returns how many there are @throws Error with those that do not */
async function waitForSidecars(options: RotationOptions, what: string, line: string): Promise<number> {
  const { client, timeoutMs, onProgress } = options;
  const deadline = performance.now() + timeoutMs;
  while (true) {
    const { pods } = await findPods(client, null, []);
    const late: string[] = [];
    for (let at = 0; at < pods.length; at += BATCH) {
      const answers = await Promise.all(pods.slice(at, at + BATCH).map((pod) => ask(client, pod, line)));
      late.push(...answers.filter((answer) => answer !== ""));
    }
    onProgress(pods.length - late.length, pods.length);
    if (late.length === 0) return pods.length;
    if (performance.now() > deadline) {
      const names = late.slice(0, 10).join("; ");
      throw new Error(
        `${late.length} of ${pods.length} sidecars do not ${what} yet: ${names}${late.length > 10 ? " …" : ""}. ` +
          "Nothing is lost: mend or delete them, and run the same command again; it goes on from here",
      );
    }
    await Bun.sleep(LOOK_MS);
  }
}

/** @returns "" when the sidecar's metrics have the line, otherwise its name and why not */
async function ask(client: KubeClient, pod: MeshedPod, line: string): Promise<string> {
  const { namespace, name } = pod;
  try {
    const text = await readSidecarMetrics(client, pod);
    return text.includes(`${line}\n`) ? "" : `${namespace}/${name}`;
  } catch (error) {
    return `${namespace}/${name} (${errorText(error)})`;
  }
}

function rootOf(from: KubeObject): string {
  const data = (from["data"] ?? {}) as Readonly<Record<string, string>>; // base64 by the API's schema
  const text = (key: string) => Buffer.from(data[key] ?? "", "base64").toString("utf8");
  return text("ca.crt") || text("tls.crt");
}

/** As the sidecars show it. */
function fingerprint(pem: string): string {
  return createHash("sha256").update(new X509Certificate(pem).raw).digest("hex").slice(0, 16);
}

function toBase64(text: string): string {
  return Buffer.from(text).toString("base64");
}
