/** Namespaces: entered for the synchronous work only, seen by children, left also when the work throws. */
import { expect, test } from "bun:test";
import { mkdtempSync, readFileSync, readlinkSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { bindMount, Namespace } from "../../src/capture/namespace.ts";
import { means } from "./_bed.ts";

const isRoot = means() === "here";
const here = () => readlinkSync("/proc/thread-self/ns/net");

test.if(isRoot)("run() enters for the work, and comes back also when it throws", () => {
  using namespace = Namespace.create("net");
  const before = here();
  const inside = namespace.run(here);
  expect(() =>
    namespace.run(() => {
      throw new Error("oops");
    })
  ).toThrow("oops");
  expect([inside === before, here()]).toEqual([false, before]);
});

test.if(isRoot)("run() lets children be born inside, at the same working directory", () => {
  using net = Namespace.create("net");
  using mnt = Namespace.create("mnt");
  const directory = process.cwd();
  const child = mnt.run(() => net.run(() => Bun.spawnSync(["readlink", "/proc/self/ns/net", "/proc/self/cwd"])));
  const [namespace, cwd] = child.stdout.toString().split("\n");
  expect([namespace, cwd]).toEqual([net.run(here), directory]);
  expect(process.cwd()).toBe(directory);
});

test.if(isRoot)(
  "bindMount() is seen in its mount namespace only, again and again, also after threads were started",
  async () => {
    const folder = mkdtempSync(join(tmpdir(), "tulle-mount-"));
    writeFileSync(join(folder, "hosts"), "10.0.0.1 web\n");
    using namespace = Namespace.create("mnt");
    namespace.run(() => bindMount(join(folder, "hosts"), "/etc/hosts"));
    await Promise.all(Array.from({ length: 8 }, () => Bun.file("/etc/hosts").text())); // work for pool threads
    const seen = namespace.run(() => readFileSync("/etc/hosts", "utf8"));
    rmSync(folder, { recursive: true });
    expect([seen, readFileSync("/etc/hosts", "utf8").includes("10.0.0.1 web")]).toEqual(["10.0.0.1 web\n", false]);
  },
);
