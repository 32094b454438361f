/** Programs that a test needs, or the reason why it is skipped. */
import { MESH_PACKAGES } from "./packages.ts";
import { findProgram } from "./process.ts";

/**
 * Paths of programs by name; null when one is missing, after one line that says which and how to get it. Use:
 * `const tools = need("nginx", "curl"); test.skipIf(tools === null)(…)`.
 */
export function need<Name extends string>(...names: readonly Name[]): Readonly<Record<Name, string>> | null {
  const found = {} as Record<Name, string>; // filled below, or not returned
  for (const name of names) {
    const program = findProgram(name);
    if (program === null) {
      const source = MESH_PACKAGES.find((entry) => entry.program === name)?.name ?? name;
      console.log(`skipped: ${name} is not installed (apt-get install ${source})`);
      return null;
    }
    found[name] = program;
  }
  return found;
}
