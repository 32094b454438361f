/**
 * Installs the programs that integration tests use, where that is possible: as root, on a machine with apt. Elsewhere it says
 * what is missing, and the tests that need it are skipped. Only the test task calls this; the demo installs nothing.
 */
import { existsSync, rmSync, writeFileSync } from "node:fs";
import { MESH_PACKAGES } from "../support/packages.ts";
import { findProgram } from "../support/process.ts";

/** Longest time for one call of apt-get, seconds: a mirror that hangs must not eat the time of the tests. */
const APT_SECONDS = 300;

/** Debian asks this program before it starts a service of a new package; 101 means no. */
const POLICY = "/usr/sbin/policy-rc.d";

/** Installs what is missing. @returns one line that says how it went; empty when nothing was missing */
export function installPackages(): string {
  const missing = missingPackages();
  if (missing.length === 0) return "";
  const without = `tests that need ${missing.join(", ")} will be skipped`;
  if (process.getuid?.() !== 0) return `not root, so nothing was installed: ${without}`;
  if (Bun.which("apt-get") === null) return `no apt-get here: ${without}`;
  const hadPolicy = existsSync(POLICY);
  if (!hadPolicy) writeFileSync(POLICY, "#!/bin/sh\nexit 101\n", { mode: 0o755 });
  try {
    aptGet(["update"]);
    // One by one when all at once fails: a package that one release lacks must not cost the others.
    const all = MESH_PACKAGES.map((item) => item.name);
    if (!aptGet(["install", ...all])) { for (const name of all) aptGet(["install", name]); }
  } finally {
    if (!hadPolicy) rmSync(POLICY, { force: true });
  }
  const still = missingPackages();
  if (still.length > 0) return `could not install ${still.join(", ")}: tests that need them will be skipped`;
  return `installed ${missing.join(", ")}`;
}

function missingPackages(): string[] {
  return MESH_PACKAGES.filter((item) => findProgram(item.program) === null).map((item) => item.name);
}

function aptGet(args: readonly string[]): boolean {
  const [verb, ...rest] = args;
  const command = [
    "apt-get",
    "-qq",
    "-y",
    "--no-install-recommends",
    "-o",
    "DPkg::Lock::Timeout=60",
    verb ?? "",
    ...rest,
  ];
  const run = Bun.spawnSync(["timeout", "--kill-after=10", String(APT_SECONDS), ...command], {
    env: { ...process.env, DEBIAN_FRONTEND: "noninteractive", NEEDRESTART_MODE: "l" },
    stdin: "ignore",
    stdout: "ignore",
    stderr: "ignore",
  });
  return run.exitCode === 0;
}

if (import.meta.main) console.log(installPackages() || "nothing was missing");
