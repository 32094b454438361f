/** Does `tulle up` run a folder, follow it, and leave nothing behind, however it ends? As root, in real namespaces. */
import { expect, test } from "bun:test";
import { existsSync, rmSync } from "node:fs";
import { join } from "node:path";
import { eventually } from "../support/eventually.ts";
import { means } from "../capture/_bed.ts";
import { client, server, shell, tracesOnMachine, UpFolder } from "./_folder.ts";

const isRoot = means() === "here";
const TEST_MS = 90_000;
/** Far above the second that it takes, for busy machines. */
const READY_MS = 40_000;
const READY = /of \d+ sidecars ready/;

interface Tick {
  rows: {
    subject: string;
    direction: string;
    peer: string;
    kind: string;
    tls: number | null;
    success: number | null;
  }[];
}

if (!isRoot) test.skip("not root here: see rootless_test.ts", () => {});

test.if(isRoot)("up runs a folder over mutual TLS, prints JSON, ends by itself and leaves nothing", async () => {
  using folder = new UpFolder({ "mesh.yaml": `${server("web", 2)}---\n${client("client", "http://web/")}` });
  const before = tracesOnMachine();
  await using up = folder.up(["--for", "4s", "-o", "json"]);
  expect(await up.exited).toBe(0);
  const ticks = up.stdout().trim().split("\n").map((line) => JSON.parse(line) as Tick);
  const calls = ticks.at(-1)?.rows.find((row) => row.direction === "outbound");
  expect(calls).toMatchObject({ subject: "shop/client", peer: "web", kind: "http", tls: 1, success: 1 });
  const answering = ticks.at(-1)?.rows.filter((row) => row.direction === "inbound");
  expect(answering?.every((row) => /^shop\/web-[01]$/.test(row.subject) && (row.tls ?? 1) === 1)).toBe(true);
  expect(up.output()).toContain("nothing is left");
  expect([folder.stateFolders(), tracesOnMachine()]).toEqual([[], before]);
}, TEST_MS);

test.if(isRoot)("up makes names resolve, and refuses workloads without identity where policy says so", async () => {
  const namespace = `apiVersion: v1
kind: Namespace
metadata: { name: shop, annotations: { tulle.dev/default-inbound-policy: all-authenticated } }
---
`;
  using folder = new UpFolder({
    "mesh.yaml": `${namespace}${server("web")}---\n${client("bare", "http://web/")}---\n${
      client("full", "http://web.shop.svc.cluster.local/")
    }---\n${client("stranger", "http://web.shop:8000/", { "tulle.dev/inject": "disabled" })}`,
  });
  await using up = folder.up();
  await up.waitForOutput(READY, READY_MS);
  await eventually(() => {
    expect(folder.log("shop.bare-0/app.log")).toContain("replica 0");
    expect(folder.log("shop.full-0/app.log")).toContain("replica 0");
    expect(folder.log("shop.stranger-0/app.log")).toContain("forbidden");
  });
  expect(folder.log("shop.stranger-0/app.log")).not.toContain("replica");
}, TEST_MS);

test.if(isRoot)("up lets the machine look at sidecars, and enter workloads by name", async () => {
  using folder = new UpFolder({ "mesh.yaml": server("web") });
  await using up = folder.up();
  await up.waitForOutput(READY, READY_MS);
  const [web] = folder.info().workloads;
  const metrics = await fetch(`${web?.admin}/metrics`);
  const config = await fetch(`${web?.admin}/config`);
  expect([metrics.status, config.status]).toEqual([200, 200]);
  const name = tracesOnMachine().find((each) => each.endsWith("-web-0"));
  const inside = Bun.spawnSync(["nsenter", `--net=/run/netns/${name}`, "cat", "/proc/net/fib_trie"]).stdout.toString();
  expect(inside).toContain(web?.addresses[0] ?? "none");
}, TEST_MS);

test.if(isRoot)("up stops in order when it is asked to", async () => {
  using folder = new UpFolder({ "mesh.yaml": server("web") });
  const before = tracesOnMachine();
  await using up = folder.up();
  await up.waitForOutput(READY, READY_MS);
  up.signal("SIGINT");
  expect(await up.exited).toBe(0);
  expect(up.output()).toContain("stopped in order");
  expect([folder.stateFolders(), tracesOnMachine()]).toEqual([[], before]);
}, TEST_MS);

test.if(isRoot)("up leaves nothing when it is killed", async () => {
  using folder = new UpFolder({ "mesh.yaml": server("web") });
  const before = tracesOnMachine();
  await using up = folder.up();
  await up.waitForOutput(READY, READY_MS);
  const { pid } = folder.info();
  up.signal("SIGKILL");
  await eventually(() => {
    expect([existsSync(`/proc/${pid}`), folder.stateFolders(), tracesOnMachine()]).toEqual([false, [], before]);
  });
}, TEST_MS);

test.if(isRoot)("up cleans up when its inner process is killed", async () => {
  using folder = new UpFolder({ "mesh.yaml": server("web") });
  const before = tracesOnMachine();
  await using up = folder.up();
  await up.waitForOutput(READY, READY_MS);
  process.kill(folder.info().pid, "SIGKILL");
  expect(await up.exited).not.toBe(0);
  expect([folder.stateFolders(), tracesOnMachine()]).toEqual([[], before]);
}, TEST_MS);

test.if(isRoot)("up runs beside another one", async () => {
  using first = new UpFolder({ "mesh.yaml": server("web") });
  using second = new UpFolder({ "mesh.yaml": server("web") });
  await using one = first.up();
  await using two = second.up();
  await Promise.all([one.waitForOutput(READY, READY_MS), two.waitForOutput(READY, READY_MS)]);
  const addresses = [first, second].map((folder) => folder.info().workloads[0]?.addresses[0] ?? "");
  expect(new Set(addresses).size).toBe(2);
  const answers = await Promise.all(
    [first, second].map((folder) => fetch(`${folder.info().workloads[0]?.admin}/ready`)),
  );
  expect(answers.map((answer) => answer.status)).toEqual([200, 200]);
}, TEST_MS);

test.if(isRoot)("up follows the folder: starts what comes, stops what goes, and survives mistakes", async () => {
  using folder = new UpFolder({ "web.yaml": server("web") });
  await using up = folder.up();
  await up.waitForOutput(READY, READY_MS);
  folder.write("client.yaml", client("client", "http://web/"));
  await eventually(() => expect(folder.log("shop.client-0/app.log")).toContain("replica 0"));
  folder.write(
    "web.yaml",
    "apiVersion: v1\nkind: Service\nmetadata: { name: web, namespace: shop }\nspec: { ports: [{ port: eighty }] }\n",
  );
  await up.waitForOutput(/web\.yaml:4:\d+: .*port.*the last good content stays/);
  rmSync(join(folder.mesh, "client.yaml"));
  await up.waitForOutput(/shop\/client-0 stopped/);
  expect(folder.info().workloads.map((workload) => workload.name)).toEqual(["web-0"]);
}, TEST_MS);

test.if(isRoot)("up starts again what has died, and says what it said last", async () => {
  using folder = new UpFolder({ "mesh.yaml": shell("moody", "echo I am leaving; exit 3") });
  await using up = folder.up();
  await up.waitForOutput(/shop\/moody-0 app ended \(exit status 3\), starting again in 0\.5 s\n +I am leaving/);
  await up.waitForOutput(/starting again in 1 s/);
}, TEST_MS);

test.if(isRoot)("up goes on without an optional program that is not there", async () => {
  const optional = `apiVersion: workload.tulle.dev/v1alpha1
kind: ExternalWorkload
metadata: { name: rare, namespace: shop, annotations: { tulle.dev/optional: "true" } }
spec: { run: { command: [no-such-program] } }
`;
  using folder = new UpFolder({ "web.yaml": server("web"), "rare.yaml": optional });
  await using up = folder.up(["--for", "1s"]);
  expect(await up.exited).toBe(0);
  expect(up.output()).toContain("shop/rare-0: the program no-such-program is not installed; going on without it");
}, TEST_MS);

test.if(isRoot)("up starts nothing while a file cannot be read: without its policies all would be let in", async () => {
  const broken = "apiVersion: policy.tulle.dev/v1alpha1\nkind: Server\nmetadata: { name: web }\nspec: { port: 0 }\n";
  using folder = new UpFolder({ "web.yaml": server("web"), "policy.yaml": broken });
  await using up = folder.up();
  expect(await up.exited).toBe(1);
  expect(up.output()).toMatch(/policy\.yaml:4:\d+: spec/);
  expect(up.output()).toMatch(/nothing is started: without \S+policy\.yaml/);
}, TEST_MS);

test.if(isRoot)("up says that there is nothing to run, and ends with status 1", async () => {
  using folder = new UpFolder({});
  await using up = folder.up();
  expect(await up.exited).toBe(1);
  expect(up.output()).toContain("nothing to run");
}, TEST_MS);

test.if(isRoot)("up --prove ends with status 1 when a claim does not hold", async () => {
  using folder = new UpFolder({ "mesh.yaml": `${server("web")}---\n${client("client", "http://web/")}` });
  const claims = join(folder.root, "claims.yaml");
  await Bun.write(
    claims,
    `claims:
  - { claim: "all is TLS 1.3", wire: { markers: ["replica 0"] } }
  - { claim: "it is answered", answered: { from: shop/client-0, http: "http://web/", contains: ["replica 0"] } }
  - { claim: "it is refused", refused: { from: shop/client-0, http: "http://web/" } }
`,
  );
  await using up = folder.up(["--prove", claims, "--for", "3s"]);
  expect(await up.exited).toBe(1);
  const lines = up.output().split("\n").filter((line) => /^[✓✗] (all|it)/.test(line));
  expect(lines).toEqual(["✓ all is TLS 1.3", "✓ it is answered", "✗ it is refused"]);
}, TEST_MS);
