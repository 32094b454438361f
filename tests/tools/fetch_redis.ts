/**
 * Fetches redis-server for the demo without installing anything: Debian's packages are downloaded and unpacked below
 * .cache/, with package lists of its own. Needs apt-get and dpkg-deb, no root.
 */
import { chmodSync, copyFileSync, existsSync, mkdirSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";

/** Longest time for one step, seconds: a demo must not hang on a mirror. */
const STEP_SECONDS = 60;

/**
 * @param folder where it goes; what is there already is used
 * @returns folder to put on PATH, or why it could not be had
 */
export function fetchRedis(folder: string): { bin: string } | { reason: string } {
  const bin = join(folder, "bin");
  if (existsSync(join(bin, "redis-server"))) return { bin };
  if (Bun.which("apt-get") === null || Bun.which("dpkg-deb") === null) return { reason: "no apt-get here" };
  rmSync(folder, { recursive: true, force: true });
  const [lists, cache, debs, root] = ["lists", "cache", "debs", "root"].map((name) => join(folder, name)) as [
    string,
    string,
    string,
    string,
  ];
  for (const each of [join(lists, "partial"), join(cache, "archives", "partial"), debs, root, bin]) {
    mkdirSync(each, { recursive: true });
  }
  copyFileSync("/var/lib/dpkg/status", join(folder, "status"));
  const settings = {
    "Dir::State::lists": lists,
    "Dir::Cache": cache,
    "Dir::State::status": join(folder, "status"),
    "Debug::NoLocking": "1", // all is our own, and the machine's locks belong to root
    "APT::Sandbox::User": "",
  };
  const apt = ["apt-get", "-qq", ...Object.entries(settings).flatMap(([key, value]) => ["-o", `${key}=${value}`])];
  if (!run([...apt, "update"], debs).ok) return { reason: "the package lists could not be fetched" };
  const plan = run([...apt, "install", "-y", "--no-install-recommends", "--print-uris", "redis-server"], debs);
  const names = [...plan.output.matchAll(/^'\S+' ([^_\s]+)_/gm)].map((match) => match[1] as string); // one group
  if (!plan.ok || names.length === 0) return { reason: "the package redis-server was not found" };
  if (!run([...apt, "download", ...names], debs).ok) return { reason: "the packages could not be downloaded" };
  for (const deb of readdirSync(debs)) run(["dpkg-deb", "-x", join(debs, deb), root], debs);
  const program = join(root, "usr/bin/redis-server");
  if (!existsSync(program)) return { reason: "the packages hold no redis-server" };
  const libraries = readdirSync(join(root, "usr"), { recursive: true, encoding: "utf8" })
    .filter((path) => /\.so(\.\d+)*$/.test(path)).map((path) => join(root, "usr", path, ".."));
  const path = [...new Set(libraries)].join(":");
  const wrapper = `#!/bin/sh\nLD_LIBRARY_PATH='${path}' exec '${program}' "$@"\n`;
  writeFileSync(join(bin, "redis-server"), wrapper);
  chmodSync(join(bin, "redis-server"), 0o755);
  if (run([join(bin, "redis-server"), "--version"], debs).ok) return { bin };
  rmSync(bin, { recursive: true, force: true });
  return { reason: "what was fetched does not start here" };
}

function run(command: readonly string[], cwd: string): { ok: boolean; output: string } {
  const child = Bun.spawnSync(["timeout", "--kill-after=5", String(STEP_SECONDS), ...command], {
    cwd,
    env: { ...process.env, LC_ALL: "C", DEBIAN_FRONTEND: "noninteractive" },
    stdin: "ignore",
    stderr: "ignore",
  });
  return { ok: child.exitCode === 0, output: child.stdout.toString() };
}
