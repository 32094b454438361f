/** A short round of every target over its corpus, always the same inputs; `deno task fuzz` runs as long as wanted. */
import { expect, setDefaultTimeout, test } from "bun:test";
import { readSaved } from "./corpus_files.ts";
import { instrument } from "./coverage.ts";
import { minimised } from "./minimise.ts";
import { mutated } from "./mutate.ts";
import { Random } from "./random.ts";
import { fuzz } from "./session.ts";
import { holds, type Target } from "./target.ts";
import { loadTarget, TARGET_NAMES } from "./targets.ts";

setDefaultTimeout(60_000);

/** Time for each target, milliseconds: all of them must stay below half a minute. */
const ROUND_MS = 600;
const SEED = 1;
/** Inputs after which a round ends even if there is time: the same inputs are tried on every machine that is not busy. */
const ROUND_INPUTS = 2_000;

test.each([...TARGET_NAMES])("%s: nothing is found in a short round", async (name) => {
  const target = await loadTarget(name);
  const end = performance.now() + ROUND_MS;
  const { found, tried } = await fuzz(target, {
    seed: SEED,
    corpus: readSaved(name),
    coverage: null,
    isOver: (count) => count >= ROUND_INPUTS || performance.now() > end,
  });
  expect(found.map(({ message, input }) => `${message}\n${Buffer.from(input).toString("base64")}`)).toEqual([]);
  expect(tried).toBeGreaterThan(readSaved(name).length);
});

test("fuzz() finds what does not hold, once, and makes its input small", async () => {
  const target: Target = {
    about: "an example",
    seeds: ["hello world, this is long enough"],
    run: (input) => holds(!Buffer.from(input).includes("wo"), `found at ${input.length}`),
  };
  const { found } = await fuzz(target, { seed: 1, corpus: [], coverage: null, isOver: (tried) => tried > 500 });
  expect(found.map(({ input }) => Buffer.from(input).toString())).toEqual(["wo"]);
});

test("minimised() keeps what matters and simplifies the rest", async () => {
  const small = await minimised(
    Buffer.from("xxx<!zzzz"),
    (one) => Promise.resolve(Buffer.from(one).includes("<") && one.length > 2),
  );
  expect([Buffer.from(small).includes("<"), small.length]).toEqual([true, 3]);
});

test("mutated() repeats itself for the same seed, and keeps to the limit", () => {
  const inputs = (seed: number) => {
    const random = new Random(seed);
    const options = { dictionary: ["token"], maxBytes: 20, other: () => Buffer.from("other") };
    return Array.from(
      { length: 200 },
      () => Buffer.from(mutated(Buffer.from("0123456789"), random, options)).toString("hex"),
    );
  };
  expect(inputs(7)).toEqual(inputs(7));
  expect(inputs(7)).not.toEqual(inputs(8));
  expect(Math.max(...inputs(7).map((one) => one.length / 2))).toBeLessThanOrEqual(20);
});

test("instrument() leaves what a program does as it is", () => {
  const program = `
    const out = [];
    function f(a) { if (a > 2) out.push("big"); else if (a > 1) out.push("two"); if (a) for (const b of [1, 2]) out.push(b);
      while (a-- > 0) if (a === 1) break; switch (a) { case 0: case 1: out.push("s"); break; default: out.push("d"); }
      try { if (a < 0) throw new Error("x"); } catch { out.push("c"); }
      return a > 0 ? a : (a ?? 1) || 5; }
    class C { #p = 1; get p() { return this.#p && 2; } static s = () => 3; }
    out.push(f(3), f(0), new C().p, C.s());
    return out;`;
  const run = (code: string) => {
    const counters = new Uint8Array(1 << 16);
    return (new Function("__branches", code) as (counters: Uint8Array) => unknown)(counters);
  };
  const code = instrument(`function main() {${program}}`);
  expect(code).not.toBe(`function main() {${program}}`);
  expect(run(`${code}; return main();`)).toEqual(run(`function main() {${program}}; return main();`));
});
