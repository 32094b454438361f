/** cert-manager in a cluster: its own controllers, built from its module, and its kinds. */
import { join } from "node:path";
import { goBuild } from "../../conformance/go_tools.ts";
import { run } from "../../support/process.ts";
import type { Cluster } from "./cluster.ts";
import { rolledOut } from "./mesh.ts";

const MODULE = "github.com/cert-manager/cert-manager";
const VERSION = "v1.21.2";
/** Version of Go that it asks for. */
const LANGUAGE = "1.26.0";
const IMAGE = "cert-manager:test";
const KINDS = ["certificates", "certificaterequests", "issuers", "clusterissuers"];

/** True when it is asked for; otherwise a line says how. Building it takes minutes. */
export function wantsCertManager(): boolean {
  if (process.env["TULLE_CERT_MANAGER"] === "1") return true;
  console.log("skipped: cert-manager is built and tried with TULLE_CERT_MANAGER=1");
  return false;
}

/** Builds cert-manager on first use, and starts it in namespace cert-manager. @throws Error with Go's words */
export async function installCertManager(cluster: Cluster): Promise<void> {
  const source = join(import.meta.dirname, "..", "cert_manager", "main.go");
  const built = await goBuild(source, "cert-manager", MODULE, VERSION, LANGUAGE);
  if ("reason" in built) throw new Error(built.reason);
  const program = built.path("cert-manager");
  const { stdout } = await run({
    argv: ["go", "list", "-mod=mod", "-m", "-f", "{{.Dir}}", MODULE],
    cwd: join(program, ".."),
  });
  for (const kind of KINDS) {
    const file = join(stdout.trim(), "deploy/crds", `cert-manager.io_${kind}.yaml`);
    await cluster.kubectl(["apply", "--server-side", "-f", file]);
    await cluster.kubectl(["wait", "--for=condition=Established", `crd/${kind}.cert-manager.io`, "--timeout=60s"]);
  }
  const entry = ["--user", "1000", "--entrypoint", '["/usr/local/bin/cert-manager"]'];
  await cluster.makeImage([IMAGE], [...entry, `${program}=/usr/local/bin/cert-manager`]);
  await cluster.apply(MANIFEST);
  await rolledOut(cluster, "cert-manager", "deployment/cert-manager");
}

/** Has a Certificate issued again, as `cmctl renew` does. */
export async function renew(cluster: Cluster, namespace: string, name: string): Promise<void> {
  const condition = {
    type: "Issuing",
    status: "True",
    reason: "ManuallyTriggered",
    message: "asked for by a test",
    lastTransitionTime: new Date().toISOString(),
  };
  // A JSON patch, because a merge would drop the other conditions.
  const patch = JSON.stringify([{ op: "add", path: "/status/conditions/-", value: condition }]);
  await cluster.kubectl([
    ...["-n", namespace, "patch", "certificate", name],
    ...["--subresource=status", "--type=json", "-p", patch],
  ]);
}

const MANIFEST = `apiVersion: v1
kind: Namespace
metadata: {name: cert-manager}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: cert-manager}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: cluster-admin}
subjects: [{kind: ServiceAccount, name: default, namespace: cert-manager}]
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: cert-manager, namespace: cert-manager}
spec:
  selector: {matchLabels: {app: cert-manager}}
  template:
    metadata: {labels: {app: cert-manager}}
    spec:
      containers: [{name: cert-manager, image: "${IMAGE}", imagePullPolicy: Never}]
`;
