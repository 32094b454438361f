/** Every sort of workload on two nodes of a dual-stack cluster: it runs as it would without a mesh, and its traffic is mutual TLS. */
import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { WireWatch } from "../../controller/cli/up/prove/wire_watch.ts";
import { canonicalIp } from "../../controller/core/ip.ts";
import { eventually } from "../support/eventually.ts";
import { freePort } from "../support/ports.ts";
import { startProcess } from "../support/process.ts";
import { clientsManifest, loadClients, missingPrograms } from "./support/clients.ts";
import { Cluster } from "./support/cluster.ts";
import {
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
import { type Answer, shopManifest } from "./support/shop.ts";
import { TEST_BED } from "./support/test_bed.ts";

setDefaultTimeout(4 * 60_000);

const DEFAULT_ID = "spiffe://cluster.local/ns/shop/sa/default";
/** In every request between meshed pods: nobody may read it on the wire. */
const SECRET = "plum-jam-of-the-shop";
/** In a request of a pod without a sidecar: the watcher sees it, so it would have seen the other. */
const PLAIN = "pear-jam-of-a-stranger";

const lacking = missingPrograms();
if (TEST_BED !== null && lacking.length > 0) {
  console.log(`skipped: no pod with clients and stores: no ${lacking.join()}`);
}

describe.skipIf(TEST_BED === null)("a shop on two nodes, IPv4 and IPv6", () => {
  let cluster: Cluster;
  let wire: WireWatch;

  beforeAll(async () => {
    cluster = await Cluster.start({ name: "shop", net: "10.73", nodes: 2, dualStack: true });
    await cluster.load("deb");
    await Promise.all([installMesh(cluster), lacking.length > 0 ? undefined : loadClients(cluster, "n1")]);
    await cluster.apply(shellManifest("default", "outsider").replace("spec:\n", "spec:\n  nodeName: n1\n"));
    await podReady(cluster, "default", "outsider");
    // Whoever runs by now has no sidecar; whoever comes has one.
    const strangers = new Set(await allAddresses());
    const isPod = (ip: string) => /^(10\.73\.6|fd00:10:73:10)/.test(ip);
    wire = new WireWatch(`k8s-${cluster.name}`, [SECRET, PLAIN], (ip) => isPod(ip) && !strangers.has(canonicalIp(ip)));
    await meshedNamespace(cluster, "shop");
    await cluster.apply(shopManifest("shop"));
    if (lacking.length === 0) await cluster.apply(clientsManifest("shop", "n1"));
    for (const name of ["statefulset/db", "deployment/web", "daemonset/log"]) await rolledOut(cluster, "shop", name);
    for (const name of ["front", "lonely"]) await podReady(cluster, "shop", name);
  });
  afterAll(async () => {
    wire?.[Symbol.dispose]();
    await cluster?.[Symbol.asyncDispose]();
  });

  const kubectl = (...args: string[]) => cluster.kubectl(["-n", "shop", ...args]);
  const field = (what: string, path: string) => kubectl("get", what, "-o", `jsonpath={${path}}`);

  async function allAddresses(): Promise<(string | null)[]> {
    const text = await cluster.kubectl(["get", "pods", "-A", "-o", "jsonpath={.items[*].status.podIPs[*].ip}"]);
    return text.split(" ").map(canonicalIp);
  }

  /** curl in a meshed pod on n1, which knows nothing of the mesh. */
  async function curl(url: string, ...options: string[]): Promise<Answer> {
    const argv = ["curl", "-sS", "--max-time", "20", "-H", `note: ${SECRET}`, ...options, url];
    const text = await kubectl("exec", "front", "--", ...argv);
    try {
      return JSON.parse(text) as Answer;
    } catch {
      throw new Error(`${url}: ${text}`);
    }
  }

  async function addressOf(pod: string, family: 4 | 6): Promise<string> {
    const addresses = (await field(`pod/${pod}`, ".status.podIPs[*].ip")).split(" ");
    return family === 4 ? addresses[0] ?? "" : `[${addresses[1]}]`;
  }

  test("pods of a StatefulSet are called by their own names, and prove who they are", async () => {
    for (const pod of ["db-0", "db-1"]) {
      for (const name of [`${pod}.db`, `${pod}.db.shop.svc.cluster.local`]) {
        expect(await curl(`http://${name}:8080/`)).toEqual({ pod, client: DEFAULT_ID, bytes: 0 });
      }
      expect(await curl(`http://${pod}.db:8080/`, "-6")).toMatchObject({ pod, client: DEFAULT_ID });
    }
    const [front = ""] = await podAddresses(cluster, "shop", "app=front");
    const toDb = sumOf(
      await metricsOf(front),
      "response_total",
      'server_id="spiffe://cluster.local/ns/shop/sa/db"',
      'tls="true"',
    );
    expect(toDb).toBe(6);
  });

  test("a Service and a pod without one answer on IPv4 and on IPv6, with the caller's identity", async () => {
    const body = SECRET.repeat(5_000);
    for (const family of [4, 6] as const) {
      expect(await curl("http://web/", `-${family}`, "-d", body)).toMatchObject({
        client: DEFAULT_ID,
        bytes: body.length,
      });
      const lonely = await addressOf("lonely", family);
      expect(await curl(`http://${lonely}:8080/`)).toEqual({ pod: "lonely", client: DEFAULT_ID, bytes: 0 });
    }
  });

  test("a Service whose traffic stays on its node is answered by the node's own pod", async () => {
    const [own = ""] =
      (await kubectl("get", "pods", "-l", "app=log", "--field-selector=spec.nodeName=n1", "-o", "name"))
        .trim().split("/").slice(1);
    for (let i = 0; i < 8; i++) expect(await curl("http://log/")).toMatchObject({ pod: own, client: DEFAULT_ID });
  });

  test("a protocol whose server speaks first is not held up", async () => {
    for (const target of [["web", "25"], ["-6", "web", "25"], ["db-1.db", "9001"]]) {
      const greeting = await kubectl("exec", "front", "--", "nc", "-w", "20", ...target);
      expect(greeting).toMatch(/^220 (web|db-1)/);
    }
  });

  test.skipIf(lacking.length > 0)("clients and stores of the trade know nothing of the mesh", async () => {
    for (const pod of ["clients", "stores"]) await podReady(cluster, "shop", pod);
    const client = (...argv: string[]) => kubectl("exec", "clients", "--", ...argv);
    const identified = expect.stringContaining(`"client":"${DEFAULT_ID}"`);
    expect(await client("wget", "-qO-", "http://web/")).toEqual(identified);
    const python = "import urllib.request as u; print(u.urlopen('http://web.shop', timeout=20).read().decode())";
    expect(await client("python3.11", "-c", python)).toEqual(identified);
    expect(await client("node", "-e", "fetch('http://web').then(r => r.text()).then(console.log)")).toEqual(identified);
    const agent = `const http = require("http"), agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
const pods = new Set();
const next = (left) => http.get("http://web", { agent }, async (response) => {
  pods.add(JSON.parse((await response.toArray()).join("")).pod);
  if (left > 0) next(left - 1); else { console.log(pods.size); agent.destroy(); }
});
next(30);`;
    expect(await client("node", "-e", agent)).toBe("2\n"); // one connection, balanced by request
    expect(await client("redis-cli", "-h", "redis", "set", "plum", "jam")).toBe("OK\n");
    expect(await client("redis-cli", "-h", "redis", "get", "plum")).toBe("jam\n");
    expect(await client("mariadb", "-h", "mariadb", "--skip-ssl", "-u", "root", "-N", "-e", "select 6*7")).toBe("42\n");
    const [clients = ""] = await podAddresses(cluster, "shop", "app=clients");
    const metrics = await metricsOf(clients);
    for (const store of ["redis", "mariadb"]) {
      expect(sumOf(metrics, "tcp_open_total", 'peer="dst"', 'tls="true"', `dst_service="${store}"`)).toBeGreaterThan(0);
    }
  });

  test("kubectl logs, exec and port-forward reach the application as ever", async () => {
    expect(await kubectl("exec", "front", "--", "cat", "/proc/1/comm")).toBe("sleep\n");
    expect(await kubectl("logs", "deployment/web")).not.toContain("proxy started");
    expect(await kubectl("logs", "front", "-c", "tulle-proxy")).toContain("proxy started");
    for (const what of ["pod/db-0 8080", "service/web 80", "pod/probed 8080"]) {
      const [name = "", target] = what.split(" ");
      const port = await freePort();
      const env = { KUBECONFIG: cluster.kubeconfig };
      const argv = [cluster.program("kubectl"), "-n", "shop", "port-forward", name, `${port}:${target}`];
      await using forward = startProcess({ argv, env });
      await forward.waitForOutput(/Forwarding from/, READY_TIMEOUT_MS);
      const answer = await (await fetch(`http://127.0.0.1:${port}/`)).json() as Answer;
      expect(answer).toMatchObject({ client: null });
    }
  });

  test("the probes of a pod that lets nobody in succeed, and those of a sick one fail", async () => {
    await podReady(cluster, "shop", "probed");
    const refused = await kubectl(
      ...["exec", "front", "--", "curl", "-s", "-o", "/dev/null", "-w", "%{http_code}"],
      `http://${await addressOf("probed", 4)}:8080/ready`,
    );
    expect(refused).toBe("403");
    expect(await field("pod/probed", ".status.containerStatuses[*].restartCount")).toBe("0 0 0 0");
    await eventually(async () => {
      const events = await kubectl(
        ...["get", "events", "--field-selector", "involvedObject.name=sick,reason=Unhealthy"],
        ...["-o", "jsonpath={.items[*].involvedObject.fieldPath}"],
      );
      for (const name of ["tcp", "grpc", "http"]) expect(events).toContain(`spec.containers{${name}}`);
    }, READY_TIMEOUT_MS);
    const ready = '.status.containerStatuses[?(@.name!="app")].ready';
    expect(await field("pod/sick", ready)).toBe("false false false");
  });

  test("a pod on its node's network is refused with a reason that its owner sees", async () => {
    const { stderr } = await cluster.try([
      ...["-n", "shop", "run", "host", "--image=busybox:1.35", "--image-pull-policy=Never"],
      ...["--overrides", '{"spec":{"hostNetwork":true,"terminationGracePeriodSeconds":1}}', "--", "sleep", "600"],
    ]);
    expect(stderr).toContain("Warning: tulle: no sidecar: it uses its node's network (hostNetwork)");
    expect(await field("pod/host", ".metadata.annotations.tulle\\.dev/not-injected")).toBe("host_network");
    const { stdout } = await cluster.tulle(["check", "-n", "shop"]);
    expect(stdout).toContain("! pods that ask for it are meshed: shop/host cannot be: host_network");
    expect(stdout).not.toContain("unknown annotation");
    await kubectl("delete", "pod", "host", "--now");
  });

  test("Jobs and CronJobs end, with every container of their pods", async () => {
    await kubectl("wait", "--for=condition=Complete", "job/once", `--timeout=${READY_TIMEOUT_MS / 1000}s`);
    const path = ".items[*].status";
    const phases = `{${path}.phase} {${path}.initContainerStatuses[*].state.terminated.reason}`;
    const pods = await kubectl("get", "pods", "-l", "job-name=once", "-o", `jsonpath=${phases}`);
    expect(pods).toBe("Succeeded Completed Completed");
    await eventually(async () => {
      const succeeded = await kubectl(
        "get",
        "jobs",
        "-o",
        "jsonpath={range .items[?(@.status.succeeded==1)]}{.metadata.name} {end}",
      );
      expect(succeeded).toContain("often-");
    }, READY_TIMEOUT_MS);
  });

  test("the wire between the nodes carries TLS 1.3 and nothing else between meshed pods", async () => {
    const outside = ["exec", "outsider", "--", "curl", "-sS", "--max-time", "20", "-H", `note: ${PLAIN}`];
    const answer = await cluster.kubectl([...outside, "http://web.shop/"]);
    expect(JSON.parse(answer)).toMatchObject({ client: null });
    const { problems, leaked, seenInClear, tlsConnections, protectedBytes } = wire.report();
    expect({ problems, leaked, seenInClear }).toEqual({ problems: [], leaked: [], seenInClear: [PLAIN] });
    expect(tlsConnections).toBeGreaterThan(5);
    expect(protectedBytes).toBeGreaterThan(2 * 5_000 * SECRET.length);
  });
});
