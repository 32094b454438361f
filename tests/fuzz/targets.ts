/** The targets: each file of targets/ is one, named like it. */
import { readdirSync } from "node:fs";
import { join } from "node:path";
import type { Target } from "./target.ts";

const FOLDER = join(import.meta.dirname, "targets");

export const TARGET_NAMES: readonly string[] = readdirSync(FOLDER)
  .filter((name) => name.endsWith(".ts") && !name.startsWith("_"))
  .map((name) => name.slice(0, -3).replaceAll("_", "-"))
  .sort();

/** Loads a target, and with it the code that it tests. */
export async function loadTarget(name: string): Promise<Target> {
  const module = await import(join(FOLDER, `${name.replaceAll("-", "_")}.ts`)) as { target: Target }; // each exports one
  return module.target;
}
