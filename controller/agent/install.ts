/** Puts the plugin's executable, which is this binary, among a node's plugins. */
import { chmodSync, copyFileSync, existsSync, renameSync, statSync, unlinkSync } from "node:fs";
import { join } from "node:path";
import { CNI_PLUGIN } from "../core/cluster_names.ts";

/**
 * Copies the binary unless it is there already. In one step, as a runtime may start the plugin at any moment.
 * @returns whether it was copied
 * @throws Error of the file system
 */
export async function installPlugin(binDir: string, self: string): Promise<boolean> {
  const target = join(binDir, CNI_PLUGIN);
  if (existsSync(target) && statSync(target).size === statSync(self).size && await hash(target) === await hash(self)) {
    return false;
  }
  const temporary = `${target}.tmp`;
  if (existsSync(temporary)) unlinkSync(temporary);
  copyFileSync(self, temporary);
  chmodSync(temporary, 0o755);
  renameSync(temporary, target);
  return true;
}

/** Removes the executable. Only once no configuration names it any more: runtimes fail pods whose plugin is missing. */
export function removePlugin(binDir: string): void {
  const target = join(binDir, CNI_PLUGIN);
  if (existsSync(target)) unlinkSync(target);
}

async function hash(file: string): Promise<string> {
  const hasher = new Bun.CryptoHasher("sha256");
  for await (const chunk of Bun.file(file).stream()) hasher.update(chunk);
  return hasher.digest("hex");
}
