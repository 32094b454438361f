/** What the samples of a soak say. Pure. */
import { theilSen } from "./slope.ts";

/** What is watched. */
export const MEASURES = ["rssMb", "anonMb", "heapMb", "fds"] as const;
export type Measure = typeof MEASURES[number];

/** One process at one time. MB are 10^6 bytes. */
export interface Sample {
  /** Seconds since the start of the load. */
  readonly t: number;
  readonly proxy: string;
  readonly rssMb: number;
  /** Private. */
  readonly anonMb: number;
  /** JavaScript heap after the last collection. */
  readonly heapMb: number;
  readonly fds: number;
}

/** How a measure of a process moved after the warm-up. */
export interface Growth {
  readonly proxy: string;
  readonly measure: Measure;
  /** Per hour, by Theil–Sen. */
  readonly perHour: number;
  /** The same over the time that was looked at. */
  readonly inAll: number;
  /**
   * Twice the difference of the least values of the last and the middle third, which is the growth of the floor over both: a
   * collector's saw tooth of up to a third of the run comes back to its floor; a leak does not.
   */
  readonly floor: number;
  readonly median: number;
}

/** Share of the run that is warm-up: code gets compiled and pools get filled. */
export const WARM_UP_SHARE = 1 / 3;

/** The growth of each measure of each process over the last two thirds of the samples. */
export function growthOf(samples: readonly Sample[]): Growth[] {
  const from = Math.max(0, ...samples.map(({ t }) => t)) * WARM_UP_SHARE;
  const proxies = [...new Set(samples.map(({ proxy }) => proxy))];
  return proxies.flatMap((proxy) => {
    const own = samples.filter((sample) => sample.proxy === proxy && sample.t >= from);
    const seconds = (own.at(-1)?.t ?? 0) - (own[0]?.t ?? 0);
    return MEASURES.map((measure): Growth => {
      const perSecond = theilSen(own.map((sample) => [sample.t, sample[measure]]));
      const sorted = own.map((sample) => sample[measure]).sort((a, b) => a - b);
      const median = sorted[sorted.length >> 1] ?? NaN;
      const least = (some: readonly Sample[]) =>
        some.length === 0 ? NaN : Math.min(...some.map((each) => each[measure]));
      const middle = own.filter(({ t }) => t < 2 * from);
      const floor = 2 * (least(own.slice(middle.length)) - least(middle));
      return { proxy, measure, perHour: perSecond * 3600, inAll: perSecond * seconds, floor, median };
    });
  });
}

/** Growth over the run, beyond which it is a leak and no noise. */
export type Bounds = Readonly<Record<Measure, number>>;

/** What grew beyond its bound, slope and floor, as text; empty when nothing did. */
export function leaksOf(growth: readonly Growth[], bounds: Bounds): string[] {
  const grew = growth.filter(({ measure, inAll, floor }) => !(inAll <= bounds[measure] || floor <= bounds[measure]));
  return grew.map(({ proxy, measure, inAll, perHour, floor }) =>
    `${proxy}: ${measure} grew by ${inAll.toFixed(2)} (${perHour.toFixed(1)} per hour), its floor by ${
      floor.toFixed(2)
    }, want at most ${bounds[measure]}`
  );
}
