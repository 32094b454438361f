/** Placeholder. */
import type { MeshRun } from "./mesh_run.ts";
import type { UpOptions } from "./options.ts";
import type { Progress } from "./progress.ts";
export function prove(_run: MeshRun, _options: UpOptions, _progress: Progress): { conclude(): Promise<boolean> } {
  return { conclude: () => Promise.resolve(true) };
}
