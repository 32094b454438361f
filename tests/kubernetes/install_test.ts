/** The three commands of a new user, on a fresh cluster: install, annotate, look. And the way back. */
import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { TYPES } from "../../controller/api/resource_type.ts";
import { eventually } from "../support/eventually.ts";
import { temporaryFolder } from "../support/temporary_folder.ts";
import { Cluster, IMAGE } from "./support/cluster.ts";
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
  webManifest,
} from "./support/mesh.ts";
import { TEST_BED } from "./support/test_bed.ts";

setDefaultTimeout(4 * 60_000);

const CALL = ["curl", "-s", "--max-time", "20", "http://web.shop/index.html"];

describe.skipIf(TEST_BED === null)("a fresh cluster", () => {
  let cluster: Cluster;

  beforeAll(async () => {
    cluster = await Cluster.start({ name: "inst", net: "10.71" });
    await cluster.load("deb");
  });
  afterAll(async () => await cluster?.[Symbol.asyncDispose]());

  test("tulle install | kubectl apply -f - is ready within a minute", async () => {
    const took = await installMesh(cluster);
    console.log(`installed in ${(took / 1000).toFixed(1)} s`);
    const webhook = await eventually(async () => {
      const text = await cluster.kubectl([
        ...["get", "mutatingwebhookconfiguration", "tulle-inject"],
        ...["-o", "jsonpath={.webhooks[0].clientConfig.caBundle}"],
      ]);
      if (text === "") throw new Error("the API server does not know whom to trust");
      return text;
    }, READY_TIMEOUT_MS);
    expect(Buffer.from(webhook, "base64").toString()).toStartWith("-----BEGIN CERTIFICATE-----");
  });

  test("tulle check says that all is well", async () => {
    const { code, stdout } = await cluster.tulle(["check", "--wait", "60s"]);
    expect(`${stdout}${code}`).toContain("0 errors\n0");
  });

  test("tulle check tells a missing agent and a broken webhook apart", async () => {
    await cluster.kubectl([
      "-n",
      "tulle",
      "patch",
      "daemonset",
      "cni",
      "-p",
      '{"spec":{"template":{"spec":{"nodeSelector":{"nowhere":"1"}}}}}',
    ]);
    const agent = await eventually(async () => {
      const { stdout } = await cluster.tulle(["check"]);
      if (!stdout.includes("✗")) throw new Error(stdout);
      return stdout;
    }, READY_TIMEOUT_MS);
    expect(agent).toContain("✗ the network plugin is on every node");
    expect(agent).toContain("✓ the controller runs");
    await cluster.kubectl([
      "-n",
      "tulle",
      "patch",
      "daemonset",
      "cni",
      "-p",
      '{"spec":{"template":{"spec":{"nodeSelector":null}}}}',
    ]);
    await rolledOut(cluster, "tulle", "daemonset/cni");
    await cluster.kubectl(["delete", "mutatingwebhookconfiguration", "tulle-inject"]);
    const webhook = await cluster.tulle(["check"]);
    expect(webhook.code).toBe(1);
    expect(webhook.stdout).toContain("✗ pods get their sidecars: MutatingWebhookConfiguration tulle-inject is missing");
    await installMesh(cluster);
    const healed = await cluster.tulle(["check", "--wait", "60s"]);
    expect(`${healed.stdout}${healed.code}`).toContain("0 errors\n0");
  });

  test("pods of an annotated namespace speak mutual TLS, and nobody changed them", async () => {
    await meshedNamespace(cluster, "shop");
    await cluster.apply(webManifest("shop", "web", { replicas: 2 }));
    await cluster.apply(shellManifest("shop", "front"));
    await rolledOut(cluster, "shop", "deployment/web");
    await podReady(cluster, "shop", "front");
    const answers = new Set<string>();
    for (let i = 0; i < 20; i++) answers.add(await inPod(cluster, "shop", "front", CALL));
    expect(answers.size).toBe(2); // balanced by request
    const [front = ""] = await podAddresses(cluster, "shop", "app=front");
    const metrics = await metricsOf(front);
    expect(sumOf(metrics, "response_total", 'direction="outbound"', 'tls="true"', 'dst_service="web"')).toBe(20);
    const webs = await podAddresses(cluster, "shop", "app=web", 2);
    const inbound = await Promise.all(webs.map(metricsOf));
    const identified = inbound.map((text) =>
      sumOf(text, "request_total", 'client_id="spiffe://cluster.local/ns/shop/sa/default"')
    );
    expect(identified.reduce((a, b) => a + b, 0)).toBe(20);
  });

  test("tulle stat deploy -n shop shows rate, success and mutual TLS", async () => {
    const load = cluster.kubectl([
      "-n",
      "shop",
      "exec",
      "front",
      "--",
      "sh",
      "-c",
      `for i in $(seq 40); do ${CALL.join(" ")}; done`,
    ]);
    const { stdout } = await cluster.tulle(["stat", "deploy", "-n", "shop", "-o", "json", "--interval", "3s"]);
    await load;
    const { rows } = JSON.parse(stdout) as {
      rows: { subject: string; direction: string; success: number; tls: number; rate: number }[];
    };
    const web = rows.find(({ subject, tls }) => subject === "shop/web" && tls > 0);
    expect(web).toMatchObject({ direction: "inbound", success: 1 });
    expect(web?.rate).toBeGreaterThan(0);
  });

  test("tulle identity deploy/web -n shop shows certificates that the mesh trusts", async () => {
    const { code, stdout } = await cluster.tulle(["identity", "deploy/web", "-n", "shop", "-o", "json"]);
    const answers = JSON.parse(stdout) as { spiffeId: string; trusted: boolean; error?: string }[];
    expect(answers.map(({ error }) => error ?? "")).toEqual(["", ""]);
    expect(answers.map(({ spiffeId, trusted }) => [spiffeId, trusted])).toEqual(
      Array.from({ length: 2 }, () => ["spiffe://cluster.local/ns/shop/sa/default", true]),
    );
    expect(code).toBe(0);
  });

  test("tulle diagnostics shows sidecars and endpoints, and gathers a file without a Secret", async () => {
    const endpoints = await cluster.tulle(["diagnostics", "endpoints", "svc/web", "-n", "shop", "-o", "json"]);
    const { services } = JSON.parse(endpoints.stdout) as {
      services: { service: string; ports: { port: number; endpoints: string[] }[] }[];
    };
    const webs = await podAddresses(cluster, "shop", "app=web", 2);
    expect(services.map(({ service }) => service)).toEqual(["shop/web"]);
    expect(services[0]?.ports[0]?.endpoints.map((text) => text.split(":")[0]).sort()).toEqual([...webs].sort());
    const config = await cluster.tulle(["diagnostics", "config", "pod/front", "-n", "shop"]);
    expect(JSON.parse(config.stdout)).toMatchObject({ workload: "shop/front" });
    const metrics = await cluster.tulle(["diagnostics", "metrics", "deploy/web", "-n", "shop"]);
    expect(metrics.stdout.match(/^# sidecar of shop\/web-/gm)).toHaveLength(2);
    using folder = temporaryFolder();
    const file = `${folder.path}/bundle.tar.gz`;
    const bundle = await cluster.tulle(["diagnostics", "bundle", "-f", file]);
    expect(`${bundle.code} ${bundle.stdout}`).toMatch(/^0 .*files of 3 sidecars\n$/);
    const files = await new Bun.Archive(await Bun.file(file).bytes()).files();
    const names = [...files.keys()].map((name) => name.replace(/(web|controller|cni)-[^/]*/, "$1-X"));
    expect(names).toContain("check.txt");
    expect(names).toContain("controller/config.json");
    expect(names).toContain("namespaces/shop/services.json");
    expect(names).toContain("logs/tulle/cni-X/cni.log");
    expect(names).toContain("sidecars/shop/web-X/config.json");
    expect(names).toContain("sidecars/shop/front/tulle-proxy.log");
    const { data = {} } = await cluster.client.get(TYPES.Secret, "tulle", "issuer") as {
      data?: Record<string, string>;
    };
    const key = Buffer.from(data["tls.key"] ?? "", "base64").toString().split("\n")[1] ?? "";
    expect(key.length).toBeGreaterThan(30);
    for (const content of files.values()) expect(await content.text()).not.toContain(key);
  });

  test("tulle ca rotate exchanges the root under load without a failed request or a restarted pod", async () => {
    const restarts = ["-n", "shop", "get", "pods", "-o", "jsonpath={range .items[*]}{.metadata.uid} {end}"];
    const before = await cluster.kubectl(restarts);
    const old = await cluster.tulle(["identity", "deploy/web", "-n", "shop", "-o", "json"]);
    const loop = "rm -f /tmp/stop /tmp/log; (while [ ! -e /tmp/stop ]; do " +
      "curl -s -o /dev/null -w '%{http_code}\\n' http://web.shop/index.html >>/tmp/log; done; touch /tmp/done) >/dev/null 2>&1 &";
    await inPod(cluster, "shop", "front", ["sh", "-c", loop]);
    const { code, stdout, stderr } = await cluster.tulle(["ca", "rotate"]);
    expect([code, stderr]).toEqual([0, expect.stringContaining("the old root is no longer trusted")]);
    console.log(stdout.trim());
    const after = await cluster.tulle(["identity", "deploy/web", "-n", "shop", "-o", "json"]);
    const counts = await inPod(cluster, "shop", "front", [
      "sh",
      "-c",
      "touch /tmp/stop; sleep 1; sort /tmp/log | uniq -c",
    ]);
    expect(counts.trim()).toMatch(/^\d+ 200$/);
    expect(Number(counts.trim().split(" ")[0])).toBeGreaterThan(50);
    const serials = (text: string) =>
      (JSON.parse(text) as { serial: string; trusted: boolean }[]).map(({ serial }) => serial);
    expect(serials(after.stdout)).not.toEqual(serials(old.stdout));
    expect(await cluster.kubectl(restarts)).toBe(before);
    const check = await cluster.tulle(["check", "--wait", "60s"]);
    expect(`${check.stdout}${check.code}`).toContain("0 errors\n0");
  });

  test("the default container of kubectl logs and exec is the application", async () => {
    expect(await inPod(cluster, "shop", "front", ["cat", "/proc/1/comm"])).toBe("sleep\n");
  });

  test("an unmeshed pod still reaches a meshed one", async () => {
    await cluster.apply(shellManifest("default", "outsider"));
    await podReady(cluster, "default", "outsider");
    expect(await inPod(cluster, "default", "outsider", CALL)).toStartWith("web-");
  });

  test("a Job ends although it has a sidecar", async () => {
    await cluster.apply(`apiVersion: batch/v1
kind: Job
metadata: {name: once, namespace: shop}
spec:
  template:
    spec:
      restartPolicy: Never
      containers: [{name: once, image: "deb:12", imagePullPolicy: Never, command: [curl, -sf, "http://web.shop/index.html"]}]
`);
    await cluster.kubectl(["-n", "shop", "wait", "--for=condition=Complete", "job/once", "--timeout=120s"]);
    expect(await cluster.kubectl(["-n", "shop", "logs", "job/once"])).toStartWith("web-");
  });

  test("a pod on the host's network gets no sidecar, and says why", async () => {
    await cluster.apply(`apiVersion: v1
kind: Pod
metadata: {name: host, namespace: shop}
spec:
  hostNetwork: true
  containers: [{name: sleep, image: "busybox:1.35", imagePullPolicy: Never, command: [sleep, "600"]}]
`);
    const pod = await cluster.client.get(TYPES.Pod, "shop", "host");
    expect(pod.metadata.annotations?.["tulle.dev/not-injected"]).toBe("host_network");
    expect(await notMeshed(cluster, "shop", "host")).toContain(
      "It has no sidecar, because it cannot have one: host_network",
    );
  });

  test("pods that are older than the annotation are told, where people look", async () => {
    await cluster.kubectl(["create", "namespace", "older"]);
    await cluster.apply(shellManifest("older", "early"));
    await cluster.kubectl(["annotate", "namespace", "older", "tulle.dev/inject=enabled"]);
    expect(await notMeshed(cluster, "older", "early")).toContain("it is older than the annotation");
    const { stdout } = await cluster.tulle(["check", "-n", "older"]);
    expect(stdout).toContain("older/early has no sidecar");
    await cluster.kubectl(["delete", "namespace", "older", "--wait=false"]);
  });

  test("a policy with a mistake is refused, naming the key and the wanted form", async () => {
    const policy = `apiVersion: policy.tulle.dev/v1alpha1
kind: NetworkAuthentication
metadata: {name: office, namespace: shop}
spec: {networks: [{cidr: 10.0.0.0/40}]}
`;
    await expect(cluster.apply(policy)).rejects.toThrow(/spec\.networks\[0\]\.cidr.*want a network such as/);
  });

  test("an upgrade keeps the values of the installation", async () => {
    const changed = await cluster.tulle([
      "upgrade",
      "--set",
      "controllerReplicas=2",
      "--set",
      "sidecar.access-log=json",
    ]);
    expect(changed.stderr).toContain(`image ${IMAGE} → ${IMAGE}`);
    await cluster.apply(changed.stdout);
    await rolledOut(cluster, "tulle", "deployment/controller");
    const { stdout } = await cluster.tulle(["upgrade"]);
    expect(stdout).toBe(changed.stdout);
    const refused = await cluster.tulle(["upgrade", "--trust-domain", "other.example"]);
    expect(refused).toMatchObject({ code: 2, stdout: "" });
    expect(refused.stderr).toContain("running sidecars are strangers");
  });

  test("after the uninstall the applications work, and nothing is left on the node", async () => {
    const { stdout, stderr } = await cluster.tulle(["uninstall"]);
    expect(stderr).toContain("kubectl -n shop rollout restart deployment/web\n");
    expect(stderr).toContain("pod/front of shop");
    await cluster.kubectl(["annotate", "namespace", "shop", "tulle.dev/inject-"]);
    await cluster.kubectl(["delete", "-f", "-", "--timeout=100s"], stdout);
    await cluster.kubectl(["-n", "shop", "rollout", "restart", "deployment/web"]);
    await cluster.kubectl(["-n", "shop", "delete", "pod", "front", "--now"]);
    await cluster.apply(shellManifest("shop", "front"));
    await rolledOut(cluster, "shop", "deployment/web");
    await podReady(cluster, "shop", "front");
    expect(await inPod(cluster, "shop", "front", CALL)).toStartWith("web-");
    expect(await cluster.enter("n1", ["sh", "-c", "ls /opt/cni/bin; cat /etc/cni/net.d/*"])).not.toContain("tulle");
    const again = await cluster.tulle(["uninstall"]);
    expect(again).toMatchObject({ code: 1, stdout: "", stderr: "nothing of the mesh is in this cluster\n" });
    expect(await cluster.kubectl(["get", "configmaps,clusterroles,crds", "-A", "-o", "name"])).not.toContain("tulle");
  });
});

/** What `kubectl describe` says of a pod that should be meshed. */
function notMeshed(cluster: Cluster, namespace: string, pod: string): Promise<string> {
  return eventually(async () => {
    const text = await cluster.kubectl(["-n", namespace, "describe", "pod", pod]);
    if (!text.includes("NotMeshed")) throw new Error(text);
    return text;
  }, READY_TIMEOUT_MS);
}
