/** `tulle policy replay` over manifests and facts. */
import { expect, setDefaultTimeout, test } from "bun:test";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { tulleCommand } from "../support/tulle_command.ts";

setDefaultTimeout(60_000);

const SHOP = join(import.meta.dir, "shop.yaml");

function server(name: string, accessPolicy: string, created: string): string {
  return `---
apiVersion: policy.tulle.dev/v1alpha1
kind: Server
metadata: {name: ${name}, namespace: shop${created === "" ? "" : `, creationTimestamp: "${created}"`}}
spec: {podSelector: {matchLabels: {app: front}}, port: 9, accessPolicy: ${accessPolicy}}
`;
}

const FLOW = {
  identity: "spiffe://cluster.local/ns/shop/sa/web",
  ip: "10.0.0.1",
  tls: true,
  port: 9,
  protocol: "tcp",
  method: "",
  authority: "",
  path: "",
  verdict: "deny",
  policy: "default deny",
  route: "",
  count: 1,
  lastSeen: "2026-01-01T00:00:00Z",
};

/** Of two Servers the older holds: one that is applied again must not count as new. */
test("replay leaves an object that is applied again as old as it is", () => {
  const folder = mkdtempSync(join(tmpdir(), "tulle-replay-"));
  try {
    const [base, flows] = [join(folder, "base.yaml"), join(folder, "flows.json")];
    writeFileSync(
      base,
      server("b", "deny", "2020-01-01T00:00:00Z") + server("a", "all-unauthenticated", "2021-01-01T00:00:00Z"),
    );
    writeFileSync(flows, JSON.stringify([{ workload: "shop/front", dropped: 0, flows: [FLOW] }]));
    const change = (manifest: string, ...more: string[]) => {
      const words = [
        "policy",
        "replay",
        "--base",
        SHOP,
        "--base",
        base,
        "--flows",
        flows,
        "-f",
        "-",
        "-o",
        "json",
        ...more,
      ];
      const { stdout, stderr } = Bun.spawnSync([...tulleCommand(), ...words], {
        stdin: new TextEncoder().encode(manifest),
      });
      expect(stderr.toString()).toBe("");
      return (JSON.parse(stdout.toString()) as { changes: { after: { verdict: string } }[] }).changes;
    };
    expect(change(server("b", "deny", ""))).toEqual([]);
    const opened = server("b", "all-authenticated", "");
    expect(change(opened)).toMatchObject([{ after: { verdict: "permit" } }]);
    // As `kubectl apply -n shop` would have it.
    const homeless = opened.replace(", namespace: shop", "");
    expect(change(homeless, "-n", "shop")).toHaveLength(1);
    expect(change(homeless)).toEqual([]);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});

const FRONT = "spiffe://cluster.local/ns/shop/sa/front";

function run(words: readonly string[], input: string): string {
  const { stdout, stderr } = Bun.spawnSync([...tulleCommand(), "policy", ...words], {
    stdin: new TextEncoder().encode(input),
  });
  expect(stderr.toString()).toBe("");
  return stdout.toString();
}

function inFolder(body: (path: (name: string) => string) => void): void {
  const folder = mkdtempSync(join(tmpdir(), "tulle-replay-"));
  try {
    body((name) => join(folder, name));
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

test("replay names the objects that it does not look at", () => {
  inFolder((path) => {
    writeFileSync(path("flows.json"), JSON.stringify([{ workload: "shop/front", dropped: 0, flows: [FLOW] }]));
    const other = `---
apiVersion: policy.tulle.dev/v1alpha1
kind: RateLimitPolicy
metadata: {name: slow, namespace: shop}
spec: {targetRef: {group: policy.tulle.dev, kind: Server, name: front}, total: {requestsPerSecond: 1}}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: words}
`;
    const words = ["replay", "--base", SHOP, "--flows", path("flows.json"), "-f", "-", "-n", "shop"];
    const manifest = server("front", "deny", "") + other;
    expect(run(words, manifest)).toEndWith(
      "not looked at, as it decides about no access: ConfigMap shop/words, RateLimitPolicy shop/slow\n",
    );
    const { ignored } = JSON.parse(run([...words, "-o", "json"], manifest)) as { ignored: string[] };
    expect(ignored).toEqual(["ConfigMap shop/words", "RateLimitPolicy shop/slow"]);
    expect(run(words, server("front", "deny", ""))).not.toContain("not looked at");
  });
});

test("replay has one line for a caller and a request, whatever decided when it came", () => {
  inFolder((path) => {
    const flows = [FLOW, { ...FLOW, policy: "Server shop/old", lastSeen: "2026-01-02T00:00:00Z" }];
    writeFileSync(path("flows.json"), JSON.stringify([{ workload: "shop/front", dropped: 0, flows }]));
    const words = ["replay", "--base", SHOP, "--flows", path("flows.json"), "-f", "-", "-n", "shop", "-o", "json"];
    const { changes } = JSON.parse(run(words, server("front", "all-authenticated", ""))) as { changes: unknown[] };
    expect(changes).toMatchObject([{ count: 2, lastSeen: "2026-01-02T00:00:00Z", after: { verdict: "permit" } }]);
  });
});

/** What was refused under an older policy may be let in by what was seen since. */
test("suggest lists as refused what its objects refuse, most frequent first", () => {
  inFolder((path) => {
    const http = { ...FLOW, identity: FRONT, protocol: "http", method: "GET", authority: "front" };
    const scanned = Array.from({ length: 30 }, (_, i) => ({ ...http, path: `/scan-${i}`, count: 1 }));
    const flows = [
      { ...http, path: "/items/*", verdict: "permit", count: 5 },
      { ...http, path: "/items/*", verdict: "deny", count: 7 },
      { ...http, path: "/items/x", verdict: "deny", count: 2 },
      { ...http, path: "/admin", verdict: "deny", count: 9 },
      ...scanned,
    ];
    writeFileSync(path("flows.json"), JSON.stringify([{ workload: "shop/front", dropped: 0, flows }]));
    const text = run(["suggest", "front", "-n", "shop", "-f", SHOP, "--flows", path("flows.json")], "");
    const comments = text.split("\n").filter((line) => /^# (refused|and)/.test(line));
    expect(comments[0]).toBe(`# refused then and now: ${FRONT} GET /admin at port 9, 9×`);
    expect(comments).toHaveLength(21);
    expect(comments.at(-1)).toBe("# and 11 more: see `tulle policy flows`");
    expect(text).not.toContain("now: " + FRONT + " GET /items");
    expect(text).toStartWith("---\n");
    // A Server that has the port goes before it.
    writeFileSync(path("old.yaml"), server("old", "deny", "2020-01-01T00:00:00Z"));
    const words = ["suggest", "front", "-n", "shop", "-f", SHOP, "-f", path("old.yaml"), "--flows", path("flows.json")];
    const beside = run(words, "");
    expect(beside).toStartWith("# Server shop/old has one of these ports today");
    expect(beside).toContain("/admin at port 9");
    expect(beside).not.toContain("now: " + FRONT + " GET /items");
  });
});
