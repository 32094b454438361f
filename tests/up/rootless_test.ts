/** Does `tulle up` work without root, in a user namespace, with capture by socket mark? */
import { expect, test } from "bun:test";
import { means } from "../capture/_bed.ts";
import { eventually } from "../support/eventually.ts";
import { client, server, tracesOnMachine, UpFolder } from "./_folder.ts";

const can = Bun.spawnSync(["unshare", "--user", "--map-root-user", "true"], { stderr: "ignore" }).exitCode === 0;
/** Another user where we are root; otherwise we are one already. */
const args = means() === "here" ? ["--rootless"] : [];
const TEST_MS = 90_000;
/** Far above the second that it takes, for busy machines. */
const READY_MS = 40_000;

if (!can) test.skip("user namespaces are not allowed here", () => {});

test.if(can)("up captures in a user namespace: mutual TLS, policy, nothing left", async () => {
  const namespace = `apiVersion: v1
kind: Namespace
metadata: { name: shop, annotations: { tulle.dev/default-inbound-policy: all-authenticated } }
---
`;
  using folder = new UpFolder({
    "mesh.yaml": `${namespace}${server("web")}---\n${client("client", "http://web/")}---\n${
      client("stranger", "http://web:8000/", { "tulle.dev/inject": "disabled" })
    }`,
  });
  const before = tracesOnMachine();
  await using up = folder.up([...args, "-o", "json"]);
  await up.waitForOutput(/of \d+ sidecars ready/, READY_MS);
  await eventually(() => {
    expect(folder.log("shop.client-0/app.log")).toContain("replica 0");
    expect(folder.log("shop.stranger-0/app.log")).toContain("forbidden");
    expect(up.stdout()).toContain('"peer":"web","route":"","kind":"http"');
  });
  expect(tracesOnMachine()).toEqual(before);
  up.signal("SIGTERM");
  expect(await up.exited).toBe(0);
  expect([folder.stateFolders(), up.output().includes("nothing is left")]).toEqual([[], true]);
}, TEST_MS);

test.if(can)("up lets the sidecar's own connections out, to a workload that has none", async () => {
  const unmeshed = server("plain").replace("annotations: {}", 'annotations: { tulle.dev/inject: "disabled" }');
  const headless = unmeshed.replace("spec: { selector", "spec: { clusterIP: None, selector");
  using folder = new UpFolder({ "plain.yaml": headless, "client.yaml": client("client", "http://plain:8000/") });
  await using up = folder.up(args);
  await up.waitForOutput(/of \d+ sidecars ready/, READY_MS);
  await eventually(() => expect(folder.log("shop.client-0/app.log")).toContain("replica 0"));
}, TEST_MS);
