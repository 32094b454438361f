import { expect, test } from "bun:test";
import { createHash } from "node:crypto";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { freePort } from "../support/ports.ts";
import { type Child, startProcess } from "../support/process.ts";
import { ControlFace, eventually } from "./_face.ts";

const ROOT = join(import.meta.dir, "../..");
const BACK = "10.96.0.3:80";
const shop = (backIp: string) => `
apiVersion: workload.tulle.dev/v1alpha1
kind: ExternalWorkload
metadata: {name: front, namespace: shop, labels: {app: front}}
spec: {serviceAccountName: front, workloadIPs: [{ip: 10.77.0.2}], ports: [{name: http, port: 8080}]}
---
apiVersion: workload.tulle.dev/v1alpha1
kind: ExternalWorkload
metadata: {name: back, namespace: shop, labels: {app: back}}
spec: {serviceAccountName: back, workloadIPs: [{ip: ${backIp}}], ports: [{name: http, port: 9090}]}
---
apiVersion: v1
kind: Service
metadata: {name: back, namespace: shop}
spec: {clusterIP: 10.96.0.3, selector: {app: back}, ports: [{port: 80, targetPort: http}]}
`;

async function controllerIn(folder: string, port: number): Promise<Child> {
  const at = (name: string) => join(folder, name);
  const flags = ["--config-dir", at("mesh"), "--state-dir", at("state"), "--tokens", at("tokens.json")];
  const addresses = ["--listen", `127.0.0.1:${port}`, "--admin", "127.0.0.1:0"];
  const entry = join(ROOT, "tests/control/_main.ts");
  const child = startProcess({
    name: "controller",
    argv: [process.execPath, entry, ...flags, ...addresses],
    cwd: ROOT,
  });
  await child.waitForOutput(/\{"ready":true.*\}/);
  return child;
}

test("a proxy certifies at the real controller, follows it, and outlives it", async () => {
  const folder = mkdtempSync(join(tmpdir(), "tulle-discovery-"));
  for (const name of ["mesh", "state"]) mkdirSync(join(folder, name));
  const tokenHash = createHash("sha256").update("join").digest("hex");
  const subject = { namespace: "shop", serviceAccount: "front", workload: "front-0" };
  writeFileSync(join(folder, "tokens.json"), JSON.stringify({ [tokenHash]: subject }));
  writeFileSync(join(folder, "mesh/shop.yaml"), shop("10.77.0.3"));
  const port = await freePort();
  let controller = await controllerIn(folder, port);
  try {
    const roots = readFileSync(join(folder, "state/trust-bundle.pem"), "utf8");
    using proxy = new ControlFace({ port, roots, token: "join" });
    const ips = () => proxy.discovery.lookup(BACK)?.backends[0]?.endpoints.map((e) => e.ip);

    const target = await proxy.discovery.want(BACK, 10_000);
    expect(target).toMatchObject({
      known: true,
      authority: "back.shop.svc.cluster.local:80",
      backends: [{
        endpoints: [{ key: "10.77.0.3:9090", identity: "spiffe://cluster.local/ns/shop/sa/back", meshPort: 4143 }],
      }],
    });
    const { inbound, ready } = { inbound: proxy.discovery.inbound(), ready: proxy.discovery.ready() };
    expect([ready.ready, inbound?.identity]).toEqual([true, "spiffe://cluster.local/ns/shop/sa/front"]);

    writeFileSync(join(folder, "mesh/shop.yaml"), shop("10.77.0.33"));
    await eventually(ips, (list) => list?.[0] === "10.77.0.33");

    controller.signal("SIGKILL");
    await eventually(() => proxy.discovery.dump().stream.state, (state) => state === "waiting");
    expect(ips()).toEqual(["10.77.0.33"]);
    writeFileSync(join(folder, "mesh/shop.yaml"), shop("10.77.0.44"));
    controller = await controllerIn(folder, port);
    await eventually(ips, (list) => list?.[0] === "10.77.0.44", 20_000);
    expect(proxy.problems).toEqual([]);
  } finally {
    await controller.stop();
    rmSync(folder, { recursive: true, force: true });
  }
}, 60_000);
