import { expect, test } from "bun:test";
import { growthOf, leaksOf, type Sample } from "./growth.ts";

/** A minute of a process that starts high, then stays with saw teeth, or leaks. */
function minute(proxy: string, leak: { mbPerSecond: number; fdsPerSecond: number }): Sample[] {
  return Array.from({ length: 61 }, (_, t) => {
    const extra = t * leak.mbPerSecond + (t < 20 ? t : 20) + (t % 5) / 2;
    return { t, proxy, rssMb: 40 + extra, anonMb: 10 + extra, heapMb: 4 + extra, fds: 30 + t * leak.fdsPerSecond };
  });
}

const BOUNDS = { rssMb: 3, anonMb: 2, heapMb: 1, fds: 2 };
const NONE = { mbPerSecond: 0, fdsPerSecond: 0 };

test("leaksOf() passes what is flat after the warm-up", () => {
  const growth = growthOf([...minute("a", NONE), ...minute("b", NONE)]);
  expect(growth).toHaveLength(8);
  expect(leaksOf(growth, BOUNDS)).toEqual([]);
});

test("leaksOf() names the process and the measure that grow", () => {
  const samples = [...minute("a", NONE), ...minute("b", { mbPerSecond: 0.04, fdsPerSecond: 1 })];
  const leaks = leaksOf(growthOf(samples), BOUNDS).join("\n");
  expect(leaks).toContain("b: heapMb grew by 1.6");
  expect(leaks).toContain("b: fds grew by 40.00 (3600.0 per hour), its floor by 40.00, want at most 2");
  expect(leaks).not.toContain("a:");
});

test("leaksOf() passes a saw tooth that is as long as a third of the run, for it comes back to its floor", () => {
  const tooth = minute("a", NONE).map((sample) => ({ ...sample, heapMb: 8 + (sample.t % 20) / 2 }));
  const growth = growthOf(tooth);
  expect(growth.find(({ measure }) => measure === "heapMb")?.inAll).toBeGreaterThan(BOUNDS.heapMb);
  expect(leaksOf(growth, BOUNDS)).toEqual([]);
});

test("leaksOf() does not pass what was not measured", () => {
  expect(leaksOf(growthOf([{ t: 0, proxy: "a", rssMb: 1, anonMb: 1, heapMb: 1, fds: 1 }]), BOUNDS)).toHaveLength(4);
});
