/** A soak: the real pair of sidecars under a mixed load at a fixed rate, and a sample of each a second. */
import { memory } from "../../support/proc.ts";
import type { LoadResult } from "../load/result.ts";
import { runScript } from "../load/scripts.ts";
import { LOAD_CORE } from "../rig.ts";
import { type Growth, growthOf, type Sample } from "./growth.ts";
import { collections, descriptors, metric, type Pair, type Side, startPair } from "./pair.ts";

const SAMPLE_MS = 1_000;
/** Before the load: the trim after the start has happened by then. */
const SETTLE_MS = 5_000;
/** Before the time counts: every kind of connection is there. */
const WARM_MS = 1_000;

export interface SoakOptions {
  /** The binary. */
  readonly program: string;
  readonly seconds: number;
  /** Exchanges a second, all kinds together. */
  readonly rate: number;
  readonly say: (line: string) => void;
  /** Environment of the sidecars, beside their own. */
  readonly env?: Readonly<Record<string, string>>;
  /** Called with the sidecars when the load has ended and before they are. */
  readonly afterwards?: (sides: Pair["sides"]) => Promise<void>;
}

export interface SoakResult {
  readonly samples: readonly Sample[];
  readonly growth: readonly Growth[];
  readonly load: LoadResult;
  /** Garbage collections per 10^6 exchanges, by sidecar. */
  readonly collectionsPerMillion: Readonly<Record<string, number>>;
}

export async function runSoak(options: SoakOptions): Promise<SoakResult> {
  await using running = await startPair(options.program, options.env ?? {}, options.say);
  const { subject, sides } = running;
  await Bun.sleep(SETTLE_MS);

  const before = await collections(sides);
  const samples: Sample[] = [];
  const sampler = new Sampler(sides, samples);
  const addresses = (["h1", "h2", "grpc", "opaque"] as const).map((protocol) => {
    const { host, port } = subject.target(protocol) ?? { host: "", port: 0 }; // a pair has them all
    return `${host}:${port}`;
  });
  const marks = { begin: () => sampler.start(), end: () => sampler.stop() };
  const limitMs = WARM_MS + options.seconds * 1000 + 60_000;
  const load = await runScript(
    "mixed_load.ts",
    [options.rate, WARM_MS, options.seconds * 1000, ...addresses],
    { core: LOAD_CORE, limitMs, say: options.say },
    marks,
  );
  const after = await collections(sides);
  await options.afterwards?.(sides);
  const perMillion = [...after].map(([name, count]) => [name, (count - (before.get(name) ?? 0)) / load.count * 1e6]);
  return { samples, growth: growthOf(samples), load, collectionsPerMillion: Object.fromEntries(perMillion) };
}

/** Takes a sample of each sidecar a second. */
class Sampler {
  readonly #sides: Pair["sides"];
  readonly #samples: Sample[];
  #startedAt = 0;
  #timer: ReturnType<typeof setInterval> | undefined;

  constructor(sides: Pair["sides"], samples: Sample[]) {
    this.#sides = sides;
    this.#samples = samples;
  }

  start(): void {
    this.#startedAt = performance.now();
    this.#timer = setInterval(() => {
      for (const [proxy, side] of this.#sides) void this.#sample(proxy, side);
    }, SAMPLE_MS);
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  async #sample(proxy: string, { pid, metrics }: Side): Promise<void> {
    const t = Math.round((performance.now() - this.#startedAt) / 100) / 10;
    const { rssMb, anonMb } = memory([pid]); // before the scrape, which needs some itself
    const fds = descriptors(pid);
    const heapMb = metric(await metrics(), "tulle_heap_bytes") / 1e6;
    this.#samples.push({ t, proxy, rssMb: round(rssMb), anonMb: round(anonMb), heapMb: round(heapMb), fds });
  }
}

function round(mb: number): number {
  return Math.round(mb * 100) / 100;
}
