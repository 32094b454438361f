import { expect, spyOn, test } from "bun:test";
import fc from "fast-check";
import { Pattern } from "../../base/pattern.ts";
import { somePattern } from "../../base/pattern_fixture.ts";
import { match, type NamedRule, path, request, rule } from "./_builders.ts";
import { AMBIGUOUS, compileRoutes } from "./compile.ts";
import { firstMatch } from "./conditions.ts";

const somePath = fc.oneof(
  { weight: 3, arbitrary: somePattern.map(({ text, input }) => ({ condition: `~${text}`, target: input })) },
  {
    weight: 1,
    arbitrary: fc.constantFrom("/a", "/a/b", "=/a/b", "/").map((condition) => ({ condition, target: "/a/b" })),
  },
);

test("regular expressions among other paths keep their order, found by prefix or one by one", () => {
  fc.assert(
    fc.property(fc.array(somePath, { minLength: 2, maxLength: 14 }), (paths) => {
      const rules = paths.map(({ condition }, at) => rule(`${at}`, [match({ path: path(condition) })]));
      const table = compileRoutes<NamedRule>(rules);
      for (const { target } of paths) {
        for (const asked of [target, target.toUpperCase(), target.slice(1), `${target}a`, `${target}\u0130`]) {
          const block = request("GET", asked);
          expect(table.match(block)).toBe(firstMatch<NamedRule>(rules, block));
        }
      }
    }),
    { numRuns: 300 },
  );
});

/** How many expressions are run for a request of the last of so many routes. */
function runs(routes: number, ask: "match" | "matchAllReadings"): number {
  const rules = Array.from({ length: routes }, (_, at) => rule(`${at}`, [match({ path: path(`~/r/${at}/[a-z]+`) })]));
  const table = compileRoutes(rules);
  using run = spyOn(Pattern.prototype, "test");
  const answer = table[ask](request("GET", `/r/${routes - 1}/x`));
  expect(answer === AMBIGUOUS ? AMBIGUOUS : answer?.name).toBe(`${routes - 1}`);
  return run.mock.calls.length;
}

test("match() and matchAllReadings() run no more regular expressions among 1000 routes than among 10", () => {
  expect([10, 100, 1000].map((routes) => runs(routes, "match"))).toEqual([1, 1, 1]);
  // Once more where case does not count.
  expect([10, 100, 1000].map((routes) => runs(routes, "matchAllReadings"))).toEqual([2, 2, 2]);
});
