import { expect, test } from "bun:test";
import { machineTimes, noiseBetween, parseStat } from "./noise.ts";

test("parseStat() adds up what is work, and keeps what was stolen apart", () => {
  const text = "cpu  100 10 50 9999 77 5 15 3 0 0\ncpu0 1 1 1 1 1 1 1 1 0 0\n";
  expect(parseStat(text)).toEqual({ busyNs: 180e7, stealNs: 3e7 });
});

test("noiseBetween() is what others used of the machine, in cores", () => {
  const from = { wallNs: 0, busyNs: 0, stealNs: 0, ownNs: 0 };
  expect(noiseBetween(from, { wallNs: 2e9, busyNs: 3e9, stealNs: 0.2e9, ownNs: 2e9 })).toEqual({
    others: 0.5,
    steal: 0.1,
  });
});

test("noiseBetween() says nothing about a few ticks, and is never negative", () => {
  const from = { wallNs: 0, busyNs: 0, stealNs: 0, ownNs: 0 };
  expect(noiseBetween(from, { wallNs: 1e6, busyNs: 1e7, stealNs: 0, ownNs: 0 }).others).toBe(0);
  expect(noiseBetween(from, { wallNs: 1e9, busyNs: 1e8, stealNs: 0, ownNs: 2e8 }).others).toBe(0);
});

test("machineTimes() counts the work of this process as its own", () => {
  const used = () => process.cpuUsage().user + process.cpuUsage().system; // microseconds
  const before = machineTimes(process.pid);
  const from = used();
  while (used() - from < 50_000);
  expect(machineTimes(process.pid).ownNs - before.ownNs).toBeGreaterThan(30e6);
});
