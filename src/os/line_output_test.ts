import { expect, test } from "bun:test";
import { join } from "node:path";

const MODULE = JSON.stringify(join(import.meta.dirname, "line_output.ts"));
/** Writes 1 KiB lines until nothing more is taken, says on stderr how many were, and what the last answer was. */
const WRITER = `const { lineOutput } = await import(${MODULE});
  const output = lineOutput(1);
  const line = new TextEncoder().encode("x".repeat(1023) + "\\n");
  let taken = 1, lines = 0;
  while (lines < 1000 && (taken = output.write(line)) > 0) lines++;
  console.error(JSON.stringify({ taken, lines, atomic: output.atomicBytes }));
  process.kill(process.pid, "SIGKILL");`;

function write(script: string, asUser: readonly string[] = []): unknown {
  const argv = ["sh", "-c", script, "sh", ...asUser, process.execPath, "-e", WRITER];
  const { stderr } = Bun.spawnSync(argv, { stdout: "ignore", stderr: "pipe", timeout: 20_000 });
  const text = stderr.toString();
  return JSON.parse(text.split("\n").find((one) => one.startsWith("{")) ?? JSON.stringify({ failed: text }));
}

/** A pipe with a reader (3) that does not read, and a writer (4). */
const PIPE = 'F=$(mktemp -u); mkfifo "$F"; exec 3<>"$F" 4>"$F"; chmod $MODE "$F"; rm "$F"; ';

test.each([
  ["a pipe that nobody reads", `MODE=600; ${PIPE} exec "$@" >&4`, { taken: 0, lines: 64, atomic: 4096 }],
  ["a pipe that may not be opened", `MODE=0; ${PIPE} exec "$@" >&4`, { taken: 0, lines: 61, atomic: 4096 }],
  ["a pipe whose reader is gone", `MODE=600; ${PIPE} exec "$@" >&4 3<&-`, { taken: -1, lines: 0, atomic: 4096 }],
  ["a full disk", 'exec "$@" >/dev/full', { taken: -1, lines: 0, atomic: null }],
  ["a file", 'F=$(mktemp); exec 4>"$F"; rm "$F"; exec "$@" >&4', { taken: 1024, lines: 1000, atomic: null }],
])("lineOutput() to %s does not wait", (what, script, wanted) => {
  const asUser = what.includes("may not") && process.getuid?.() === 0
    ? ["setpriv", "--reuid=65534", "--clear-groups", "--inh-caps=-all"]
    : [];
  expect(write(script, asUser)).toMatchObject(wanted);
});
