import { expect, test } from "bun:test";
import { parseBlock } from "../model/ip.ts";
import type { AccessEntry } from "../telemetry/access_log.ts";
import { createAdmin, type Readiness } from "./admin.ts";

function fixture() {
  const calls: string[] = [];
  const state: { readiness: Readiness; watcher: ((entry: AccessEntry) => void) | null; free: boolean } = {
    readiness: { ready: true, reasons: [] },
    watcher: null,
    free: true,
  };
  const block = parseBlock("10.77.0.0/16", "");
  const admin = createAdmin({
    renderMetrics: () => "up 1\n",
    isReady: () => state.readiness,
    flows: () => ({ threads: [] }),
    configDump: () => ({ version: 7n, endpoints: new Map([["a", new Set([1])]]) }),
    probe: (index) => Promise.resolve(index === 0 ? "" : index === 1 ? "it answers 500" : null),
    subscribeTap: (watcher) => {
      if (!state.free) return null;
      state.watcher = watcher;
      return () => calls.push("unsubscribed");
    },
    drain: () => calls.push("drain"),
    upgrade: (asked) => {
      calls.push(`upgrade ${JSON.stringify(asked)}`);
      return Promise.resolve({ status: 409, body: { reason: "an upgrade is under way" } });
    },
    shutdown: () => calls.push("shutdown"),
    allow: block.ok ? [block.value] : [],
  });
  async function ask(
    path: string,
    address: string | null = "127.0.0.1",
    init: RequestInit = {},
  ): Promise<[number, string]> {
    const response = await admin.fetch(new Request(`http://admin${path}`, init), { address });
    return [response.status, await response.text()];
  }
  return { admin, ask, calls, state };
}

test("GET /metrics, /live and /ready are for everyone", async () => {
  const { ask } = fixture();
  expect(await ask("/metrics", "8.8.8.8")).toEqual([200, "up 1\n"]);
  expect(await ask("/live", null)).toEqual([200, "live\n"]);
  expect(await ask("/probe/0", null)).toEqual([200, "ok\n"]);
  expect(await ask("/probe/1", null)).toEqual([503, "it answers 500\n"]);
  expect((await ask("/probe/7", null))[0]).toBe(404);
  expect(await ask("/ready", "::1")).toEqual([200, "ready\n"]);
});

test("HEAD is GET without the body, on frequent paths and others", async () => {
  const { ask, state } = fixture();
  state.readiness = { ready: false, reasons: ["no certificate yet"] };
  expect(await ask("/ready", null, { method: "HEAD" })).toEqual([503, ""]);
  expect(await ask("/config", "127.0.0.1", { method: "HEAD" })).toEqual([200, ""]);
});

test("GET /ready gives 503 and the reasons while the proxy cannot serve", async () => {
  const { ask, state } = fixture();
  state.readiness = { ready: false, reasons: ["no certificate yet", "no configuration yet"] };
  expect(await ask("/ready")).toEqual([503, "not ready: no certificate yet; no configuration yet\n"]);
});

test.each([
  ["127.0.0.1", 200, "loopback"],
  ["::1", 200, "loopback"],
  ["::ffff:127.0.0.1", 200, "loopback as a dual-stack listener reports it"],
  ["10.77.3.4", 200, "a network that is allowed"],
  ["::ffff:10.77.3.4", 200, "the same, mapped"],
  ["10.78.0.1", 403, "another network"],
  [null, 403, "unknown"],
])("GET /config from %p gives %p: %s", async (address, status) => {
  const { ask } = fixture();
  expect((await ask("/config", address))[0]).toBe(status);
});

test("GET /config writes big numbers, maps and sets as JSON", async () => {
  const { ask } = fixture();
  expect(JSON.parse((await ask("/config"))[1])).toEqual({ version: "7", endpoints: { a: [1] } });
});

test.each(["/drain", "/shutdown"])("POST %s acts for loopback alone, networks that may read included", async (path) => {
  const { ask, calls } = fixture();
  expect((await ask(path, "10.77.3.4", { method: "POST" }))[0]).toBe(403);
  expect(calls).toEqual([]);
  expect((await ask(path, "127.0.0.1", { method: "POST" }))[0]).toBe(202);
  expect(calls).toEqual([path.slice(1)]);
});

test("POST /upgrade hands on what is asked, for loopback alone, and answers as JSON", async () => {
  const { ask, calls } = fixture();
  const init = { method: "POST", headers: { "tulle-proof": "x" } };
  expect((await ask("/upgrade", "10.77.3.4", init))[0]).toBe(403);
  expect((await ask("/upgrade?binary=tulle", "127.0.0.1", init))[0]).toBe(400);
  expect((await ask("/upgrade?timeout-ms=0", "127.0.0.1", init))[0]).toBe(400);
  expect(calls).toEqual([]);
  expect(await ask("/upgrade?binary=/new&timeout-ms=5", "127.0.0.1", init)).toEqual([
    409,
    '{"reason":"an upgrade is under way"}\n',
  ]);
  await ask("/upgrade", "127.0.0.1", { method: "POST" });
  expect(calls).toEqual([
    'upgrade {"binary":"/new","timeoutMs":5,"proof":"x"}',
    'upgrade {"binary":null,"timeoutMs":60000,"proof":null}',
  ]);
});

test("POST /shutdown refuses web pages, which call from loopback as well", async () => {
  const { ask, calls } = fixture();
  expect((await ask("/shutdown", "127.0.0.1", { method: "POST", headers: { origin: "http://evil" } }))[0]).toBe(403);
  expect(calls).toEqual([]);
});

test.each([["/shutdown", "GET", "POST"], ["/metrics", "POST", "GET"], ["/drain", "PUT", "POST"]])(
  "%s by %s gives 405 and names %s",
  async (path, method, wanted) => {
    const { ask, calls } = fixture();
    expect(await ask(path, "127.0.0.1", { method })).toEqual([405, `want ${wanted}\n`]);
    expect(calls).toEqual([]);
  },
);

test("an unknown path names those that exist", async () => {
  const { ask } = fixture();
  const [status, text] = await ask("/env.json");
  expect(status).toBe(404);
  expect(text).toContain("GET /metrics /ready /live");
});

test.each([
  ["/tap?limit=0", "limit: found"],
  ["/tap?limit=x", "limit: found"],
  ["/tap?min-status=700", "min-status: found"],
  ["/tap?direction=both", "direction: found"],
  ["/tap?statsu=1", "statsu: unknown, want limit"],
])("GET %s is refused", async (path, start) => {
  const { ask } = fixture();
  const [status, text] = await ask(path);
  expect(status).toBe(400);
  expect(text).toStartWith(start);
});

test("GET /tap gives 429 when there are too many watchers", async () => {
  const { ask, state } = fixture();
  state.free = false;
  expect((await ask("/tap"))[0]).toBe(429);
});
