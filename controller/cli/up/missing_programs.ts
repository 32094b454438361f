/** Looks whether the programs of a folder are installed. */
import type { Instance } from "./mesh_folder.ts";
import type { Progress } from "./progress.ts";

/**
 * Finds programs that are not there. An optional workload is left out; another one is started all the same, and reported when
 * it fails. What was said before is not said again.
 *
 * @param missing keys of the instances left out; brought up to date
 */
export function findMissing(instances: readonly Instance[], missing: Set<string>, progress: Progress): void {
  const known = new Set(missing);
  missing.clear();
  for (const { key, command, env, workingDir, optional } of instances) {
    const program = command[0] ?? "";
    const PATH = env["PATH"] ?? process.env["PATH"] ?? "";
    if (Bun.which(program, { PATH, cwd: workingDir }) !== null) continue;
    if (optional) missing.add(key);
    if (known.has(key)) continue;
    const what = `${key}: the program ${program} is not installed`;
    if (optional) progress.note(`${what}; going on without it (it is marked optional)`);
    else progress.warn(what);
  }
}
