// Memory and descriptors stay where they are under steady traffic: a leak per request or per connection fails here.
import { expect, test } from "bun:test";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { eventually } from "../../support/eventually.ts";
import { isDirect } from "../../support/mesh.ts";
import { findProgram } from "../../support/process.ts";
import { leaksOf } from "./growth.ts";
import { descriptors, type Pair } from "./pair.ts";
import { runSoak } from "./run.ts";

const BINARY = join(import.meta.dirname, "../../../dist/tulle");
const SECONDS = 30;
const RATE = 1_000;
/**
 * Growth over the last 20 s, some 20,000 exchanges: 4 MB is 200 bytes for each; an exchange that is kept has more than 1,000.
 * Without a leak the live heap grows by up to 2.8 MB on a busy machine, where pools are still being filled then; for minutes
 * it does not grow at all. Private memory follows the collector and the compiler: memory_test.ts bounds it.
 */
const BOUNDS = { rssMb: Infinity, anonMb: Infinity, heapMb: 4, fds: Infinity };
/** Every collection is a full one, so that what is left after it is alive. */
const FULL_COLLECTIONS = { BUN_JSC_useGenerationalGC: "0" };
/**
 * Descriptors left when all clients have gone: listeners, the controller, pooled connections to the other side and to the
 * application, 18 and 43–47. Some 2,400 connections came and went: one in fifty that stays is too many.
 */
const MOST_IDLE_FDS = 90;

const missing = isDirect || ["nginx", "nghttpd"].some((name) => findProgram(name) === null) || !existsSync(BINARY);
if (missing) console.log("skipped: short soak: dist/tulle, nginx or nghttpd is missing");

async function descriptorsGoBack(sides: Pair["sides"]): Promise<void> {
  for (const [name, { pid }] of sides) {
    const left = await eventually(() => {
      const now = descriptors(pid);
      expect(now).toBeLessThan(MOST_IDLE_FDS);
      return now;
    }, 20_000);
    console.log(`${name}: ${left} descriptors left`);
  }
}

test.skipIf(missing)("a pair of sidecars leaks neither memory nor descriptors under a mixed load", async () => {
  const said: string[] = [];
  const { growth, load } = await runSoak({
    program: BINARY,
    seconds: SECONDS,
    rate: RATE,
    env: FULL_COLLECTIONS,
    say: (line) => said.push(line),
    afterwards: descriptorsGoBack,
  });
  for (const { proxy, measure, median, inAll } of growth) {
    console.log(`${proxy} ${measure}: ${median.toFixed(1)}, growth ${inAll.toFixed(2)}`);
  }
  expect(said).toEqual([]);
  expect(load.failed).toBe(0);
  expect(load.count).toBeGreaterThan(SECONDS * RATE / 4); // even a busy machine does a quarter of it
  expect(leaksOf(growth, BOUNDS)).toEqual([]);
}, 120_000);
