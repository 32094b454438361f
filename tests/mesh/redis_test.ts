/** Redis through both sidecars: a protocol the mesh does not know, with nothing declared about its port. */
import { afterAll, beforeAll, expect, setDefaultTimeout, test } from "bun:test";
import { type Database, startRedis } from "../support/databases.ts";
import { type Mesh, startMesh } from "../support/mesh.ts";
import { run, startProcess } from "../support/process.ts";
import { service, workload } from "../support/resources.ts";
import { need } from "../support/tools.ts";

setDefaultTimeout(90_000);

const PORT = 6379;
const tools = need("redis-server", "redis-cli", "redis-benchmark");
let mesh: Mesh;
let redis: Database;

beforeAll(async () => {
  if (tools === null) return;
  mesh = await startMesh({
    workloads: [workload("front", { calls: [`redis:${PORT}`] }), workload("redis")],
    services: [service("redis", PORT)],
  });
  redis = await startRedis(tools["redis-server"], { host: mesh.ip("redis"), port: PORT });
});

afterAll(async () => {
  await redis?.[Symbol.asyncDispose]();
  await mesh?.[Symbol.asyncDispose]();
});

function cli(...args: string[]) {
  const { host, port } = mesh.to("front", `redis:${PORT}`);
  return run({ argv: [tools?.["redis-cli"] ?? "", "-h", host, "-p", String(port), ...args] });
}

test.skipIf(tools === null)("redis-cli sets and gets", async () => {
  expect((await cli("SET", "key", "value")).stdout).toBe("OK\n");
  expect((await cli("GET", "key")).stdout).toBe("value\n");
});

test.skipIf(tools === null)("a value of 5 MB comes back", async () => {
  const { host, port } = mesh.to("front", `redis:${PORT}`);
  const argv = [tools?.["redis-cli"] ?? "", "-h", host, "-p", String(port)];
  const value = "v".repeat(5_000_000);
  expect((await run({ argv: [...argv, "-x", "SET", "big"], stdin: value })).stdout).toBe("OK\n");
  expect((await cli("STRLEN", "big")).stdout).toBe("5000000\n");
  expect((await run({ argv: [...argv, "--raw", "GETRANGE", "big", "0", "99999"] })).stdout.trim().length).toBe(100_000);
});

test.skipIf(tools === null)("a subscriber receives what is published later", async () => {
  const { host, port } = mesh.to("front", `redis:${PORT}`);
  await using subscriber = startProcess({
    argv: ["stdbuf", "-oL", tools?.["redis-cli"] ?? "", "-h", host, "-p", String(port), "SUBSCRIBE", "news"],
  });
  await subscriber.waitForOutput(/subscribe/);
  expect((await cli("PUBLISH", "news", "hello")).stdout).toBe("1\n");
  await subscriber.waitForOutput(/hello/);
});

test.skipIf(tools === null)("redis-benchmark with pipelining runs without an error", async () => {
  const { host, port } = mesh.to("front", `redis:${PORT}`);
  const options = ["-h", host, "-p", String(port), "-n", "20000", "-c", "20", "-P", "8", "-q", "-t", "set,get,lpush"];
  const done = await run({ argv: [tools?.["redis-benchmark"] ?? "", ...options] });
  expect(done.code).toBe(0);
  expect(done.stdout + done.stderr).not.toMatch(/error/i);
  expect(done.stdout).toMatch(/LPUSH: [\d.]+ requests per second/);
});
