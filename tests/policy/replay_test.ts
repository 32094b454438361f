/** `tulle policy replay` over manifests and facts. */
import { expect, test } from "bun:test";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { tulleCommand } from "../support/tulle_command.ts";

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
