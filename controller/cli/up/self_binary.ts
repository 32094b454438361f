/** Makes this program startable by the sidecars' user, who may not be allowed into the folder where it lies. */
import { mkdirSync, statSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { bindMount } from "../../../src/capture/namespace.ts";

const OTHERS_READ_EXECUTE = 0o5;
const OTHERS_ENTER = 0o1;

export interface SelfCommand {
  readonly command: readonly string[];
  /** False: another user cannot start it; it must be started as root and change the user itself. */
  readonly forOthers: boolean;
}

/**
 * @param self how this program is started: the compiled binary alone, or Bun and the entry point
 * @param folder others can enter it; the binary is mounted there when they cannot reach its own place
 */
export function prepareSelf(self: readonly string[], folder: string): SelfCommand {
  if (self.every(isReachable)) return { command: self, forOthers: true };
  const [binary, ...rest] = self;
  if (binary === undefined || rest.length > 0) return { command: self, forOthers: false };
  const target = join(folder, "bin", "tulle");
  mkdirSync(dirname(target), { mode: 0o711 });
  writeFileSync(target, "", { mode: 0o755 });
  bindMount(binary, target);
  return { command: [target], forOthers: true };
}

/** Whether any user can open a file: every folder above it lets others in. */
function isReachable(path: string): boolean {
  const stat = statSync(path, { throwIfNoEntry: false });
  if (stat === undefined || (stat.mode & OTHERS_READ_EXECUTE & 0o4) === 0) return false;
  for (let at = dirname(path);; at = dirname(at)) {
    const folder = statSync(at, { throwIfNoEntry: false });
    if (folder === undefined || (folder.mode & OTHERS_ENTER) === 0) return false;
    if (at === dirname(at)) return true;
  }
}
