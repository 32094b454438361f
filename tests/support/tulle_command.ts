/** Which tulle the tests run: the compiled binary when it is what the sources say, otherwise the sources. */
import { Glob } from "bun";
import { statSync } from "node:fs";
import { join } from "node:path";

const SOURCES = ["src/**/*.ts", "controller/**/*.ts", "proto/gen/**/*.ts"];
const ROOT = join(import.meta.dirname, "..", "..");

/**
 * The command that is `tulle`: TULLE_BINARY when set; dist/tulle when it is newer than every source file, so that
 * `deno task test`, which builds it first, tests the product; otherwise src/main.ts, so that nothing stale is tested.
 */
export function tulleCommand(): readonly string[] {
  const given = process.env["TULLE_BINARY"];
  if (given !== undefined) return [given];
  const binary = join(ROOT, "dist", "tulle");
  return isFresh(binary) ? [binary] : [process.execPath, join(ROOT, "src", "main.ts")];
}

function isFresh(binary: string): boolean {
  const built = statSync(binary, { throwIfNoEntry: false });
  if (built === undefined) return false;
  return SOURCES.every((pattern) => {
    const files = [...new Glob(pattern).scanSync({ cwd: ROOT })].filter((file) => !file.endsWith("_test.ts"));
    if (files.length === 0) throw new Error(`no file matches ${pattern}`);
    return files.every((file) => statSync(join(ROOT, file)).mtimeMs <= built.mtimeMs);
  });
}
