/** Helm, as the machine has it or as Go can build it. */
import { existsSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import { findProgram, run } from "./process.ts";

const VERSION = "v3.19.2";
const FOLDER = new URL(`../../.cache/helm-${VERSION}`, import.meta.url).pathname;
/** 400 packages on a loaded machine. */
const BUILD_TIMEOUT_MS = 900_000;

/** True when helm is there or can be built; otherwise a line says what is missing. */
export function canHaveHelm(): boolean {
  if (existsSync(join(FOLDER, "helm")) || findProgram("helm") !== null || findProgram("go") !== null) return true;
  console.log("skipped: neither helm nor Go to build it is installed");
  return false;
}

/** Path of helm; it is built on first use. @throws Error with Go's words */
export async function helmProgram(): Promise<string> {
  const built = join(FOLDER, "helm");
  if (existsSync(built)) return built;
  const found = findProgram("helm");
  if (found !== null) return found;
  mkdirSync(FOLDER, { recursive: true });
  const argv = ["nice", "-n", "19", "go", "install", `helm.sh/helm/v3/cmd/helm@${VERSION}`];
  const { code, stderr } = await run({ argv, env: { GOBIN: FOLDER }, timeoutMs: BUILD_TIMEOUT_MS });
  if (code !== 0) throw new Error(`helm cannot be built: ${stderr.slice(-400)}`);
  return built;
}
