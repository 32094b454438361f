/** Generates proto/gen from the proto files; `--check` changes nothing and fails when it differs, or when buf's lint does. */
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const root = new URL("../../", import.meta.url).pathname;
const proto = `${root}proto`;

function buf(args: readonly string[]): boolean {
  const bin = `${root}node_modules/.bin`;
  const env = { ...process.env, PATH: `${bin}:${process.env.PATH ?? ""}` };
  const run = Bun.spawnSync([`${bin}/buf`, ...args], { cwd: proto, env, stdout: "inherit", stderr: "inherit" });
  return run.exitCode === 0;
}

/** Every file below a folder, as path → text. */
function readTree(folder: string): Map<string, string> {
  const files = new Map<string, string>();
  for (const entry of readdirSync(folder, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile()) continue;
    const path = join(entry.parentPath, entry.name);
    files.set(path.slice(folder.length + 1), readFileSync(path, "utf8"));
  }
  return files;
}

function check(): boolean {
  const temporary = mkdtempSync(join(tmpdir(), "tulle-gen-"));
  try {
    if (!buf(["lint"])) return false;
    // The plugin writes to <output>/gen, as `out: gen` says.
    if (!buf(["generate", "--output", temporary])) return false;
    const wanted = readTree(join(temporary, "gen"));
    const found = readTree(join(proto, "gen"));
    const drifted = [...new Set([...wanted.keys(), ...found.keys()])].filter((path) =>
      wanted.get(path) !== found.get(path)
    );
    for (const path of drifted) console.error(`proto/gen/${path} is not what the proto files generate`);
    if (drifted.length > 0) console.error("run: npx -y deno@2.9.6 task gen");
    return drifted.length === 0;
  } finally {
    rmSync(temporary, { recursive: true, force: true });
  }
}

const good = process.argv.includes("--check") ? check() : buf(["generate"]);
process.exit(good ? 0 : 1);
