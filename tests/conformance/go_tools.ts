/** Suites that are written in Go: built once by `go install` at a pinned version, into .cache/. */
import { copyFileSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import { findProgram, run } from "../support/process.ts";

/** Everything that suites fetch or build is kept here, outside of version control. */
export const CACHE = join(import.meta.dirname, "..", "..", ".cache");

/** Longest time to fetch and compile one set of programs, milliseconds: they have a hundred dependencies. */
const BUILD_MS = 600_000;

const MISSING = { reason: "Go is missing (apt-get install golang, or https://go.dev/dl)" };

/** Programs by their name, or why they cannot be had. */
export type Installed = { readonly path: (program: string) => string } | { readonly reason: string };

/**
 * Builds the commands of a Go module, unless that was done before.
 *
 * @param module path of the module
 * @param version as the Go module proxy has it
 * @param packages the commands, paths below the module
 */
export async function goInstall(module: string, version: string, packages: readonly string[]): Promise<Installed> {
  const bin = join(CACHE, "go", `${module.replaceAll("/", "_")}@${version}`);
  const path = (program: string) => join(bin, program);
  const names = packages.map((item) => item.slice(item.lastIndexOf("/") + 1));
  const present = await Promise.all(names.map((name) => Bun.file(path(name)).exists()));
  if (present.every(Boolean)) return { path };
  const go = findProgram("go");
  if (go === null) return MISSING;
  mkdirSync(bin, { recursive: true });
  const built = await run({
    argv: [go, "install", ...packages.map((item) => `${module}/${item}@${version}`)],
    name: "go install",
    env: { GOBIN: bin },
    timeoutMs: BUILD_MS,
  });
  if (built.code === 0) return { path };
  return { reason: `go install ${module}@${version} failed: ${built.stderr.trim().slice(-500)}` };
}

/**
 * Compiles a program of ours against a Go module, unless that was done before.
 *
 * @param source path of its main.go
 * @param name of the program
 * @param language version of Go that the module asks for; with it only what is built is fetched, without the tests of it all
 */
export async function goBuild(
  source: string,
  name: string,
  module: string,
  version: string,
  language = "",
): Promise<Installed> {
  const hash = Bun.hash(await Bun.file(source).arrayBuffer()).toString(36);
  const folder = join(CACHE, "go", `${name}@${version}-${hash}`);
  const path = (program: string) => join(folder, program);
  if (await Bun.file(path(name)).exists()) return { path };
  const go = findProgram("go");
  if (go === null) return MISSING;
  mkdirSync(folder, { recursive: true });
  copyFileSync(source, join(folder, "main.go"));
  const pragma = language === "" ? "" : `go ${language}\n\n`;
  await Bun.write(join(folder, "go.mod"), `module ${name}\n\n${pragma}require ${module} ${version}\n`);
  const steps = language === ""
    ? [["mod", "tidy"], ["build", "-o", name, "."]]
    : [["build", "-mod=mod", "-o", name, "."]];
  for (const step of steps) {
    const done = await run({
      argv: ["nice", "-n", "19", go, ...step],
      name: `go ${step[0]}`,
      cwd: folder,
      timeoutMs: BUILD_MS,
    });
    if (done.code !== 0) return { reason: `go ${step.join(" ")} of ${name} failed: ${done.stderr.trim().slice(-500)}` };
  }
  return { path };
}
