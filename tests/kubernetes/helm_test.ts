/** The chart on a real cluster: install, mesh a pod, and leave nothing. */
import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { join } from "node:path";
import { canHaveHelm, helmProgram } from "../support/helm.ts";
import { run } from "../support/process.ts";
import { Cluster, IMAGE } from "./support/cluster.ts";
import {
  meshedNamespace,
  metricsOf,
  NODES_OWN,
  podAddresses,
  podReady,
  rolledOut,
  shellManifest,
} from "./support/mesh.ts";
import { TEST_BED } from "./support/test_bed.ts";

setDefaultTimeout(4 * 60_000);
const BUILD_TIMEOUT_MS = 1_000_000;
const CHART = join(import.meta.dirname, "../../deploy/helm/tulle");

describe.skipIf(TEST_BED === null || !canHaveHelm())("helm", () => {
  let cluster: Cluster;
  let helm = "";

  beforeAll(async () => {
    helm = await helmProgram();
    cluster = await Cluster.start({ name: "helm", net: "10.94" });
    await cluster.load("deb");
  }, BUILD_TIMEOUT_MS);
  afterAll(async () => await cluster?.[Symbol.asyncDispose]());

  async function helmRun(...args: string[]): Promise<string> {
    const argv = [helm, "--kubeconfig", cluster.kubeconfig, ...args];
    const { code, stdout, stderr } = await run({ argv, timeoutMs: 180_000 });
    if (code !== 0) throw new Error(`helm ${args.join(" ")}: ${stderr}`);
    return stdout;
  }

  test("helm install gives a mesh that tulle check finds well", async () => {
    const chart = [CHART, "-n", "tulle", "--create-namespace", "--set", `image=${IMAGE}`, ...NODES_OWN];
    expect(await helmRun("install", "tulle", ...chart)).toContain("tulle check --wait 60s");
    await rolledOut(cluster, "tulle", "deployment/controller");
    await rolledOut(cluster, "tulle", "daemonset/cni");
    const { code, stdout } = await cluster.tulle(["check", "--wait", "60s"]);
    expect(`${stdout}${code}`).toContain("0 errors\n0");
    await meshedNamespace(cluster, "shop");
    await cluster.apply(shellManifest("shop", "front"));
    await podReady(cluster, "shop", "front");
    const [front = ""] = await podAddresses(cluster, "shop", "app=front");
    expect(await metricsOf(front)).toContain("tulle_controller_connected 1\n");
  });

  test("what Helm has made is Helm's: tulle upgrade and uninstall name its commands", async () => {
    for (const verb of ["upgrade", "uninstall"]) {
      const { code, stdout, stderr } = await cluster.tulle([verb]);
      expect({ code, stdout }).toEqual({ code: 2, stdout: "" });
      expect(stderr).toContain(`helm ${verb} tulle`);
    }
  });

  test("helm upgrade changes values, and helm uninstall takes the plugin out of the node", async () => {
    await helmRun("upgrade", "tulle", CHART, "-n", "tulle", "--reuse-values", "--set", "controllerReplicas=2");
    await rolledOut(cluster, "tulle", "deployment/controller");
    expect(await cluster.kubectl(["-n", "tulle", "get", "pdb", "-o", "name"])).toContain("controller");
    await helmRun("uninstall", "tulle", "-n", "tulle");
    await cluster.kubectl(["delete", "namespace", "tulle", "--timeout=100s"]);
    expect(await cluster.enter("n1", ["sh", "-c", "ls /opt/cni/bin; cat /etc/cni/net.d/*"])).not.toContain("tulle");
  });
});
