/** Several controllers on one API server: they say the same, one of them writes, and proxies outlive any of them. */
import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { LEASE_MS } from "../../controller/api/lease.ts";
import { TYPES } from "../../controller/api/resource_type.ts";
import { BUNDLE_CONFIG_MAP, ISSUER_SECRET, MESH_NAMESPACE, WRITER_LEASE } from "../../controller/core/cluster_names.ts";
import { createAll, planServices, type ServiceAt, sliceObject } from "../bench/controller/objects.ts";
import { podToken, SimulatedProxy } from "../bench/controller/proxies.ts";
import { ControllerProcess } from "../bench/controller/subject.ts";
import { TEST_BED } from "../kubernetes/support/test_bed.ts";
import { eventually } from "../support/eventually.ts";
import { KubeApi } from "../support/kube_api.ts";

setDefaultTimeout(4 * 60_000);

/** A lease runs out after 15 s; a busy machine takes its time. */
const WAIT_MS = 90_000;

describe.skipIf(TEST_BED === null)("replicas", () => {
  let api: KubeApi;
  let replicas: ControllerProcess[] = [];
  let proxies: SimulatedProxy[] = [];
  const services = planServices({ namespaces: 1, services: 2, pods: 6 });
  const [web, other] = services as [ServiceAt, ServiceAt];
  const target = `outbound/${web.clusterIp}:80`;
  let updates = 0;

  beforeAll(async () => {
    api = await KubeApi.start();
    await createAll(api.client, services);
    replicas = await Promise.all([ControllerProcess.start(api.kubeconfig), ControllerProcess.start(api.kubeconfig)]);
    const secret = await api.client.get(TYPES.Secret, MESH_NAMESPACE, ISSUER_SECRET);
    const { "tls.crt": root = "" } = secret["data"] as Readonly<Record<string, string>>; // by the API's schema
    const [pod] = other.pods;
    if (pod === undefined) throw new Error("want a pod");
    const token = await podToken(api.client, pod);
    proxies = replicas.map(({ port }) =>
      new SimulatedProxy({
        port,
        roots: Buffer.from(root, "base64").toString("utf8"),
        pod,
        token,
        targets: [`${web.clusterIp}:80`],
        onUpdate: () => void updates++,
      })
    );
    for (const proxy of proxies) proxy.start();
    await eventually(() => expect(proxies.map(({ isComplete }) => isComplete)).toEqual([true, true]), WAIT_MS);
  });
  afterAll(async () => {
    for (const proxy of proxies) proxy.stop();
    for (const replica of replicas) await replica[Symbol.asyncDispose]();
    await api?.[Symbol.asyncDispose]();
  });

  /** Leaves so many endpoints, and waits until the proxies say that they were told. @returns the version of each */
  async function change(endpoints: number, of: readonly SimulatedProxy[]): Promise<(string | undefined)[]> {
    const before = of.map(({ versions }) => versions.get(target));
    await api.client.replace(TYPES.EndpointSlice, sliceObject({ ...web, pods: web.pods.slice(0, endpoints) }));
    return await eventually(() => {
      const now = of.map(({ versions }) => versions.get(target));
      for (const [at, version] of now.entries()) expect(version).not.toBe(before[at]);
      return now;
    }, WAIT_MS);
  }

  async function holder(): Promise<string> {
    const lease = await api.client.get(TYPES.Lease, MESH_NAMESPACE, WRITER_LEASE);
    return (lease["spec"] as { holderIdentity?: string }).holderIdentity ?? ""; // by the API's schema
  }

  const isHeldBy = (replica: ControllerProcess, by: string) => by.endsWith(`_${replica.child.pid}`);

  async function writer(replica: ControllerProcess): Promise<string | undefined> {
    const metrics = await (await fetch(`http://${replica.admin}/metrics`)).text();
    return /^writer (\d)$/m.exec(metrics)?.[1];
  }

  test("both say the same, in the same versions", async () => {
    expect(Object.fromEntries(proxies[0]?.versions ?? [])).toEqual(Object.fromEntries(proxies[1]?.versions ?? []));
    const [one, two] = await change(2, proxies);
    expect(one).toBe(two as string);
  });

  test("exactly one holds the lease, and is told so by its own metric", async () => {
    const held = await eventually(async () => {
      const by = await holder();
      expect(by).not.toBe("");
      return by;
    }, WAIT_MS);
    expect(replicas.filter((replica) => isHeldBy(replica, held)).length).toBe(1);
    for (const replica of replicas) {
      await eventually(async () => expect(await writer(replica)).toBe(isHeldBy(replica, held) ? "1" : "0"), WAIT_MS);
    }
  });

  test("while the store hangs the writer steps down though its requests hang; proxies keep their streams", async () => {
    const held = await holder();
    const leader = replicas.find((replica) => isHeldBy(replica, held));
    if (leader === undefined) throw new Error(`nobody of ours holds the lease: ${held}`);
    const streams = proxies.map((proxy) => proxy.report().streams);
    const since = performance.now();
    api.etcd.signal("SIGSTOP");
    try {
      await eventually(async () => expect(await writer(leader)).toBe("0"), WAIT_MS);
      // A request hangs for half a minute, and by then another could hold the lease for long.
      expect(performance.now() - since).toBeLessThan(2 * LEASE_MS);
    } finally {
      api.etcd.signal("SIGCONT");
    }
    expect(proxies.map((proxy) => [proxy.report().state, proxy.report().streams]))
      .toEqual(streams.map((count) => ["open", count]));
    const [one, two] = await change(3, proxies);
    expect(one).toBe(two as string);
    await eventually(async () => expect((await Promise.all(replicas.map(writer))).sort()).toEqual(["0", "1"]), WAIT_MS);
  });

  test("after a crash of the API server the watches are back", async () => {
    await api.killServer();
    expect(proxies.map((proxy) => proxy.report().state)).toEqual(["open", "open"]);
    await api.startServer();
    const [one, two] = await change(1, proxies);
    expect(one).toBe(two as string);
  });

  test("the writer is killed: the other takes over, and the proxy of the other does not notice", async () => {
    await eventually(async () => expect((await Promise.all(replicas.map(writer))).sort()).toEqual(["0", "1"]), WAIT_MS);
    const held = await holder();
    const at = replicas.findIndex((replica) => isHeldBy(replica, held));
    const [leader, heir] = [replicas[at], replicas[1 - at]];
    const proxy = proxies[1 - at];
    if (leader === undefined || heir === undefined || proxy === undefined) throw new Error("want two of each");
    const { streams } = proxy.report();
    leader.child.signal("SIGKILL");
    await change(2, [proxy]);
    await eventually(async () => expect(isHeldBy(heir, await holder())).toBe(true), WAIT_MS);
    // What only the writer does is done again.
    await api.client.delete(TYPES.ConfigMap, web.namespace, BUNDLE_CONFIG_MAP);
    await eventually(() => api.client.get(TYPES.ConfigMap, web.namespace, BUNDLE_CONFIG_MAP), WAIT_MS);
    expect(proxy.report()).toMatchObject({ state: "open", streams });
    replicas = [heir];
    proxies[at]?.stop();
    proxies = [proxy];
  });

  test("all are away for a while: nothing is forgotten, and nothing that is known is sent again", async () => {
    const [proxy] = proxies;
    const [last] = replicas;
    if (proxy === undefined || last === undefined) throw new Error("want one of each");
    const versions = new Map(proxy.versions);
    last.child.signal("SIGKILL");
    await last.child.exited;
    await eventually(() => expect(proxy.report().state).toBe("waiting"), WAIT_MS);
    expect(proxy.versions).toEqual(versions);
    const before = updates;
    replicas = [await ControllerProcess.start(api.kubeconfig, ["--listen", `127.0.0.1:${last.port}`])];
    await eventually(() => expect(proxy.report().state).toBe("open"), WAIT_MS);
    await change(3, [proxy]);
    expect(updates - before).toBe(1);
  });
});
