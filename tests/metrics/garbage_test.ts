import { expect, test } from "bun:test";

const loop = new URL("_count_loop.ts", import.meta.url).pathname;

/** Collections that JavaScriptCore logs while the loop runs. */
function collections(turns: number, kind: string): number {
  const run = Bun.spawnSync([process.execPath, loop, String(turns), kind], {
    env: { ...process.env, BUN_JSC_logGC: "1" },
  });
  const log = `${run.stdout}${run.stderr}`.split("measured from here")[1];
  if (run.exitCode !== 0 || log === undefined) throw new Error(`the loop did not run: ${run.stderr}`);
  return log.match(/=> (Full|Eden)Collection|START/g)?.length ?? 0;
}

test("counting 5 million requests leaves nothing for the garbage collector", () => {
  expect(collections(5_000_000, "counting")).toBe(0);
  expect(collections(5_000_000, "garbage")).toBeGreaterThan(3);
}, 60_000);
