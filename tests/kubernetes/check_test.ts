/** Each broken state is made on purpose: `tulle check` tells it from the others, and what mends itself does. Then the way out. */
import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parse, stringify } from "yaml";
import { eventually } from "../support/eventually.ts";
import { startProcess } from "../support/process.ts";
import { Cluster } from "./support/cluster.ts";
import {
  inPod,
  installMesh,
  meshedNamespace,
  podReady,
  READY_TIMEOUT_MS,
  rolledOut,
  shellManifest,
  webManifest,
} from "./support/mesh.ts";
import { configuration, configurationWithout, endSandbox, resetNode, writeConfiguration } from "./support/node.ts";
import { TEST_BED } from "./support/test_bed.ts";

setDefaultTimeout(5 * 60_000);

const CALL = ["curl", "-sS", "--max-time", "20", "http://web.shop/index.html"];
const PLUGIN = "the network plugin is on every node";
const NO_AGENT = "there is no agent on n2: new meshed pods of those nodes wait";

describe.skipIf(TEST_BED === null)("what is broken", () => {
  let cluster: Cluster;
  /** Every object of the cluster, and every file of ours that a node could have, before the install. */
  let before: Traces;
  const folder = mkdtempSync(join(tmpdir(), "tulle-check-"));

  beforeAll(async () => {
    cluster = await Cluster.start({ name: "check", net: "10.74", nodes: 2 });
    await cluster.load("deb");
    before = await traces();
    await installMesh(cluster);
    await meshedNamespace(cluster, "shop");
    await cluster.apply(shellManifest("shop", "front").replace("spec:\n", "spec:\n  nodeName: n1\n"));
    await cluster.apply(webManifest("shop", "web").replace("    spec:\n", "    spec:\n      nodeName: n2\n"));
    await rolledOut(cluster, "shop", "deployment/web");
    await podReady(cluster, "shop", "front");
  });
  afterAll(async () => {
    rmSync(folder, { recursive: true, force: true });
    await cluster?.[Symbol.asyncDispose]();
  });

  interface Traces {
    readonly objects: readonly string[];
    readonly nodes: readonly string[];
  }

  /** Names of all objects but those that come and go with pods, and of files and rules on the nodes. */
  async function traces(): Promise<Traces> {
    const kinds = (await cluster.kubectl(["api-resources", "--verbs=list", "-o", "name"])).trim().split("\n")
      .filter((kind) => !/^(events|componentstatuses|pods$|endpoints|replicasets|leases)/.test(kind));
    const objects = await cluster.kubectl(["get", kinds.join(","), "-A", "--ignore-not-found", "-o", "name"]);
    const meta = await cluster.kubectl(["get", "nodes", "-o", "jsonpath={.items[*].metadata.labels}"]);
    const look =
      'ls /opt/cni/bin /etc/cni/net.d; grep -o \'"type": *"[a-z-]*"\' /etc/cni/net.d/*; find /run/containerd/tulle ! -type d 2>/dev/null; ' +
      "for n in $(ls /run/netns); do nsenter --net=/run/netns/$n nft list tables; done";
    const nodes = await Promise.all(
      ["n1", "n2"].map((node) => cluster.enter(node, ["sh", "-c", `(${look}) 2>&1; true`])),
    );
    return { objects: objects.trim().split("\n").sort(), nodes: [meta, ...nodes] };
  }

  /** Looks until a finding shows that has all these words. @returns the whole report */
  async function told(...words: readonly string[]): Promise<string> {
    return await eventually(async () => {
      const { stdout } = await cluster.tulle(["check"]);
      for (const word of words) if (!stdout.includes(word)) throw new Error(`"${word}" is not said:\n${stdout}`);
      return stdout;
    }, READY_TIMEOUT_MS);
  }

  async function healed(): Promise<void> {
    const { code, stdout } = await cluster.tulle(["check", "--wait", "90s"]);
    expect(`${stdout}${code}`).toContain("0 errors\n0");
  }

  function errorsOf(report: string): string[] {
    return [...report.matchAll(/✗ ([^:]*)/g)].map(([, check = ""]) => check);
  }

  const patch = (what: string, change: object, type = "strategic") =>
    cluster.kubectl(["-n", "tulle", "patch", ...what.split("/"), "--type", type, "-p", JSON.stringify(change)]);
  const agentsOn = (nodeSelector: object | null) =>
    patch("daemonset/cni", { spec: { template: { spec: { nodeSelector } } } });
  const uidsOfWeb = () =>
    cluster.kubectl(["-n", "shop", "get", "pods", "-l", "app=web", "-o", "jsonpath={.items[*].metadata.uid}"]);
  const sidecarOfWeb = () =>
    cluster.kubectl(
      [
        ...["-n", "shop", "get", "pods", "-l", "app=web"],
        ...["-o", "jsonpath={.items[*].status.initContainerStatuses[0].containerID}"],
      ],
    );
  const call = () =>
    eventually(async () => expect(await inPod(cluster, "shop", "front", CALL)).toStartWith("web-"), READY_TIMEOUT_MS);

  test("nothing, after an install", healed);

  test("a node is reset, its network is written anew, and pods start before the agent: told, and repaired in place", async () => {
    const uids = await uidsOfWeb();
    await agentsOn({ "kubernetes.io/hostname": "n1" });
    expect(errorsOf(await told(NO_AGENT))).toEqual([PLUGIN]);
    await writeConfiguration(cluster, "n2", await configurationWithout(cluster, "n2"));
    await resetNode(cluster, "n2");
    const report = await told(NO_AGENT, "✗ sidecars are ready: that of shop/web-");
    expect(report).not.toContain("that of shop/front");
    await agentsOn(null);
    await call();
    await healed();
    expect(await uidsOfWeb()).toBe(uids);
    expect(await configuration(cluster, "n2")).toContain("tulle-cni");
    const reasons = await cluster.kubectl(["-n", "shop", "get", "events", "-o", "jsonpath={.items[*].reason}"]);
    expect(reasons).toContain("CaptureRepaired");
  });

  test("a pod gets a new sandbox while the plugin cannot ask the agent: repaired in place", async () => {
    const uids = await uidsOfWeb();
    await cluster.enter("n2", ["mv", "/run/containerd/tulle/cni.sock", "/run/containerd/tulle/away.sock"]);
    const sidecar = await sidecarOfWeb();
    await endSandbox(cluster, "n2", uids);
    await eventually(async () => expect(await sidecarOfWeb()).not.toBe(sidecar), READY_TIMEOUT_MS);
    await call();
    expect(await uidsOfWeb()).toBe(uids);
    await cluster.enter("n2", ["mv", "/run/containerd/tulle/away.sock", "/run/containerd/tulle/cni.sock"]);
    await healed();
  });

  test("the plugin is in no chain: told with the agent's reason", async () => {
    await cluster.enter("n2", ["mv", "/etc/cni/net.d/10-bridge.conflist", "/etc/cni/net.d/away"]);
    const report = await told(
      "✗ the network plugin is in every node's chain: on n2 it is not: no network configuration",
    );
    expect(errorsOf(report)).toEqual(["the network plugin is in every node's chain"]);
    await cluster.enter("n2", ["mv", "/etc/cni/net.d/away", "/etc/cni/net.d/10-bridge.conflist"]);
    await healed();
  });

  test("the API server does not reach the webhook: told by a pod on trial", async () => {
    const port = (targetPort: string) => patch("service/webhook", { spec: { ports: [{ port: 443, targetPort }] } });
    await port("nowhere");
    // Ends the connections that the API server has by now.
    await cluster.kubectl(["-n", "tulle", "rollout", "restart", "deployment/controller"]);
    await rolledOut(cluster, "tulle", "deployment/controller");
    const report = await told("✗ pods get their sidecars: a pod on trial got none");
    expect(errorsOf(report)).toEqual(["pods get their sidecars"]);
    await port("webhook");
    await healed();
  });

  test("no controller, a foreign certificate of the webhook, a pod that slipped through: each told apart", async () => {
    await cluster.kubectl(["-n", "tulle", "scale", "deployment/controller", "--replicas=0"]);
    // While it ends it still serves, and writes what it must.
    const controllers = ["pod", "-l", "app.kubernetes.io/component=controller", "--timeout=100s"];
    await cluster.kubectl(["-n", "tulle", "wait", "--for=delete", ...controllers]);
    await told("✗ the controller runs: 0 of 0 are ready");
    const caBundle = Buffer.from("-----BEGIN CERTIFICATE-----\nAA==\n-----END CERTIFICATE-----\n").toString("base64");
    const change = [{ op: "replace", path: "/webhooks/0/clientConfig/caBundle", value: caBundle }];
    await patch("mutatingwebhookconfiguration/tulle-inject", change, "json").catch((error: Error) => {
      // The API server may refuse what is no certificate: then take the bundle away.
      if (!error.message.includes("caBundle")) throw error;
      return patch("mutatingwebhookconfiguration/tulle-inject", [{ op: "remove", path: change[0]?.path }], "json");
    });
    await cluster.apply(shellManifest("shop", "slipped"));
    await podReady(cluster, "shop", "slipped");
    const report = await told(
      "shop/slipped has no sidecar",
      "the API server does not trust the webhook",
      "! sidecars hear the controller: shop/front does not",
    );
    expect(errorsOf(report)).toEqual([
      "the controller runs",
      "pods get their sidecars",
      "pods that ask for it are meshed",
    ]);
    await cluster.kubectl(["-n", "tulle", "scale", "deployment/controller", "--replicas=1"]);
    await rolledOut(cluster, "tulle", "deployment/controller");
    await cluster.kubectl(["-n", "shop", "delete", "pod", "slipped", "--now"]);
    await healed();
  });

  test("an older sidecar, and a certificate near its end: told with their pods", async () => {
    const life = [{ op: "add", path: "/spec/template/spec/containers/0/args/-", value: "--leaf-lifetime=20m" }];
    await patch("deployment/controller", life, "json");
    await rolledOut(cluster, "tulle", "deployment/controller");
    await cluster.kubectl(["-n", "shop", "annotate", "pod", "front", "--overwrite", "tulle.dev/injected=0.0.9"]);
    await cluster.kubectl(["-n", "shop", "rollout", "restart", "deployment/web"]);
    await rolledOut(cluster, "shop", "deployment/web");
    const report = await told("✗ certificates are renewed: that of shop/web-", "! sidecars have this version: 1 of 2");
    expect(report).toMatch(/have another than [0-9.]+: shop\/front/);
    expect(errorsOf(report)).toEqual(["certificates are renewed"]);
    await cluster.kubectl(["-n", "tulle", "rollout", "undo", "deployment/controller"]);
    await rolledOut(cluster, "tulle", "deployment/controller");
    await cluster.kubectl(["-n", "shop", "annotate", "pod", "front", "--overwrite", "tulle.dev/injected-"]);
    await cluster.kubectl(["-n", "shop", "rollout", "restart", "deployment/web"]);
    await rolledOut(cluster, "shop", "deployment/web");
    await healed();
  });

  test("an exchange of the root that was cut off: told, and it goes on where it was", async () => {
    const argv = [cluster.binary, "ca", "rotate"];
    await using rotation = startProcess({ argv, env: { KUBECONFIG: cluster.kubeconfig } });
    await rotation.waitForOutput(/the new root signs/, READY_TIMEOUT_MS);
    rotation.signal("SIGKILL");
    await rotation.exited;
    await told("! the root stays: its exchange is under way, or was cut off; 2 roots are trusted by now");
    expect(await cluster.tulle(["ca", "rotate"])).toMatchObject({ code: 0 });
    const { stdout } = await cluster.tulle(["check"]);
    expect(stdout).not.toContain("the root stays");
    await healed();
  });

  test("an API server that does not answer, and a user who may not look: told apart", async () => {
    await cluster.kubectl(["-n", "default", "create", "serviceaccount", "nobody"]);
    const token = (await cluster.kubectl(["-n", "default", "create", "token", "nobody"])).trim();
    const config = parse(await Bun.file(cluster.kubeconfig).text()) as {
      clusters: { cluster: { server: string } }[];
      users: { user: object }[];
    };
    const [{ cluster: where } = { cluster: { server: "" } }] = config.clusters;
    const [who = { user: {} }] = config.users;
    who.user = { token };
    const nobody = join(folder, "nobody");
    writeFileSync(nobody, stringify(config));
    const forbidden = await cluster.tulle(["check", "--kubeconfig", nobody]);
    expect(forbidden.code).toBe(1);
    expect(forbidden.stdout).toContain("✓ the API server answers");
    expect(forbidden.stdout).toContain("✗ nodes are ready: you may not see it: nodes is forbidden");
    expect(forbidden.stdout).toContain(
      "✗ pods that ask for it are meshed: you may not see it: namespaces is forbidden",
    );
    where.server = where.server.replace(/\d+$/, "1");
    const away = join(folder, "away");
    writeFileSync(away, stringify(config));
    const silent = await cluster.tulle(["check", "--kubeconfig", away]);
    expect(silent.code).toBe(1);
    expect(errorsOf(silent.stdout)).toEqual(["the API server answers"]);
    expect(silent.stdout).toContain("ECONNREFUSED");
    await cluster.kubectl(["-n", "default", "delete", "serviceaccount", "nobody"]);
  });

  test("after the uninstall the applications go on, and nothing of the mesh is left anywhere", async () => {
    const { stdout } = await cluster.tulle(["uninstall"]);
    await cluster.kubectl(["annotate", "namespace", "shop", "tulle.dev/inject-"]);
    await cluster.kubectl(["delete", "-f", "-", "--timeout=100s"], stdout);
    await call(); // with the sidecars that are still there
    await cluster.kubectl(["-n", "shop", "rollout", "restart", "deployment/web"]);
    await rolledOut(cluster, "shop", "deployment/web");
    await cluster.kubectl(["-n", "shop", "delete", "pod", "front", "--now"]);
    await cluster.apply(shellManifest("shop", "front"));
    await podReady(cluster, "shop", "front");
    await call();
    await eventually(async () => {
      const pods = await cluster.kubectl(["-n", "shop", "get", "pods", "-o", "yaml"]);
      if (pods.includes("tulle")) throw new Error("a pod has something of the mesh");
    }, READY_TIMEOUT_MS);
    await cluster.kubectl(["delete", "namespace", "shop", "--timeout=100s"]);
    expect(await traces()).toEqual(before);
  });
});
