import { afterAll, expect, test } from "bun:test";
import { chownSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { findMeshes, isMeant } from "./find_mesh.ts";
import { findTargets } from "./targets.ts";

const folder = mkdtempSync(join(tmpdir(), "tulle-find-"));
afterAll(() => rmSync(folder, { recursive: true }));

const WORKLOADS = [
  { namespace: "shop", name: "front-0", workload: "front", addresses: ["10.77.0.3"], admin: "http://10.77.0.3:4191" },
  { namespace: "shop", name: "db-0", workload: "db", addresses: ["10.77.0.4"], admin: null },
];

function writeMesh(name: string, text: string): string {
  const path = join(folder, name);
  mkdirSync(path, { recursive: true });
  writeFileSync(join(path, "mesh.json"), text);
  return path;
}

test("findMeshes() finds what runs, leaves out what has ended, is broken, or has another name", () => {
  const good = writeMesh("tulle-up-a", JSON.stringify({ pid: process.pid, root: true, workloads: WORKLOADS }));
  writeMesh("tulle-up-b", JSON.stringify({ pid: 2 ** 30, root: true, workloads: WORKLOADS }));
  writeMesh("tulle-up-c", "{");
  writeMesh("other-d", JSON.stringify({ pid: process.pid, root: true, workloads: WORKLOADS }));
  expect(findMeshes(folder)).toEqual([{
    stateFolder: good,
    pid: process.pid,
    isReachable: true,
    folders: [],
    trustDomain: "cluster.local",
    proxies: [{ key: "shop/front-0", workload: "shop/front", address: "10.77.0.3", admin: "http://10.77.0.3:4191" }],
  }]);
  rmSync(good, { recursive: true });
});

test.skipIf(process.getuid?.() !== 0)("findMeshes() does not believe another user's file", () => {
  const path = writeMesh("tulle-up-e", JSON.stringify({ pid: process.pid, root: true, workloads: WORKLOADS }));
  chownSync(join(path, "mesh.json"), 65534, 65534);
  expect(findMeshes(folder)).toEqual([]);
  rmSync(path, { recursive: true });
});

test.each(["shop/front-0", "front-0", "front-0.shop", "shop/front", "front", "front.shop"])(
  "isMeant() knows an instance by %s",
  (word) => {
    expect(isMeant({ key: "shop/front-0", workload: "shop/front", address: "", admin: "" }, word)).toBe(true);
  },
);

test.each(["front-1", "fron", "other/front", "shop"])("isMeant() does not take %s for it", (word) => {
  expect(isMeant({ key: "shop/front-0", workload: "shop/front", address: "", admin: "" }, word)).toBe(false);
});

test.each([
  ["10.77.0.12", "http://10.77.0.12:4191", "10.77.0.12"],
  ["10.77.0.12:99", "http://10.77.0.12:99", "10.77.0.12"],
  ["10.77.0.12:80", "http://10.77.0.12:80", "10.77.0.12"],
  ["::1", "http://[::1]:4191", "::1"],
  ["[::1]:99", "http://[::1]:99", "::1"],
  ["http://localhost:99/metrics", "http://localhost:99", "localhost"],
])("findTargets() reads the address %s", (text, admin, address) => {
  expect(findTargets({ address: [text] }, [], 4191).proxies[0]).toMatchObject({ admin, address });
});

test.each(["", "https://a", "a:b:c", "ftp://x", ":99"])("findTargets() refuses the address %p", (text) => {
  expect(() => findTargets({ address: [text] }, [], 4191)).toThrow("--address: found");
});

test("findTargets() names the nearest when a word means nothing", () => {
  const state = writeMesh("tulle-up-f", JSON.stringify({ pid: process.pid, root: true, workloads: WORKLOADS }));
  expect(() => findTargets({ state }, ["frnt-0"], 4191)).toThrow('no sidecar of "frnt-0". Did you mean "front-0"?');
  expect(() => findTargets({ state }, ["zebra"], 4191)).toThrow("There are: shop/front-0");
  expect(findTargets({ state }, ["front"], 4191).proxies.length).toBe(1);
});
