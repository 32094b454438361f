/** etcd through both sidecars: gRPC and HTTP/1.1 on one port of which nothing is declared, and clients with habits of their own. */
import { afterAll, beforeAll, expect, setDefaultTimeout, test } from "bun:test";
import { eventually } from "../support/eventually.ts";
import { type Mesh, startMesh } from "../support/mesh.ts";
import { type Child, run, startProcess, startServer } from "../support/process.ts";
import { freePorts } from "../support/ports.ts";
import { service, workload } from "../support/resources.ts";
import { temporaryFolder } from "../support/temporary_folder.ts";
import { need } from "../support/tools.ts";

setDefaultTimeout(60_000);

const PORT = 2379;
const tools = need("etcd", "etcdctl", "curl");
let mesh: Mesh;
let folder: ReturnType<typeof temporaryFolder>;
let server: Child;

beforeAll(async () => {
  if (tools === null) return;
  mesh = await startMesh({
    workloads: [workload("front", { calls: [`etcd:${PORT}`] }), workload("etcd")],
    services: [service("etcd", PORT)],
  });
  folder = temporaryFolder();
  const host = mesh.ip("etcd");
  const url = `http://${host}:${PORT}`;
  const peer = `http://${host}:${(await freePorts(1))[0]}`;
  server = await startServer({
    argv: [
      ...[tools.etcd, "--name", "one", "--data-dir", folder.path, "--log-level", "error"],
      ...["--listen-client-urls", url, "--advertise-client-urls", url],
      ...["--listen-peer-urls", peer, "--initial-advertise-peer-urls", peer, "--initial-cluster", `one=${peer}`],
    ],
    name: "etcd",
    host,
    port: PORT,
  });
  await eventually(async () => expect((await ctl("endpoint", "health")).code).toBe(0));
});

afterAll(async () => {
  await server?.[Symbol.asyncDispose]();
  folder?.[Symbol.dispose]();
  await mesh?.[Symbol.asyncDispose]();
});

function etcdctl(endpoints: string, ...args: string[]): string[] {
  return [tools?.etcdctl ?? "", "--endpoints", endpoints, ...args];
}

function endpoint(): string {
  const { host, port } = mesh.to("front", `etcd:${PORT}`);
  return `${host}:${port}`;
}

function ctl(...args: string[]) {
  return run({ argv: etcdctl(endpoint(), ...args), env: { ETCDCTL_API: "3" } });
}

test.skipIf(tools === null)("etcdctl puts, gets, and runs a transaction", async () => {
  expect((await ctl("put", "key", "value")).stdout).toBe("OK\n");
  expect((await ctl("get", "key", "--print-value-only")).stdout).toBe("value\n");
  const argv = etcdctl(endpoint(), "txn");
  const transaction = 'value("key") = "value"\n\nput key other\n\nput key never\n\n';
  expect((await run({ argv, env: { ETCDCTL_API: "3" }, stdin: transaction })).stdout).toContain("SUCCESS");
  expect((await ctl("get", "key", "--print-value-only")).stdout).toBe("other\n");
});

test.skipIf(tools === null)("a client whose :authority is a URL is served as without a mesh", async () => {
  // With more than one endpoint, this version of the client sends "http://host:port".
  const argv = etcdctl(`http://${endpoint()},http://${endpoint()}`, "endpoint", "status", "-w", "json");
  const { code, stdout, stderr } = await run({ argv, env: { ETCDCTL_API: "3" } });
  expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
  expect(JSON.parse(stdout)).toHaveLength(2);
});

test.skipIf(tools === null)("a watch sees what is put later", async () => {
  await using watch = startProcess({ argv: etcdctl(endpoint(), "watch", "seen"), env: { ETCDCTL_API: "3" } });
  await eventually(async () => {
    await ctl("put", "seen", "it");
    if (!watch.output().includes("PUT\nseen\nit\n")) throw new Error(watch.output());
  });
});

test.skipIf(tools === null)("HTTP/1.1 on the same port is served as well", async () => {
  const body = JSON.stringify({ key: btoa("json"), value: btoa("1") });
  const put = await run({
    argv: [tools?.curl ?? "", "-sf", "-X", "POST", `http://${endpoint()}/v3/kv/put`, "-d", body],
  });
  expect(put.stdout).toContain("revision");
  expect((await ctl("get", "json", "--print-value-only")).stdout).toBe("1\n");
  const health = await run({ argv: [tools?.curl ?? "", "-sf", `http://${endpoint()}/health`] });
  expect(JSON.parse(health.stdout)).toMatchObject({ health: "true" });
});
