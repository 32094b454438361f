/** One target, run for as long as wanted: inputs from its corpus, changed; what passes new branches joins the corpus. */
import type { Coverage } from "./coverage.ts";
import { minimised } from "./minimise.ts";
import { mutated } from "./mutate.ts";
import { Random } from "./random.ts";
import { bytesOf, DEFAULT_MAX_BYTES, type Target } from "./target.ts";

/** An input that takes longer is a finding: none of the parsers may need more than linear time for a few kilobytes. */
const SLOW_MS = 1_000;
/** Most inputs kept in memory. */
const MAX_CORPUS = 4_096;
/** Findings after which a run ends: they are most often one bug. */
const MAX_FINDINGS = 5;
/** How many inputs go between two looks at the clock. */
const BATCH = 16;

export interface FuzzFinding {
  readonly input: Uint8Array;
  readonly message: string;
}

export interface Progress {
  readonly tried: number;
  readonly seconds: number;
  readonly corpus: number;
  readonly branches: number;
  readonly findings: number;
}

export interface SessionOptions {
  readonly seed: number;
  /** Inputs of earlier runs. */
  readonly corpus: readonly Uint8Array[];
  /** Null: nothing is counted, and the corpus does not grow. */
  readonly coverage: Coverage | null;
  /** Ends the session; asked every few inputs. */
  readonly isOver: (tried: number) => boolean;
  /** Told of each input before it runs, so that one that never returns is known. */
  readonly before?: (input: Uint8Array) => void;
  readonly onProgress?: (progress: Progress) => void;
}

export interface SessionResult extends Progress {
  readonly found: readonly FuzzFinding[];
  /** Inputs that together pass all that was passed, those that pass most first. */
  readonly kept: readonly Uint8Array[];
}

/** Milliseconds between reports. */
const REPORT_MS = 5_000;

export async function fuzz(target: Target, options: SessionOptions): Promise<SessionResult> {
  const { coverage } = options;
  const random = new Random(options.seed);
  const corpus: Uint8Array[] = [];
  const found: FuzzFinding[] = [];
  const messages = new Set<string>();
  const started = performance.now();
  const maxBytes = target.maxBytes ?? DEFAULT_MAX_BYTES;
  const mutations = {
    dictionary: target.dictionary ?? [],
    maxBytes,
    other: () => corpus.length > 0 ? random.pick(corpus) : new Uint8Array(0),
  };
  let tried = 0;
  let reported = started;
  const progress = (): Progress => ({
    tried,
    seconds: (performance.now() - started) / 1000,
    corpus: corpus.length,
    branches: coverage?.branches ?? 0,
    findings: found.length,
  });

  const attempt = async (input: Uint8Array, isSeed: boolean) => {
    tried++;
    options.before?.(input);
    coverage?.begin();
    const message = await outcome(target, input);
    if (message !== null) {
      if (messages.has(kindOf(message))) return;
      messages.add(kindOf(message));
      const small = await minimised(input, async (one) => {
        options.before?.(one);
        const again = await outcome(target, one);
        return again !== null && kindOf(again) === kindOf(message);
      });
      found.push({ input: small, message: (await outcome(target, small)) ?? message });
      return;
    }
    const isNew = coverage?.take() ?? isSeed;
    if (isNew && corpus.length < MAX_CORPUS) corpus.push(input);
  };

  for (const input of [...options.corpus, ...target.seeds.map(bytesOf)]) await attempt(input, true);
  while (found.length < MAX_FINDINGS && !options.isOver(tried)) {
    for (let i = 0; i < BATCH; i++) await attempt(nextInput(), false);
    const now = performance.now();
    if (now - reported < REPORT_MS) continue;
    reported = now;
    options.onProgress?.(progress());
  }
  return { ...progress(), found, kept: await chosen(target, corpus, coverage) };

  function nextInput(): Uint8Array {
    if (target.generate !== undefined && random.oneIn(3)) {
      const made = bytesOf(target.generate(random));
      return random.oneIn(2) ? made.slice(0, maxBytes) : mutated(made, random, mutations);
    }
    if (corpus.length === 0) return random.bytes(random.below(64));
    // The newest inputs have passed what others have not: every other time one of them.
    const from = random.oneIn(2) ? Math.max(0, corpus.length - 16) : 0;
    return mutated(corpus[random.between(from, corpus.length - 1)] as Uint8Array, random, mutations); // in range
  }
}

/** What does not hold for an input, null when all does. */
export async function outcome(target: Target, input: Uint8Array): Promise<string | null> {
  const before = performance.now();
  try {
    const done = target.run(input);
    if (done !== undefined) await done;
  } catch (cause) {
    return cause instanceof Error ? `${cause.name}: ${cause.message}\n${cause.stack ?? ""}` : String(cause);
  }
  const ms = performance.now() - before;
  return ms > SLOW_MS ? `slow: ${Math.round(ms)} ms for ${input.length} bytes` : null;
}

/** The message without what differs from input to input, so that one bug is reported once. */
function kindOf(message: string): string {
  return (message.split("\n")[0] ?? "").split(/[:"]/).slice(0, 2).join(":").replace(/\d+/g, "n");
}

/** Few inputs that pass what all pass: the greedy cover, those that pass most first. */
async function chosen(target: Target, corpus: readonly Uint8Array[], coverage: Coverage | null): Promise<Uint8Array[]> {
  if (coverage === null) return [...corpus];
  const candidates: { input: Uint8Array; features: number[] }[] = [];
  for (const input of [...corpus].sort((a, b) => a.length - b.length)) {
    coverage.begin();
    await outcome(target, input);
    candidates.push({ input, features: coverage.last() });
  }
  const kept: Uint8Array[] = [];
  const passed = new Set<number>();
  for (;;) {
    let best = null;
    for (const candidate of candidates) {
      candidate.features = candidate.features.filter((one) => !passed.has(one));
      if (candidate.features.length > (best?.features.length ?? 0)) best = candidate;
    }
    if (best === null) return kept;
    for (const one of best.features) passed.add(one);
    kept.push(best.input);
  }
}
