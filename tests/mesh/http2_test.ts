/** HTTP/2 with prior knowledge through both sidecars, by nghttp2's own client and server. */
import { afterAll, beforeAll, expect, setDefaultTimeout, test } from "bun:test";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Mesh, startMesh } from "../support/mesh.ts";
import { type Child, run, startServer } from "../support/process.ts";
import { service, workload } from "../support/resources.ts";
import { need } from "../support/tools.ts";

setDefaultTimeout(90_000);

const DECLARED = 8080;
const DETECTED = 8081;
const tools = need("nghttp", "nghttpd", "h2load");
const dir = mkdtempSync(join(tmpdir(), "tulle-www-"));
let mesh: Mesh;
const servers: Child[] = [];

beforeAll(async () => {
  if (tools === null) return;
  writeFileSync(join(dir, "small"), "hello world\n");
  writeFileSync(join(dir, "large"), "0123456789abcdef".repeat(65_536));
  mesh = await startMesh({
    workloads: [workload("front", { calls: [`web:${DECLARED}`, `maybe:${DETECTED}`] }), workload("web")],
    services: [service("web", DECLARED, "kubernetes.io/h2c"), service("maybe", DETECTED, null, { app: "web" })],
  });
  for (const port of [DECLARED, DETECTED]) {
    const argv = [
      tools.nghttpd,
      "--no-tls",
      "-a",
      mesh.ip("web"),
      "-d",
      dir,
      "--trailer",
      "x-sum: 1",
      "--echo-upload",
      String(port),
    ];
    servers.push(await startServer({ argv, host: mesh.ip("web"), port }));
  }
});

afterAll(async () => {
  for (const server of servers) await server.stop();
  await mesh?.[Symbol.asyncDispose]();
  rmSync(dir, { recursive: true, force: true });
});

for (const [name, service, port] of [["declared", "web", DECLARED], ["detected", "maybe", DETECTED]] as const) {
  const url = (path: string) => `http://${mesh.to("front", `${service}:${port}`).authority}${path}`;

  test.skipIf(tools === null)(`${name}: a request and its trailers`, async () => {
    const done = await run({ argv: [tools?.nghttp ?? "", "-v", "-t", "10", url("/small")] });
    expect(done.code).toBe(0);
    expect(done.stdout).toContain(":status: 200");
    expect(done.stdout).toContain("hello world");
    expect(done.stdout).toContain("x-sum: 1");
    expect(done.stdout + done.stderr).not.toMatch(/RST_STREAM|error_code=(?!NO_ERROR)/);
  });

  test.skipIf(tools === null)(`${name}: a megabyte down, and an upload echoed`, async () => {
    const down = await run({ argv: [tools?.nghttp ?? "", "-t", "10", url("/large")] });
    expect(down.stdout.length).toBe(1_048_576);
    const up = await run({
      argv: [tools?.nghttp ?? "", "-t", "10", "-d", join(dir, "large"), "-H:method: POST", url("/echo")],
    });
    expect(up.stdout.length).toBe(1_048_576);
  });

  test.skipIf(tools === null)(`${name}: h2load, 8 connections with 100 streams each, no request fails`, async () => {
    const done = await run({ argv: [tools?.h2load ?? "", "-n20000", "-c8", "-m100", url("/small")] });
    expect(done.stdout).toContain("20000 succeeded, 0 failed, 0 errored, 0 timeout");
    const large = await run({ argv: [tools?.h2load ?? "", "-n200", "-c8", "-m10", url("/large")] });
    expect(large.stdout).toContain("200 succeeded, 0 failed, 0 errored, 0 timeout");
  });
}
