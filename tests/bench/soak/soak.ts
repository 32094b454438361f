/** `deno task soak`: see HELP. */
import { mkdirSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { parseDuration } from "../../../src/base/duration.ts";
import { loadAverage } from "../machine.ts";
import { programOf, versionText } from "../programs.ts";
import { machineText } from "../rows.ts";
import { type Growth, leaksOf, MEASURES } from "./growth.ts";
import { runSoak, type SoakResult } from "./run.ts";

const HELP = `deno task soak -- [options]

Runs the real pair of sidecars under a mixed load (HTTP/1.1 and HTTP/2 with bodies of three sizes, gRPC, opaque bytes, new
connections) at a fixed rate, samples memory and descriptors of both every second, and says what grew: by Theil–Sen, over the
last two thirds of the time. Exit status 1 when something grew beyond its bound, or an exchange failed.

  --for DURATION   default 10m
  --rate N         exchanges a second (default 500)
  --json FILE      default dist/bench/soak.json, which the bench's page shows; none: nowhere
`;
/** What may be noise over the whole time, however long it is: saw teeth of the collector, code that gets compiled late. */
const BOUNDS = { rssMb: 4, anonMb: 3, heapMb: 1, fds: 4 };

interface Options {
  readonly seconds: number;
  readonly rate: number;
  readonly json: string | null;
}

function readOptions(args: readonly string[]): Options {
  const given = new Map([["--for", "10m"], ["--rate", "500"], ["--json", "dist/bench/soak.json"]]);
  const rest = args.filter((arg) => arg !== "--");
  for (let arg = rest.shift(); arg !== undefined; arg = rest.shift()) {
    const value = rest.shift();
    if (!given.has(arg) || value === undefined) throw new Error(`cannot use ${arg}\n\n${HELP}`);
    given.set(arg, value);
  }
  const ms = parseDuration(given.get("--for") ?? "") ?? NaN;
  const rate = Number(given.get("--rate"));
  if (!(ms >= 10_000)) throw new Error("--for must be a duration from 10s, for instance 10m");
  if (!(rate >= 10)) throw new Error("--rate must be a number from 10");
  const json = given.get("--json") ?? "none";
  return { seconds: ms / 1000, rate, json: json === "none" ? null : json };
}

function tableOf(growth: readonly Growth[]): string {
  const lines = growth.map(({ proxy, measure, median, inAll, perHour, floor }) =>
    `${proxy.padEnd(12)} ${measure.padEnd(7)} ${median.toFixed(1).padStart(8)} ${signed(inAll).padStart(8)} ${
      signed(perHour).padStart(9)
    } ${signed(floor).padStart(8)}`
  );
  return ["sidecar      measure   median   growth  per hour    floor", ...lines].join("\n");
}

function signed(value: number): string {
  return `${value >= 0 ? "+" : ""}${value.toFixed(2)}`;
}

function reportOf(result: SoakResult, options: Options) {
  const { samples, growth, load, collectionsPerMillion } = result;
  const slopes = (measure: Growth["measure"]) =>
    Object.fromEntries(
      growth.filter((each) => each.measure === measure).map(({ proxy, perHour }) => [proxy, round(perHour)]),
    );
  return {
    machine: machineText(),
    date: new Date().toISOString(),
    version: versionText(),
    seconds: options.seconds,
    rate: Math.round(load.count / load.seconds),
    exchanges: load.count,
    failed: load.failed,
    p50Us: round(load.p50Us),
    p99Us: round(load.p99Us),
    collectionsPerMillion,
    method: "Theil–Sen over the last two thirds of the samples",
    slopeMbPerHour: slopes("anonMb"),
    growth,
    slopes: Object.fromEntries(MEASURES.map((measure) => [measure, slopes(measure)])),
    samples,
  };
}

function round(value: number): number {
  return Math.round(value * 100) / 100;
}

/** @returns exit status */
async function main(args: readonly string[]): Promise<number> {
  if (args.includes("--help") || args.includes("-h")) {
    console.log(HELP);
    return 0;
  }
  const options = readOptions(args);
  const found = programOf("tulle", true, console.log);
  if ("reason" in found) throw new Error(found.reason);
  console.log(`${options.seconds} s at ${options.rate} exchanges a second; load average ${loadAverage()}`);
  const result = await runSoak({ ...options, program: found.program, say: console.log });
  const report = reportOf(result, options);
  if (options.json !== null) {
    mkdirSync(dirname(options.json), { recursive: true });
    writeFileSync(options.json, JSON.stringify(report) + "\n");
  }
  console.log(tableOf(result.growth));
  const { exchanges, rate, failed, p50Us, p99Us } = report;
  console.log(`${exchanges} exchanges, ${rate} a second, ${failed} failed; p50 ${p50Us} µs, p99 ${p99Us} µs`);
  for (const [name, count] of Object.entries(report.collectionsPerMillion)) {
    console.log(`${name}: ${count.toFixed(0)} collections per 10^6 exchanges`);
  }
  if (options.json !== null) console.log(`samples: ${options.json}`);
  const leaks = leaksOf(result.growth, BOUNDS);
  for (const leak of leaks) console.log(`LEAK ${leak}`);
  return leaks.length === 0 && failed === 0 ? 0 : 1;
}

try {
  process.exitCode = await main(process.argv.slice(2));
} catch (cause) {
  console.error(`soak: ${cause instanceof Error ? cause.message : String(cause)}`);
  process.exitCode = 2;
}
