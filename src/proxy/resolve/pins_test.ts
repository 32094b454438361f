import { expect, test } from "bun:test";
import type { DnsAnswer } from "../../wire/dns/message.ts";
import { MAX_ADDRESSES, MAX_NAMES, MAX_PIN_MS, MIN_PIN_MS, PIN_GRACE_MS, Pins } from "./pins.ts";

const NAME = "api.example.org";
const OTHER = "cdn.example.net";
const IP = "192.0.2.1";

const address = (name: string, last = 1, ttlS = 60): DnsAnswer => ({
  kind: "address",
  name,
  ttlS,
  address: Uint8Array.of(192, 0, 2, last),
});
const alias = (name: string, target: string): DnsAnswer => ({ kind: "alias", name, ttlS: 60, target });

test("learn() pins addresses for the name that was asked, along its aliases in any order", () => {
  const pins = new Pins();
  expect(pins.learn(NAME, [address(OTHER), alias("mid.example.net", OTHER), alias(NAME, "mid.example.net")], 0)).toBe(
    true,
  );
  expect(pins.has(NAME, IP, 1)).toBe(true);
  expect(pins.has(`${NAME}.`, IP, 1)).toBe(true);
  expect(pins.has(NAME, "192.0.2.2", 1)).toBe(false);
});

test("an answer about one name pins nothing for another, be it an alias or a stranger", () => {
  const pins = new Pins();
  pins.learn("evil.example.com", [alias("evil.example.com", NAME), address(NAME), address("bank.example.org", 2)], 0);
  expect(pins.has(NAME, IP, 1)).toBe(false);
  expect(pins.has("bank.example.org", "192.0.2.2", 1)).toBe(false);
  expect(pins.has("evil.example.com", IP, 1)).toBe(true);
});

test("has() follows aliases to what was asked of them by themselves", () => {
  const pins = new Pins();
  pins.learn(NAME, [alias(NAME, OTHER)], 0);
  expect(pins.has(NAME, IP, 1)).toBe(false);
  pins.learn(OTHER, [address(OTHER)], 0);
  expect(pins.has(NAME, IP, 1)).toBe(true);
  expect(pins.has(NAME, IP, MIN_PIN_MS)).toBe(false);
});

test("aliases in a circle end", () => {
  const pins = new Pins();
  pins.learn("a", [alias("a", "b"), alias("b", "a")], 0);
  pins.learn("b", [alias("b", "a")], 0);
  expect(pins.has("a", IP, 1)).toBe(false);
});

test.each([
  ["a short TTL is stretched to the floor", 5, MIN_PIN_MS],
  ["a longer one has its grace", 600, 600_000 + PIN_GRACE_MS],
  ["an endless one ends", 0x7fffffff, MAX_PIN_MS],
])("%s", (_what, ttlS, lifeMs) => {
  const pins = new Pins();
  pins.learn(NAME, [address(NAME, 1, ttlS)], 1000);
  expect(pins.has(NAME, IP, 1000 + lifeMs - 1)).toBe(true);
  expect(pins.has(NAME, IP, 1000 + lifeMs)).toBe(false);
});

test("a later answer adds to an earlier one, and takes nothing away before its time", () => {
  const pins = new Pins();
  pins.learn(NAME, [address(NAME, 1, 3600)], 0);
  expect(pins.learn(NAME, [address(NAME, 2, 5), address(NAME, 1, 5)], 10)).toBe(true);
  expect(pins.has(NAME, IP, 3_600_000)).toBe(true);
  expect(pins.learn(NAME, [address(NAME, 2, 5)], 20)).toBe(false);
});

test("hints of a service count as addresses", () => {
  const pins = new Pins();
  pins.learn(NAME, [{ kind: "hints", name: NAME, ttlS: 60, addresses: [Uint8Array.of(192, 0, 2, 1)] }], 0);
  expect(pins.has(NAME, IP, 1)).toBe(true);
});

test("the table is bounded: by names, the one asked for longest ago goes; by addresses of a name", () => {
  const pins = new Pins();
  for (let i = 0; i < MAX_NAMES + 10; i++) pins.learn(`n${i}`, [address(`n${i}`)], 0);
  expect(pins.names).toBe(MAX_NAMES);
  expect(pins.size).toBe(MAX_NAMES);
  expect(pins.has("n9", IP, 1)).toBe(false);
  expect(pins.has("n10", IP, 1)).toBe(true);
  const many = Array.from({ length: MAX_ADDRESSES + 1 }, (_, i) => address(NAME, i));
  pins.learn(NAME, many, 0);
  expect([pins.has(NAME, "192.0.2.0", 1), pins.has(NAME, `192.0.2.${MAX_ADDRESSES}`, 1)]).toEqual([false, true]);
});

test("sweep() forgets what has ended; what was saved is there for the next process", () => {
  const pins = new Pins();
  pins.learn(NAME, [alias(NAME, OTHER), address(OTHER)], 0);
  pins.learn("long", [address("long", 2, 3600)], 0);
  const next = new Pins();
  next.load(pins.save(), 1);
  expect([next.has(NAME, IP, 1), next.names, next.size]).toEqual([true, 2, 2]);
  next.sweep(MIN_PIN_MS);
  expect([next.has("long", "192.0.2.2", MIN_PIN_MS), next.names, next.size]).toEqual([true, 1, 1]);
});
