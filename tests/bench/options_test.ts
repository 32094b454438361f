import { expect, test } from "bun:test";
import { CASES } from "./cases.ts";
import { type BenchOptions, casesOf, parseOptions, proxiesOf, timesOf } from "./options.ts";

function parse(...args: string[]): BenchOptions {
  const options = parseOptions(args, CASES);
  if ("stop" in options) throw new Error(options.stop);
  return options;
}

function refusal(...args: string[]): string {
  const options = parseOptions(args, CASES);
  if (!("stop" in options) || options.code === 0) throw new Error("not refused");
  return options.stop;
}

const find = (name: string) => CASES.find((item) => item.name === name) as typeof CASES[number]; // a case of the list

test("parseOptions() measures everything in three rounds by default", () => {
  const options = parse("--");
  expect([options.rounds, options.runMs, options.json, options.html]).toEqual([3, 1500, null, "dist/bench/index.html"]);
  expect(casesOf(options, CASES)).toEqual([...CASES]);
});

test.each([
  [["--nonsense"], "no option --nonsense"],
  [["--json"], "--json needs a value"],
  [["--proxies", "tulle,squid"], 'no proxy "squid"'],
  [["--cases", "("], "no regular expression"],
  [["--cases", "^nothing$"], "no case matches"],
  [["--rounds", "0"], "--rounds"],
  [["--run-ms", "x"], "--run-ms"],
])("parseOptions() refuses %j with a reason", (args, reason) => {
  expect(refusal(...args)).toContain(reason);
});

test("--help and --list end with status 0", () => {
  for (const arg of ["--help", "-h", "--list"]) expect(parseOptions([arg], CASES)).toMatchObject({ code: 0 });
});

test("a quick run has the cases that scripts read, and --cases replaces its choice", () => {
  const quick = casesOf(parse("--quick"), CASES).map((item) => item.name);
  expect(quick).toEqual(expect.arrayContaining(["idle", "hop-h1-c32", "pair-h1-c32", "pair-h2-4x32", "pair-opaque"]));
  expect(quick.length).toBeLessThan(14);
  expect(casesOf(parse("--quick", "--cases", "^ready$"), CASES).map((item) => item.name)).toEqual(["ready"]);
});

test("proxiesOf() keeps nginx to the hop and variants to their cases, unless they are asked for", () => {
  expect(proxiesOf(parse(), find("hop-h1-c32"))).toContain("nginx");
  expect(proxiesOf(parse(), find("pair-h1-c32"))).not.toContain("nginx");
  expect(proxiesOf(parse(), find("pair-h1-c1"))).toContain("haproxy-h1");
  expect(proxiesOf(parse("--quick"), find("pair-h1-open"))).not.toContain("haproxy-h1");
  expect(proxiesOf(parse("--proxies", "nginx,envoy-h1"), find("pair-h1-c32"))).toEqual(["nginx", "envoy-h1"]);
});

test("timesOf() gives memory a minute, open loops twice the time, and one round where more say nothing", () => {
  const times = (name: string) => timesOf(find(name).load, parse(), find(name).group);
  expect(times("idle")).toMatchObject({ warmMs: 60_000, rounds: 1 });
  expect(times("pair-h1-1000rps")).toMatchObject({ runMs: 60_000, rounds: 1 });
  expect(times("pair-h1-open")).toMatchObject({ runMs: 3000, rounds: 3 });
  expect(times("pair-h1-c32")).toMatchObject({ runMs: 1500, rounds: 3 });
});
