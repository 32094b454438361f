import { afterEach, beforeEach, expect, test } from "bun:test";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { MeshFolderReader } from "./mesh_folder.ts";

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "tulle-folder-"));
});
afterEach(() => rmSync(folder, { recursive: true }));

function write(name: string, text: string): void {
  writeFileSync(join(folder, name), text);
}

function workload(name: string, annotations: string, run: string): string {
  return `apiVersion: workload.tulle.dev/v1alpha1
kind: ExternalWorkload
metadata: { name: ${name}, namespace: shop, labels: { app: ${name} }, annotations: ${annotations} }
spec: { run: ${run} }
`;
}

test("read() expands replicas, with numbers and the folder of the file as working directory", () => {
  write("a.yaml", workload("web", "{}", '{ replicas: 2, command: ["x", "y"], env: [{ name: A, value: b }] }'));
  const { instances, problems } = new MeshFolderReader([folder]).read();
  expect(problems).toEqual([]);
  expect(instances.map(({ key, index, workingDir, command, env }) => ({ key, index, workingDir, command, env })))
    .toEqual([
      { key: "shop/web-0", index: 0, workingDir: folder, command: ["x", "y"], env: { A: "b" } },
      { key: "shop/web-1", index: 1, workingDir: folder, command: ["x", "y"], env: { A: "b" } },
    ]);
});

test.each([
  ["{}", "enabled", true],
  ["{}", "disabled", false],
  ["{ tulle.dev/inject: enabled }", "disabled", true],
  ["{ tulle.dev/inject: disabled }", "enabled", false],
])("read() takes tulle.dev/inject of the workload %s before that of the namespace %s", (own, namespace, meshed) => {
  write("a.yaml", workload("web", own, '{ command: ["x"] }'));
  write(
    "n.yaml",
    `apiVersion: v1\nkind: Namespace\nmetadata: { name: shop, annotations: { tulle.dev/inject: ${namespace} } }\n`,
  );
  expect(new MeshFolderReader([folder]).read().instances.map((each) => each.meshed)).toEqual([meshed]);
});

test.each([
  ["{}", 1, []],
  ['{ tulle.dev/proxy-workers: "4" }', 4, []],
  ['{ tulle.dev/proxy-workers: "many" }', 1, [
    'ExternalWorkload shop/web: metadata.annotations["tulle.dev/proxy-workers"]: found "many", want a number 1–64',
  ]],
])("read() takes the threads of a sidecar from %s", (annotations, workers, wanted) => {
  write("a.yaml", workload("web", annotations, '{ command: ["x"] }'));
  const { instances, problems } = new MeshFolderReader([folder]).read();
  expect(instances[0]?.workers).toBe(workers);
  expect(problems).toEqual(wanted);
});

test.each([
  ["{}", false, []],
  ['{ tulle.dev/optional: "true" }', true, []],
  ['{ tulle.dev/optional: "false" }', false, []],
  ['{ tulle.dev/optional: "yes" }', false, [
    'ExternalWorkload shop/web: metadata.annotations["tulle.dev/optional"]: found "yes", want true or false',
  ]],
])("read() takes from %s whether a workload may be left out", (annotations, optional, wanted) => {
  write("a.yaml", workload("web", annotations, '{ command: ["x"] }'));
  const { instances, problems } = new MeshFolderReader([folder]).read();
  expect(instances[0]?.optional).toBe(optional);
  expect(problems).toEqual(wanted);
});

test("read() resolves a relative working directory against the folder", () => {
  write("a.yaml", workload("web", "{}", '{ command: ["x"], workingDir: apps }'));
  expect(new MeshFolderReader([folder]).read().instances[0]?.workingDir).toBe(join(folder, "apps"));
});

test("read() keeps the last good content of a file that has become wrong, and says where", () => {
  write("a.yaml", workload("web", "{}", '{ command: ["x"] }'));
  const reader = new MeshFolderReader([folder]);
  reader.read();
  write("a.yaml", workload("web", "{}", '{ command: "x y" }'));
  const { instances, problems } = reader.read();
  expect(instances.map((each) => each.key)).toEqual(["shop/web-0"]);
  expect(problems.join()).toContain("spec.run.command");
});

test("changed() is true when a file is added, changed or removed, and only then", () => {
  write("a.yaml", workload("web", "{}", '{ command: ["x"] }'));
  const reader = new MeshFolderReader([folder]);
  reader.read();
  const quiet = reader.changed();
  write("b.yaml", workload("api", "{}", '{ command: ["x"] }'));
  const added = reader.changed();
  reader.read();
  rmSync(join(folder, "b.yaml"));
  expect([quiet, added, reader.changed()]).toEqual([false, true, true]);
});

test("read() reports a folder that is not there", () => {
  expect(new MeshFolderReader([join(folder, "none")]).read().problems.join()).toContain("does not exist");
});
