/**
 * ns per decision about a request that was not seen before, among few and many routes and policies, and about one that was:
 * `bun tests/bench/micro/policy.ts`. Best of the rounds of one run.
 */
import { authorizeRequest } from "../../../src/proxy/policy/authorize.ts";
import { CLIENT, manyRoutes, PLAIN, requestFor, SHAPES } from "../../../src/proxy/inbound/policy_cost_fixture.ts";

const ROUNDS = 15;
const TURNS = 20_000;
const SIZES = [[10, 10], [1000, 500]] as const;

/** Best time of one turn, ns. Blocks are made before the clock runs. */
function best(make: (at: number) => () => void): number {
  let least = Infinity;
  for (let round = 0; round < ROUNDS; round++) {
    const turns = Array.from({ length: TURNS }, (_, at) => make(at));
    const since = Bun.nanoseconds();
    for (const turn of turns) turn();
    least = Math.min(least, (Bun.nanoseconds() - since) / TURNS);
  }
  return least;
}

console.log("ns per request".padEnd(20) + SIZES.map(([r, p]) => `${r} routes, ${p} policies`.padStart(28)).join(""));
for (const [name, shape] of Object.entries(SHAPES)) {
  const cells = SIZES.map(([routes, policies]) => {
    const port = manyRoutes(shape, routes, policies, PLAIN);
    const unseen = best((at) => {
      const block = requestFor(shape, (at * 7919) % routes);
      return () => void authorizeRequest(port, CLIENT, block);
    });
    const block = requestFor(shape, routes - 1);
    const seen = best(() => () => void authorizeRequest(port, CLIENT, block));
    return `${unseen.toFixed(0)} new, ${seen.toFixed(0)} seen`.padStart(28);
  });
  console.log(name.padEnd(20) + cells.join(""));
}
