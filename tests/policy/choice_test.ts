/** Which mesh a command is about where both one of `tulle up` and a cluster could be meant. */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { tulleCommand } from "../support/tulle_command.ts";

const KUBECONFIG = JSON.stringify({
  "current-context": "prod",
  clusters: [{ name: "prod", cluster: { server: "https://127.0.0.1:1" } }],
  users: [{ name: "me", user: { token: "t" } }],
  contexts: [{ name: "prod", context: { cluster: "prod", user: "me" } }],
});

let folder: string;
let state: string;

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "tulle-choice-"));
  state = join(folder, "tulle-up-a");
  mkdirSync(state);
  const mesh = { pid: process.pid, root: true, folders: [join(import.meta.dir, "shop.yaml")], workloads: [] };
  writeFileSync(join(state, "mesh.json"), JSON.stringify(mesh));
  writeFileSync(join(state, "addresses.json"), "{}");
  writeFileSync(join(folder, "kubeconfig"), KUBECONFIG);
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** Runs `tulle authz front` on a machine with the mesh above. @returns what it says beside its answer */
function remark(kubeconfig: string, ...words: string[]): string {
  const argv = [...tulleCommand(), "authz", "front", "-n", "shop", ...words];
  const env = { ...process.env, TMPDIR: folder, KUBECONFIG: join(folder, kubeconfig) };
  const { stdout, stderr, exitCode } = Bun.spawnSync(argv, { env });
  expect([stdout.toString().includes("shop/front"), exitCode]).toEqual([true, 0]);
  return stderr.toString();
}

test("a command says which mesh it is about when another could be meant", () => {
  expect(remark("kubeconfig")).toBe(
    `this is about the mesh of \`tulle up\` in ${state}; the cluster is meant by --context prod\n`,
  );
  expect(remark("none")).toBe("");
  expect(remark("kubeconfig", "--state", state)).toBe("");
});
