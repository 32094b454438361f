import { expect, test } from "bun:test";
import fc from "fast-check";
import { type ConsistentHash, NO_RESILIENCE } from "../../model/resilience.ts";
import { HashRing, hashText, MAX_POINTS, POINTS_PER_ENDPOINT } from "./hash_ring.ts";
import { type HashedPick, LEAST_BOUND, pickHashed } from "./hashed_pick.ts";
import type { ShapedCandidate } from "./shaped_pick.ts";

const BY_HEADER: ConsistentHash = { by: "header", name: "x-user", balancePercent: 0, affinityMs: 0 };
const KEYS = Array.from({ length: 4000 }, (_, i) => hashText(`user-${i}`));

interface Fake extends ShapedCandidate {
  readonly key: string;
  readonly weight: number;
  out: boolean;
  pending: number;
}

function endpoints(count: number, more: (i: number) => Partial<Fake> = () => ({})): Fake[] {
  return Array.from({ length: count }, (_, i) => {
    const key = `10.0.${i >> 8}.${i & 255}:8080`;
    const base = { key, weight: 1, zone: "", pending: 0, isFull: false, warmingSinceMs: -1, out: false, ...more(i) };
    const self: Fake = { ...base, load: () => 0, admits: () => !self.out };
    return self;
  });
}

function ask(more: Partial<HashedPick<Fake>> = {}): HashedPick<Fake> {
  const base = { resilience: NO_RESILIENCE, hash: BY_HEADER, key: 0, zone: "", nowMs: 0, exclude: null };
  return { ...base, event: "hash_kept", isLocal: false, ...more };
}

/** Where each key goes. */
function owners(all: readonly Fake[], more: Partial<HashedPick<Fake>> = {}): string[] {
  const ring = new HashRing(all);
  return KEYS.map((key) => pickHashed(ring, all, ask({ ...more, key }))?.key ?? "");
}

function countOf(found: readonly string[]): Map<string, number> {
  const counts = new Map<string, number>();
  for (const key of found) counts.set(key, (counts.get(key) ?? 0) + 1);
  return counts;
}

test("pickHashed() moves no key between endpoints that stay when one comes or goes, in any order of them", () => {
  fc.assert(
    fc.property(fc.integer({ min: 2, max: 40 }), fc.nat(), fc.nat(), (count, at, by) => {
      const all = endpoints(count);
      const gone = all[at % count]?.key;
      const before = owners(all);
      const fewer = all.filter(({ key }) => key !== gone);
      const after = owners([...fewer.slice(by % count), ...fewer.slice(0, by % count)]);
      const moved = before.filter((key, i) => key !== after[i]);
      expect(moved.every((key) => key === gone)).toBe(true);
      // The share of one, and what equal shares of keys differ by: five standard deviations of the ring's.
      expect(moved.length / KEYS.length).toBeLessThan(1 / count * (1 + 5 * 0.08));
    }),
    { numRuns: 30 },
  );
});

test.each([2, 5, 10, 50])("pickHashed() gives each of %d endpoints about the same share, or by weight", (count) => {
  for (const key of countOf(owners(endpoints(count))).values()) {
    expect(Math.abs(key * count / KEYS.length - 1)).toBeLessThan(0.5);
  }
  const heavy = endpoints(count, (i) => ({ weight: i === 0 ? 3 : 1 }));
  const share = (countOf(owners(heavy)).get(heavy[0]?.key ?? "") ?? 0) / KEYS.length;
  expect(Math.abs(share * (count + 2) / 3 - 1)).toBeLessThan(0.3);
});

test("pickHashed() passes over what is out, to several others, and goes back", () => {
  const all = endpoints(6);
  const [bad] = all as [Fake];
  const before = owners(all);
  bad.out = true;
  const during = owners(all);
  const moved = before.map((key, i) => key === bad.key ? during[i] as string : "").filter((key) => key !== "");
  expect(during).not.toContain(bad.key);
  expect(during.every((key, i) => before[i] === bad.key || before[i] === key)).toBe(true);
  expect(new Set(moved).size).toBe(5);
  bad.out = false;
  expect(owners(all)).toEqual(before);
  // As the ring without it: an endpoint that is out is one that is not there.
  expect(owners(all.slice(1))).toEqual(during);
});

test("a retry goes on around the ring, and to each endpoint before it goes to one twice", () => {
  const all = endpoints(4);
  const ring = new HashRing(all);
  for (const key of KEYS.slice(0, 200)) {
    const tried: Fake[] = [];
    for (let i = 0; i < 4; i++) tried.push(pickHashed(ring, all, ask({ key, exclude: tried })) as Fake);
    expect(new Set(tried).size).toBe(4);
    expect(pickHashed(ring, all, ask({ key, exclude: tried }))).toBe(tried[0] as Fake);
  }
});

test("where all are out the first that was not tried is asked", () => {
  const all = endpoints(3, () => ({ out: true }));
  const ring = new HashRing(all);
  const first = pickHashed(ring, all, ask({ key: 1 })) as Fake;
  expect(pickHashed(ring, all, ask({ key: 1, exclude: [first] }))).not.toBe(first);
  expect(pickHashed(new HashRing([]), [], ask())).toBeNull();
});

test("one hot key goes on to others before its endpoint has more than its share of what is under way", () => {
  fc.assert(
    fc.property(fc.integer({ min: 2, max: 20 }), fc.integer({ min: 110, max: 300 }), (count, balancePercent) => {
      const all = endpoints(count);
      const ring = new HashRing(all);
      const one = ask({ hash: { ...BY_HEADER, balancePercent }, key: KEYS[0] as number });
      let spilled = 0;
      for (let i = 1; i <= 2000; i++) {
        const picked = pickHashed(ring, all, one) as Fake;
        picked.pending++;
        if (one.event === "hash_spill") spilled++;
        const bound = Math.max(LEAST_BOUND, Math.ceil(balancePercent / 100 * i / count));
        expect(picked.pending).toBeLessThanOrEqual(bound);
      }
      if (balancePercent < 100 * count) expect(spilled).toBeGreaterThan(0);
    }),
    { numRuns: 20 },
  );
  const free = endpoints(3);
  const ring = new HashRing(free);
  for (let i = 0; i < 500; i++) (pickHashed(ring, free, ask({ key: 7 })) as Fake).pending++;
  expect(free.map(({ pending }) => pending).sort((a, b) => a - b)).toEqual([0, 0, 500]);
});

test("keys stay in the client's zone while it has an endpoint for them", () => {
  const zones = endpoints(6, (i) => ({ zone: i < 2 ? "a" : "b" }));
  const resilience = { ...NO_RESILIENCE, zone: { spillOver: 4 } };
  const local = new Set(owners(zones, { resilience, zone: "a" }));
  expect([...local].sort()).toEqual(zones.slice(0, 2).map(({ key }) => key).sort());
  const input = ask({ resilience, zone: "a", key: KEYS[0] as number });
  const eventNow = () => [pickHashed(new HashRing(zones), zones, input)?.zone, input.event];
  expect(eventNow()).toEqual(["a", "hash_kept"]);
  for (const one of zones.slice(0, 2)) one.out = true;
  expect(new Set(owners(zones, { resilience, zone: "a" })).size).toBe(4);
  expect(eventNow()).toEqual(["b", "hash_failover"]);
  for (const one of zones.slice(0, 2)) [one.out, one.pending] = [false, 4];
  expect(new Set(owners(zones, { resilience, zone: "a" })).size).toBe(4);
  expect(eventNow()).toEqual(["b", "hash_spill"]);
});

test("a warming endpoint takes its keys over one after the other, each once", () => {
  const all = endpoints(4, (i) => ({ warmingSinceMs: i === 0 ? 0 : -1 }));
  const newest = all[0]?.key;
  const resilience = { ...NO_RESILIENCE, slowStartMs: 1000 };
  let before = owners(all.slice(1));
  let had = 0;
  for (const nowMs of [0, 250, 500, 750, 1000]) {
    const now = owners(all, { resilience, nowMs });
    expect(now.every((key, i) => key === before[i] || key === newest)).toBe(true);
    const has = now.filter((key) => key === newest).length;
    expect(has).toBeGreaterThan(had);
    had = has;
    before = now;
  }
  expect(before).toEqual(owners(all));
});

test("a ring has no more points than it may, and a place for each endpoint", () => {
  expect(new HashRing(endpoints(10)).size).toBe(10 * POINTS_PER_ENDPOINT);
  const many = endpoints(1000);
  expect(new HashRing(many).size).toBeLessThanOrEqual(MAX_POINTS);
  expect(countOf(owners(many)).size).toBeGreaterThan(900);
  const light = endpoints(100, (i) => ({ weight: i === 0 ? 1_000_000 : 1 }));
  expect(new HashRing(light).size).toBeGreaterThan(100 + POINTS_PER_ENDPOINT);
});
