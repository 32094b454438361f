/** A container's memory limit that is near: what waits is bounded by it, so that the kernel need not end the sidecar. */
import { expect, setDefaultTimeout, test } from "bun:test";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmdirSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Row } from "../attacks/_attack.ts";
import { eventually } from "../support/eventually.ts";
import { isDirect, tulleCommand } from "../support/mesh.ts";

setDefaultTimeout(120_000);

/** Of each sidecar. What one with enough memory lets wait for clients that do not read is more than this. */
const LIMIT_BYTES = 90 * 1024 * 1024;
/** Both versions of the kernel's interface: where groups are made, and the file of the limit. */
const [ROOT, FILE] = existsSync("/sys/fs/cgroup/memory/memory.limit_in_bytes")
  ? ["/sys/fs/cgroup/memory", "memory.limit_in_bytes"]
  : ["/sys/fs/cgroup", "memory.max"];
const GROUP = join(ROOT, `tulle-test-${process.pid}`);

function canLimit(): boolean {
  try {
    mkdirSync(GROUP);
    const has = existsSync(join(GROUP, FILE));
    rmdirSync(GROUP);
    return has;
  } catch {
    return false;
  }
}

const canRun = !isDirect && canLimit();
if (!canRun && !isDirect) console.log("skipped: no control group can be made here");

test.skipIf(!canRun)("sidecars stay within their containers' memory limit while clients do not read", async () => {
  const dir = mkdtempSync(join(tmpdir(), "tulle-limit-"));
  try {
    const tulle = join(dir, "tulle");
    const limit = `G=${GROUP}-$$; mkdir $G; echo ${LIMIT_BYTES} > $G/${FILE}; echo $$ > $G/cgroup.procs`;
    const command = tulleCommand().map((part) => `'${part}'`).join(" ");
    writeFileSync(tulle, `#!/bin/sh\nif [ "$1" = proxy ]; then ${limit}; fi\nexec ${command} "$@"\n`, { mode: 0o755 });
    const rows = join(dir, "rows.json");
    const attacks = join(import.meta.dirname, "../attacks/run.ts");
    const only = "zero-window stall.*inbound";
    const argv = [process.execPath, attacks, "--only", only, "--json", rows];
    const run = Bun.spawn(argv, { env: { ...process.env, TULLE_BINARY: tulle }, stdout: "pipe", stderr: "pipe" });
    const output = await new Response(run.stdout).text() + await new Response(run.stderr).text();
    const found = (JSON.parse(readFileSync(rows, "utf8")) as { rows: Row[] }).rows;
    expect(found.length, output).toBeGreaterThan(0);
    for (const row of found) {
      expect(row.problems.filter((problem) => problem.includes("ended")), row.attack).toEqual([]);
      expect(row.othersFailed, row.attack).toBe(0);
    }
  } finally {
    rmSync(dir, { recursive: true });
    for (const name of readdirSync(ROOT).filter((one) => join(ROOT, one).startsWith(`${GROUP}-`))) {
      await eventually(() => rmdirSync(join(ROOT, name)));
    }
  }
});
