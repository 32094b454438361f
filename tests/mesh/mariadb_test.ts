/**
 * MariaDB through both sidecars, with nothing declared about its port. Its server speaks first, so whoever waits for the
 * client's first bytes to tell the protocol waits in vain.
 */
import { afterAll, beforeAll, expect, setDefaultTimeout, test } from "bun:test";
import { type Database, startMariadb } from "../support/databases.ts";
import { isDirect, type Mesh, startMesh } from "../support/mesh.ts";
import { run } from "../support/process.ts";
import { service, workload } from "../support/resources.ts";
import { connectTcp } from "../support/tcp.ts";
import { need } from "../support/tools.ts";

setDefaultTimeout(90_000);

const PORT = 3306;
/**
 * Most time that both sidecars may add to the server's greeting in the median, in milliseconds. Wide, for busy machines:
 * a proxy that waits for the client first adds its whole detection timeout, seconds.
 */
const MAX_ADDED_MS = 250;
const tools = need("mariadbd", "mariadb", "mariadb-install-db");
let mesh: Mesh;
let database: Database;

beforeAll(async () => {
  if (tools === null) return;
  mesh = await startMesh({
    workloads: [workload("front", { calls: [`db:${PORT}`] }), workload("db")],
    services: [service("db", PORT)],
  });
  database = await startMariadb(tools.mariadbd, tools["mariadb-install-db"], { host: mesh.ip("db"), port: PORT });
});

afterAll(async () => {
  await database?.[Symbol.asyncDispose]();
  await mesh?.[Symbol.asyncDispose]();
});

/** Milliseconds from the start of connecting to the first bytes of the server's greeting. */
async function greetingMs(target: { host: string; port: number }): Promise<number> {
  const start = performance.now();
  using peer = await connectTcp(target);
  const bytes = await peer.read();
  if (bytes === null) throw new Error("closed without a greeting");
  return performance.now() - start;
}

function median(values: number[]): number {
  return values.sort((a, b) => a - b)[values.length >> 1] ?? NaN;
}

test.skipIf(tools === null)("a client logs in and reads what it wrote", async () => {
  const { host, port } = mesh.to("front", `db:${PORT}`);
  const sql =
    "create database shop; use shop; create table t (v longtext); insert into t values (repeat('x', 3000000)); " +
    "select length(v), md5(v) from t;";
  const done = await run({
    argv: [tools?.mariadb ?? "", "--no-defaults", "-h", host, "-P", String(port), "-u", "root", "-N", "-e", sql],
  });
  expect(done.stderr).toBe("");
  const sum = new Bun.CryptoHasher("md5").update("x".repeat(3_000_000)).digest("hex");
  expect(done.stdout).toBe(`3000000\t${sum}\n`);
});

test.skipIf(tools === null)("the greeting is not held back", async () => {
  const direct = { host: mesh.ip("db"), port: PORT };
  const target = mesh.to("front", `db:${PORT}`);
  await greetingMs(target);
  const [own, through]: [number[], number[]] = [[], []];
  for (let turn = 0; turn < 15; turn++) {
    own.push(await greetingMs(direct));
    through.push(await greetingMs(target));
  }
  const added = median(through) - median(own);
  console.log(`greeting: direct ${median(own).toFixed(1)} ms, through the mesh ${added.toFixed(1)} ms more`);
  expect(added).toBeLessThan(MAX_ADDED_MS);
});

test.skipIf(tools === null || isDirect)(
  "not even for the first connection after both sidecars were restarted",
  async () => {
    for (const name of ["front", "db"]) {
      await mesh.sidecar(name).child().stop();
      await mesh.sidecar(name).start();
    }
    const first = await greetingMs(mesh.to("front", `db:${PORT}`));
    console.log(`first greeting after a restart: ${first.toFixed(1)} ms`);
    expect(first).toBeLessThan(MAX_ADDED_MS * 4);
  },
);
