/** What a cluster does to a mesh, under load: rollouts, and the death of each part in turn. No request may fail. */
import { afterAll, beforeAll, beforeEach, describe, expect, setDefaultTimeout, test } from "bun:test";
import { resourcePath, TYPES } from "../../controller/api/resource_type.ts";
import { eventually } from "../support/eventually.ts";
import { Cluster, IMAGE, NEXT_IMAGE } from "./support/cluster.ts";
import { appManifest, loadReport, moreRequests, startLoad } from "./support/load.ts";
import {
  inPod,
  installMesh,
  meshedNamespace,
  metricsOf,
  podAddresses,
  podReady,
  READY_TIMEOUT_MS,
  rolledOut,
  shellManifest,
  sumOf,
} from "./support/mesh.ts";
import { TEST_BED } from "./support/test_bed.ts";

setDefaultTimeout(6 * 60_000);

/** Requests a second: what two cores carry beside a control plane. */
const RATE = Number(process.env["TULLE_LOAD_RATE"] ?? 100);
/** Requests after each fault. */
const MORE = Number(process.env["TULLE_LOAD_REQUESTS"] ?? 400);

describe.skipIf(TEST_BED === null)("under load", () => {
  let cluster: Cluster;

  beforeAll(async () => {
    cluster = await Cluster.start({ name: "fault", net: "10.72" });
    await cluster.load("deb");
    await installMesh(cluster);
    await meshedNamespace(cluster, "shop");
    await cluster.apply(appManifest("shop", "web", 3));
    await rolledOut(cluster, "shop", "deployment/web");
    await startLoad(cluster, "shop", "load", "http://web.shop/", RATE);
  });
  afterAll(async () => await cluster?.[Symbol.asyncDispose]());

  beforeEach(async () => {
    expect(await loadReport(cluster, "shop", "load")).toMatchObject({ failed: 0, reasons: {} });
  });

  async function nothingFailed(): Promise<void> {
    const report = await moreRequests(cluster, "shop", "load", MORE);
    console.log(`${report.requests} requests so far, slowest ${report.slowestMs} ms`);
    expect(report).toMatchObject({ failed: 0, reasons: {} });
  }

  /** Ends a component of the node for real; the test bed starts it again after a second. */
  async function killComponent(name: string): Promise<void> {
    await cluster.enter("n1", [
      "sh",
      "-c",
      `kill -9 $(cat ${cluster.kubeconfig.replace(/\/pki\/.*$/, "")}/n1/${name}.pid)`,
    ]);
  }

  test("the load is meshed", async () => {
    await nothingFailed();
    const [load = ""] = await podAddresses(cluster, "shop", "app=load");
    const metrics = await metricsOf(load);
    expect(sumOf(metrics, "response_total", 'tls="true"', 'dst_service="web"')).toBeGreaterThan(MORE / 2);
    expect(sumOf(metrics, "response_total", 'tls="no_identity"')).toBe(0);
  });

  test("rollout restart", async () => {
    await cluster.kubectl(["-n", "shop", "rollout", "restart", "deployment/web"]);
    await rolledOut(cluster, "shop", "deployment/web");
    await nothingFailed();
  });

  test("down to one and up again", async () => {
    await cluster.kubectl(["-n", "shop", "scale", "deployment/web", "--replicas=1"]);
    await moreRequests(cluster, "shop", "load", MORE);
    await cluster.kubectl(["-n", "shop", "scale", "deployment/web", "--replicas=3"]);
    await rolledOut(cluster, "shop", "deployment/web");
    await nothingFailed();
  });

  test("to nothing and back: refused soon and by name, then served at once", async () => {
    await cluster.apply(appManifest("shop", "nap", 1));
    await cluster.apply(shellManifest("shop", "caller"));
    await rolledOut(cluster, "shop", "deployment/nap");
    await podReady(cluster, "shop", "caller");
    const url = ["-s", "-o", "/dev/null", "-w", "%{http_code} %header{tulle-error}", "http://nap.shop/"];
    const call = () => inPod(cluster, "shop", "caller", ["curl", "--max-time", "20", ...url]);
    expect(await call()).toBe("200 ");
    await cluster.kubectl(["-n", "shop", "scale", "deployment/nap", "--replicas=0"]);
    await eventually(async () => expect(await call()).toMatch(/^503 (no_endpoints|fail_fast)/), READY_TIMEOUT_MS);
    await cluster.kubectl(["-n", "shop", "scale", "deployment/nap", "--replicas=2"]);
    await rolledOut(cluster, "shop", "deployment/nap");
    await eventually(async () => expect(await call()).toBe("200 "), READY_TIMEOUT_MS);
    for (let i = 0; i < 10; i++) expect(await call()).toBe("200 ");
    await cluster.kubectl(["-n", "shop", "delete", "deployment/nap", "service/nap", "pod/caller", "--now"]);
    await nothingFailed();
  });

  test("the mesh gets another version: its parts, then the sidecars", async () => {
    const sidecars = [
      "-n",
      "shop",
      "get",
      "pods",
      "-l",
      "app=web",
      "-o",
      "jsonpath={.items[*].spec.initContainers[0].image}",
    ];
    const { code, stdout, stderr } = await cluster.tulle(["upgrade", "--image", NEXT_IMAGE]);
    expect([code, stderr]).toEqual([0, expect.stringContaining(`image ${IMAGE} → ${NEXT_IMAGE}`)]);
    await cluster.apply(stdout);
    for (const part of ["deployment/controller", "daemonset/cni"]) await rolledOut(cluster, "tulle", part);
    const images = ["-n", "tulle", "get", "pods", "-o", "jsonpath={.items[*].spec.containers[0].image}"];
    await eventually(async () => {
      expect(new Set((await cluster.kubectl(images)).split(" "))).toEqual(new Set([NEXT_IMAGE]));
    }, READY_TIMEOUT_MS);
    expect(await cluster.kubectl(sidecars)).toBe([IMAGE, IMAGE, IMAGE].join(" ")); // nobody is restarted unasked
    await nothingFailed();
    await cluster.kubectl(["-n", "shop", "rollout", "restart", "deployment/web"]);
    await rolledOut(cluster, "shop", "deployment/web");
    await eventually(async () => {
      expect(await cluster.kubectl(sidecars)).toBe([NEXT_IMAGE, NEXT_IMAGE, NEXT_IMAGE].join(" "));
    }, READY_TIMEOUT_MS);
    await nothingFailed();
    const check = await cluster.tulle(["check", "--wait", "60s"]);
    expect(`${check.stdout}${check.code}`).toContain("0 errors\n0");
  });

  test("the controller is killed", async () => {
    await cluster.kubectl([
      "-n",
      "tulle",
      "delete",
      "pod",
      "-l",
      "app.kubernetes.io/component=controller",
      "--grace-period=0",
      "--force",
    ]);
    await nothingFailed();
    await rolledOut(cluster, "tulle", "deployment/controller");
    await nothingFailed();
  });

  test("the controller is replaced: no pod is made without its sidecar meanwhile", async () => {
    const pod = { metadata: { generateName: "p-" }, spec: { containers: [{ name: "a", image: "busybox:1.35" }] } };
    const path = `${resourcePath(TYPES.Pod, "shop")}?dryRun=All`;
    let made = 0;
    let isOver = false;
    const creating = (async () => {
      while (!isOver) {
        const { spec } = await cluster.client.json("POST", path, { body: pod }) as {
          spec?: { initContainers?: object[] };
        };
        expect(spec?.initContainers?.[0]).toMatchObject({ name: "tulle-proxy" });
        made++;
      }
    })();
    await cluster.kubectl(["-n", "tulle", "rollout", "restart", "deployment/controller"]);
    await rolledOut(cluster, "tulle", "deployment/controller");
    await eventually(async () => {
      expect(await podAddresses(cluster, "tulle", "app.kubernetes.io/component=controller")).toHaveLength(1);
    }, READY_TIMEOUT_MS); // the old one is gone
    isOver = true;
    await creating;
    console.log(`${made} pods were admitted meanwhile`);
    expect(made).toBeGreaterThan(20);
    await nothingFailed();
  });

  test("the API server is killed", async () => {
    await killComponent("kube-apiserver");
    await nothingFailed();
    await eventually(() => cluster.kubectl(["get", "--raw", "/readyz"]), READY_TIMEOUT_MS);
    // The watches are back: what changes now is heard.
    await cluster.kubectl(["-n", "shop", "rollout", "restart", "deployment/web"]);
    await rolledOut(cluster, "shop", "deployment/web");
    await nothingFailed();
  });

  test("a pod that starts while there is no agent waits, and is repaired in place", async () => {
    const park = (value: string) =>
      cluster.kubectl([
        "-n",
        "tulle",
        "patch",
        "daemonset",
        "cni",
        "-p",
        `{"spec":{"template":{"spec":{"nodeSelector":${value}}}}}`,
      ]);
    await park('{"nowhere":"1"}');
    await cluster.kubectl([
      "-n",
      "tulle",
      "wait",
      "--for=delete",
      "pod",
      "-l",
      "app.kubernetes.io/component=cni",
      "--timeout=60s",
    ]);
    await cluster.apply(shellManifest("shop", "early"));
    const states = [
      "-n",
      "shop",
      "get",
      "pod",
      "early",
      "-o",
      "jsonpath={.status.initContainerStatuses[0].started} {.status.containerStatuses[0].started}",
    ];
    await eventually(async () => expect(await cluster.kubectl(states)).toBe("false false"), READY_TIMEOUT_MS);
    const logs = ["-n", "shop", "logs", "early", "-c", "tulle-proxy"];
    await eventually(async () => expect(await cluster.kubectl(logs)).toContain("proxy started"), READY_TIMEOUT_MS);
    expect(await cluster.kubectl(states)).toBe("false false"); // neither the sidecar is ready nor the application runs
    await park("null");
    await podReady(cluster, "shop", "early");
    const events = await cluster.kubectl([
      "-n",
      "shop",
      "get",
      "events",
      "--field-selector",
      "involvedObject.name=early",
      "-o",
      "jsonpath={.items[*].reason}",
    ]);
    expect(events).toContain("CaptureRepaired");
    await nothingFailed();
  });

  test("the network configuration is written anew by its owner", async () => {
    const file = "/etc/cni/net.d/10-bridge.conflist";
    const without = await cluster.enter("n1", ["cat", file]);
    const { plugins, ...rest } = JSON.parse(without) as { plugins: { type: string }[] };
    const original = JSON.stringify({ ...rest, plugins: plugins.filter(({ type }) => type !== "tulle-cni") });
    await cluster.enter("n1", ["sh", "-c", `echo '${original}' > ${file}`]);
    await eventually(
      async () => expect(await cluster.enter("n1", ["cat", file])).toContain("tulle-cni"),
      READY_TIMEOUT_MS,
    );
    await nothingFailed();
  });

  test("the webhook is away: pods start, unmeshed ones are found and told", async () => {
    await cluster.kubectl(["-n", "tulle", "scale", "deployment/controller", "--replicas=0"]);
    await cluster.kubectl([
      "-n",
      "tulle",
      "wait",
      "--for=delete",
      "pod",
      "-l",
      "app.kubernetes.io/component=controller",
      "--timeout=60s",
    ]);
    await cluster.apply(shellManifest("shop", "slipped"));
    await podReady(cluster, "shop", "slipped");
    await nothingFailed();
    await cluster.kubectl(["-n", "tulle", "scale", "deployment/controller", "--replicas=1"]);
    await rolledOut(cluster, "tulle", "deployment/controller");
    const { code, stdout } = await cluster.tulle(["check", "-n", "shop"]);
    expect([code, stdout]).toEqual([
      1,
      expect.stringContaining("✗ pods that ask for it are meshed: shop/slipped has no sidecar"),
    ]);
    await cluster.kubectl(["-n", "shop", "delete", "pod", "slipped", "--now"]);
    await nothingFailed();
  });
});
