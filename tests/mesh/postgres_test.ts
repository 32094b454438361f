/** PostgreSQL through both sidecars, with nothing declared about its port: its client speaks first. */
import { afterAll, beforeAll, expect, setDefaultTimeout, test } from "bun:test";
import { dirname } from "node:path";
import { type Database, startPostgres } from "../support/databases.ts";
import { type Mesh, startMesh } from "../support/mesh.ts";
import { run } from "../support/process.ts";
import { service, workload } from "../support/resources.ts";
import { need } from "../support/tools.ts";

setDefaultTimeout(90_000);

const PORT = 5432;
const tools = need("postgres", "psql", "pgbench");
let mesh: Mesh;
let database: Database;

beforeAll(async () => {
  if (tools === null) return;
  mesh = await startMesh({
    workloads: [workload("front", { calls: [`db:${PORT}`] }), workload("db")],
    services: [service("db", PORT)],
  });
  database = await startPostgres(dirname(tools.postgres), { host: mesh.ip("db"), port: PORT });
});

afterAll(async () => {
  await database?.[Symbol.asyncDispose]();
  await mesh?.[Symbol.asyncDispose]();
});

function options(): string[] {
  const { host, port } = mesh.to("front", `db:${PORT}`);
  return ["-h", host, "-p", String(port), "-U", "postgres"];
}

function psql(sql: string) {
  return run({ argv: [tools?.psql ?? "", ...options(), "-At", "-c", sql] });
}

test.skipIf(tools === null)("psql answers a query", async () => {
  const done = await psql("select 6 * 7");
  expect([done.stderr, done.stdout]).toEqual(["", "42\n"]);
});

test.skipIf(tools === null)("a result of several megabytes is the same as on the server", async () => {
  const sql = "select md5(i::text) from generate_series(1, 100000) i";
  const done = await psql(sql);
  const sum = await psql("select md5(string_agg(md5(i::text), E'\\n' order by i)) from generate_series(1, 100000) i");
  expect(new Bun.CryptoHasher("md5").update(done.stdout.trimEnd()).digest("hex")).toBe(sum.stdout.trim());
});

test.skipIf(tools === null)("pgbench, ten clients, every transaction succeeds", async () => {
  const made = await run({ argv: [tools?.pgbench ?? "", ...options(), "-i", "-q", "-s", "1", "postgres"] });
  expect(made.code).toBe(0);
  const done = await run({ argv: [tools?.pgbench ?? "", ...options(), "-c", "10", "-t", "100", "-n", "postgres"] });
  expect(done.code).toBe(0);
  expect(done.stdout).toContain("number of transactions actually processed: 1000/1000");
  expect(done.stdout).toMatch(/failed transactions: 0 /);
});
