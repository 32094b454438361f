import { afterAll, beforeAll, expect, test } from "bun:test";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { VERSION } from "../../src/base/version.ts";

const tulle = new URL("../../dist/tulle", import.meta.url).pathname;
const FACES = ["up", "stat", "identity", "version", "proxy", "controller"];

const folder = mkdtempSync(join(tmpdir(), "tulle-cli-"));
let requests = 100;
let server: ReturnType<typeof Bun.serve>;

beforeAll(() => {
  server = Bun.serve({
    hostname: "127.0.0.1",
    port: 0,
    fetch: () => {
      requests += 10;
      const labels = 'direction="inbound",tls="true",route_name="web"';
      return new Response(
        `request_total{${labels}} ${requests}\nresponse_total{${labels},classification="success"} ${requests - 1}\n`,
      );
    },
  });
});

afterAll(async () => {
  await server.stop(true);
  rmSync(folder, { recursive: true });
});

async function run(args: readonly string[], env: Record<string, string> = {}) {
  const child = Bun.spawn([tulle, ...args], {
    cwd: folder,
    env: { PATH: process.env.PATH ?? "", HOME: folder, TMPDIR: folder, ...env },
    stdin: "ignore",
    stdout: "pipe",
    stderr: "pipe",
  });
  const [stdout, stderr, code] = await Promise.all([
    new Response(child.stdout).text(),
    new Response(child.stderr).text(),
    child.exited,
  ]);
  return { stdout, stderr, code };
}

test("tulle --help lists every command with a summary and teaches by examples", async () => {
  const { stdout, code } = await run(["--help"]);
  expect(code).toBe(0);
  for (const face of FACES) expect(stdout).toMatch(new RegExp(`^  ${face} +[A-Z]`, "m"));
  expect(stdout).toContain("Examples:\n  tulle up -f mesh/");
});

test.each(FACES)("tulle %s --help ends well, on stdout, and says how to use it", async (face) => {
  const { stdout, stderr, code } = await run([face, "--help"]);
  expect({ stderr, code }).toEqual({ stderr: "", code: 0 });
  expect(stdout).toContain(`tulle ${face}`);
  expect(stdout.length).toBeGreaterThan(200);
});

test.each(FACES)("tulle %s with an option that it does not have ends with 2 and says what it wants", async (face) => {
  const { stderr, code } = await run([face, "--nonsense"]);
  expect(code).toBe(2);
  // Some miss an option that they need before they see one that they do not know.
  expect(stderr).toMatch(/--(nonsense|folder|config-dir|state-dir)/);
});

test("an unknown command ends with 2 and the nearest one", async () => {
  const { stderr, code } = await run(["prxy"]);
  expect({ stderr, code }).toEqual({
    stderr: 'tulle: unknown command "prxy". Did you mean "proxy"? See: tulle --help\n',
    code: 2,
  });
});

test("tulle version -o json gives version, commit and Bun", async () => {
  const { stdout } = await run(["version", "-o", "json"]);
  expect(JSON.parse(stdout)).toMatchObject({ version: VERSION, bun: Bun.version });
  expect(JSON.parse(stdout).commit).not.toBe("source");
});

test("tulle stat shows what happened between two looks", async () => {
  const { stdout, code } = await run([
    "stat",
    "--address",
    `127.0.0.1:${server.port}`,
    "--interval",
    "500ms",
    "-o",
    "json",
  ]);
  expect(code).toBe(0);
  expect(JSON.parse(stdout).rows[0]).toMatchObject({
    direction: "inbound",
    route: "web",
    kind: "http",
    success: 1,
    tls: 1,
  });
  expect(JSON.parse(stdout).rows[0].rate).toBeWithin(5, 21);
});

test("tulle stat without a mesh says what to do and ends with 1", async () => {
  const { stderr, code } = await run(["stat"]);
  expect({ stderr, code }).toEqual({
    stderr: "tulle: no mesh of yours runs on this machine: start one with `tulle up -f FOLDER`, or give --address\n",
    code: 1,
  });
});

test("tulle identity of an address where nobody listens says so and ends with 1", async () => {
  const { stdout, code } = await run(["identity", "--address", "127.0.0.1:1"]);
  expect(code).toBe(1);
  expect(stdout).toContain("no certificate: no TLS 1.3 handshake with 127.0.0.1 port 1");
});

test("tulle proxy with a broken environment names each key, its value and the wanted form", async () => {
  const { stderr, code } = await run(["proxy"], { TULLE_UID: "root", TULLE_WORKLOAD_NAME: "A B" });
  expect(code).toBe(2);
  expect(stderr).toContain('TULLE_UID: found "root", want a user id above 0');
  expect(stderr).toContain('TULLE_WORKLOAD_NAME: found "A B", want a name');
  expect(stderr).toContain("TULLE_TOKEN_FILE: found nothing");
});

test("the binary does not obey a .env file of the folder it is started in", async () => {
  writeFileSync(join(folder, ".env"), "TULLE_UID=from-dotenv\n");
  const { stderr } = await run(["proxy"]);
  rmSync(join(folder, ".env"));
  expect(stderr).not.toContain("from-dotenv");
});
