/**
 * Compiles dist/tulle.
 *
 * `--splitting` keeps each face in its own chunk, so that a sidecar does not load the controller (measured: 31 MB against
 * 49 MB); `--bytecode` halves the time to listening. The autoload switches are safety: a `.env` in the working directory
 * would otherwise configure a proxy. The policy keeps a sidecar from compiling to machine code before it is busy (see
 * `src/net/jit_policy.ts`): 3 MB of private memory less with a few requests a second, and a third of the CPU.
 * In an image TULLE_BUILD_COMMIT names the commit, as there is no repository.
 */
import { mkdirSync } from "node:fs";

const root = new URL("../../", import.meta.url).pathname;
mkdirSync(`${root}dist`, { recursive: true });
const commit = process.env.TULLE_BUILD_COMMIT ?? commitOf(root);
const started = performance.now();
const build = Bun.spawnSync([
  `${root}node_modules/.bin/bun`,
  "build",
  "--compile",
  "--splitting",
  "--bytecode",
  "--minify-syntax",
  "--compile-jit-policy=1000",
  "--format=esm",
  "--no-compile-autoload-dotenv",
  "--no-compile-autoload-bunfig",
  "--define",
  `TULLE_COMMIT=${JSON.stringify(commit)}`,
  "--outfile",
  `${root}dist/tulle`,
  `${root}src/main.ts`,
], { cwd: root, stdout: "pipe", stderr: "pipe" });
if (build.exitCode !== 0) {
  console.error(build.stdout.toString() + build.stderr.toString());
  process.exit(1);
}
const megabytes = (Bun.file(`${root}dist/tulle`).size / 1e6).toFixed(0);
console.log(`dist/tulle: ${megabytes} MB in ${((performance.now() - started) / 1000).toFixed(1)} s`);

/** Commit of the tree; "unknown" without git or a repository. */
function commitOf(folder: string): string {
  if (Bun.which("git") === null) return "unknown";
  const git = Bun.spawnSync(["git", "rev-parse", "--short=12", "HEAD"], { cwd: folder, stderr: "ignore" });
  return git.exitCode === 0 ? git.stdout.toString().trim() : "unknown";
}
