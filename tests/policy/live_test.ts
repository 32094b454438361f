/**
 * Explain, replay and suggest beside real sidecars: what they say is what then happens.
 */
import { afterAll, beforeAll, expect, setDefaultTimeout, test } from "bun:test";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { eventually } from "../support/eventually.ts";
import { fetchOnce, type HttpApp, reply, serveHttp } from "../support/http1.ts";
import { isDirect, type Mesh, startMesh } from "../support/mesh.ts";
import { allowAccounts, type Resource, server, service, workload } from "../support/resources.ts";
import { connectTcp, listenTcp, type TcpListener } from "../support/tcp.ts";
import { tulleCommand } from "../support/tulle_command.ts";
import { stringify } from "yaml";

setDefaultTimeout(60_000);

const PORT = 8080;
const RAW_PORT = 9000;
let mesh: Mesh;
let app: HttpApp;
let raw: TcpListener;
let state: string;

beforeAll(async () => {
  const calls = [`web:${PORT}`, `raw:${RAW_PORT}`];
  mesh = await startMesh({
    workloads: [workload("front", { calls }), workload("stranger", { calls }), workload("web")],
    services: [service("web", PORT, "http"), service("raw", RAW_PORT, "tulle.dev/opaque", { app: "web" })],
  });
  app = serveHttp(mesh.ip("web"), PORT, async (_request, peer) => void await peer.write(reply(200, "served")));
  raw = listenTcp(mesh.ip("web"), RAW_PORT, async (peer) => {
    await peer.write("served\n");
    await peer.readAll();
    peer.end();
  });
  if (!isDirect) state = stateFolder();
});

afterAll(async () => {
  app?.[Symbol.dispose]();
  raw?.[Symbol.dispose]();
  await mesh?.[Symbol.asyncDispose]();
});

/** A state folder as `tulle up` has one, so that the commands find this mesh. */
function stateFolder(): string {
  const folder = join(mesh.dir, "state");
  mkdirSync(folder);
  const workloads = ["front", "stranger", "web"].map((name) => ({
    namespace: "shop",
    name: `${name}-0`,
    workload: name,
    addresses: [mesh.ip(name)],
    admin: mesh.sidecar(name).adminUrl,
  }));
  const found = {
    pid: process.pid,
    root: true,
    folders: [join(mesh.dir, "mesh")],
    trustDomain: "cluster.local",
    workloads,
  };
  writeFileSync(join(folder, "mesh.json"), JSON.stringify(found));
  writeFileSync(join(folder, "addresses.json"), "{}");
  return folder;
}

async function tulle(words: readonly string[], input = ""): Promise<{ stdout: string; stderr: string; code: number }> {
  const child = Bun.spawn([...tulleCommand(), ...words, "--state", state], {
    stdin: new TextEncoder().encode(input),
    stdout: "pipe",
    stderr: "pipe",
  });
  const [stdout, stderr] = await Promise.all([new Response(child.stdout).text(), new Response(child.stderr).text()]);
  return { stdout, stderr, code: await child.exited };
}

async function ask(who: string, path: string): Promise<number> {
  return (await fetchOnce(mesh.to(who, `web:${PORT}`), path)).status;
}

/** What a raw connection gets: "served\n", or nothing. */
async function askRaw(who: string): Promise<string> {
  const peer = await connectTcp(mesh.to(who, `raw:${RAW_PORT}`));
  peer.end();
  try {
    return (await peer.readAll()).toString();
  } catch {
    return ""; // a reset is what a refusal looks like
  }
}

function yamlOf(resources: readonly Resource[]): string {
  return resources.map((resource) => `---\n${stringify(resource)}`).join("");
}

const ROUTE: Resource = {
  apiVersion: "gateway.networking.k8s.io/v1",
  kind: "HTTPRoute",
  metadata: { name: "items", namespace: "shop" },
  spec: {
    parentRefs: [{ group: "policy.tulle.dev", kind: "Server", name: "web" }],
    rules: [{ matches: [{ path: { type: "PathPrefix", value: "/items" }, method: "GET" }] }],
  },
};
const NEW_POLICY: readonly Resource[] = [
  server("web", "web", PORT, { proxyProtocol: "HTTP/1" }),
  ROUTE,
  ...allowAccounts("items", { kind: "HTTPRoute", name: "items" }, ["front"]),
  server("raw", "web", RAW_PORT, { proxyProtocol: "opaque" }),
  ...allowAccounts("raw", { kind: "Server", name: "raw" }, ["front"]),
];
const ASKED = ["front", "stranger"].flatMap((who) =>
  ["/items/1", "/items/22?page=2", "/metrics"].map((path) => ({ who, path }))
);

test.skipIf(isDirect)("replay says exactly what a new policy then changes, and explain what then holds", async () => {
  for (const { who, path } of ASKED) expect([who, path, await ask(who, path)]).toEqual([who, path, 200]);
  for (const who of ["front", "stranger"]) expect(await askRaw(who)).toBe("served\n");

  const replayed = await tulle(["policy", "replay", "-f", "-", "-o", "json"], yamlOf(NEW_POLICY));
  expect(replayed.stderr).toBe("");
  expect(replayed.code).toBe(1);
  const { changes, open } = JSON.parse(replayed.stdout) as {
    changes: { caller: string; request: string; count: number; after: { verdict: string } }[];
    open: unknown[];
  };
  const account = (name: string) => `spiffe://cluster.local/ns/shop/sa/${name}`;
  const told = changes.map(({ caller, request, count, after }) =>
    `${caller} ${request.replace(/ \(.*/, "")} ${count} ${after.verdict}`
  ).sort();
  expect(told).toEqual([
    `${account("front")} GET /metrics 1 deny`,
    `${account("stranger")} GET /items/* 2 deny`,
    `${account("stranger")} GET /metrics 1 deny`,
    `${account("stranger")} connection 1 deny`,
  ]);
  expect(open).toEqual([]);

  mesh.apply(NEW_POLICY);
  await eventually(async () => expect(await ask("stranger", "/items/1")).toBe(403));
  for (const { who, path } of ASKED) {
    const isPermitted = who === "front" && path.startsWith("/items");
    const status = await ask(who, path);
    expect([who, path, status]).toEqual([who, path, isPermitted ? 200 : 403]);
    const explained = await tulle(["explain", who, "→", "svc/web", "GET", path, "-n", "shop", "-o", "json"]);
    const { admitted } = JSON.parse(explained.stdout) as { admitted: string };
    expect([who, path, admitted]).toEqual([who, path, status === 200 ? "all" : "none"]);
  }
  expect([await askRaw("front"), await askRaw("stranger")]).toEqual(["served\n", ""]);
});

test.skipIf(isDirect)("suggest admits what was seen, and nothing else", async () => {
  mesh.apply([]);
  await eventually(async () => expect(await ask("stranger", "/metrics")).toBe(200));
  const suggested = await tulle(["policy", "suggest", "web", "-n", "shop"]);
  expect(suggested.stderr).toBe("");
  // Nothing that was seen would be refused…
  const replayed = await tulle(["policy", "replay", "-f", "-", "-o", "json"], suggested.stdout);
  const { changes } = JSON.parse(replayed.stdout) as { changes: { after: { verdict: string } }[] };
  expect(changes.filter(({ after }) => after.verdict === "deny")).toEqual([]);
  // …and what was not seen is.
  mesh.writeConfig("suggested.yaml", suggested.stdout);
  await eventually(async () => expect(await ask("stranger", "/never")).toBe(403));
  expect([await ask("front", "/items/7"), await ask("stranger", "/metrics")]).toEqual([200, 200]);
  expect(await askRaw("front")).toBe("served\n");
});

test.skipIf(isDirect)("explain says which sidecars do not run it yet", async () => {
  mesh.writeConfig("suggested.yaml", null);
  mesh.apply([]);
  const explained = async () => {
    const { stdout, stderr } = await tulle([
      "explain",
      "front",
      "→",
      "svc/web",
      "GET",
      "/",
      "-n",
      "shop",
      "-o",
      "json",
    ]);
    expect(stderr).toBe("");
    return JSON.parse(stdout) as { older: { workload: string; what: string; why: string }[]; silent: unknown[] };
  };
  await eventually(async () => expect(await ask("front", "/")).toBe(200));
  await eventually(async () => expect(await explained()).toMatchObject({ older: [], silent: [] }));
  await mesh.controller.child().stop();
  try {
    mesh.apply([server("web", "web", PORT, { proxyProtocol: "HTTP/1" })]);
    await eventually(async () => {
      const { older: [lag, ...more] } = await explained();
      expect([lag?.workload, lag?.what, more]).toEqual(["shop/web-0", "its policy", []]);
      expect(lag?.why).toStartWith("it has no stream to the controller");
    });
  } finally {
    await mesh.controller.start();
  }
  await eventually(async () => expect(await explained()).toMatchObject({ older: [], silent: [] }));
});
