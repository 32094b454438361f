/** The pick of an endpoint where a policy shapes it: own zone first, new endpoints less, none beyond its limit. */
import type { Resilience } from "../../model/resilience.ts";
import { type Candidate, pick } from "./balance_p2c.ts";

/** Least share of a warming endpoint: without requests it would learn nothing. */
export const LEAST_SHARE = 0.1;

/** An endpoint as far as shaping looks at it. */
export interface ShapedCandidate extends Candidate {
  readonly zone: string;
  readonly pending: number;
  /** As many requests are under way as may be. */
  readonly isFull: boolean;
  /** Since when it is new, or back; -1: it is not. Monotonic milliseconds. */
  readonly warmingSinceMs: number;
}

/** What a pick decided by policy. */
export type ShapingEvent = "zone_local" | "zone_spill" | "zone_failover" | "slow_start";

/** Candidates by whether they are in the client's zone; there are some of each. */
export interface Zones<C> {
  readonly local: readonly C[];
  readonly remote: readonly C[];
}

/** What a pick depends on. Used again and again: a pick of an endpoint that is not cold allocates nothing. */
export interface ShapedPick<C extends ShapedCandidate> {
  resilience: Resilience;
  /** Of the candidates; null where none is to be preferred. */
  zones: Zones<C> | null;
  nowMs: number;
  exclude: readonly C[] | null;
  readonly random: () => number;
  readonly count: (event: ShapingEvent) => void;
}

/** Splits candidates once, for all picks among them. @param zone the client's; "": unknown @returns null where it decides nothing */
export function zonesOf<C extends ShapedCandidate>(candidates: readonly C[], zone: string): Zones<C> | null {
  if (zone === "") return null;
  const local = candidates.filter((candidate) => candidate.zone === zone);
  const remote = candidates.filter((candidate) => candidate.zone !== zone);
  return local.length === 0 || remote.length === 0 ? null : { local, remote };
}

/** Picks one; null only without candidates. One that is full is returned when all are: the caller looks. */
export function pickShaped<C extends ShapedCandidate>(candidates: readonly C[], input: ShapedPick<C>): C | null {
  const { resilience, zones } = input;
  if (resilience.zone === null || zones === null) return pickWarm(candidates, input);
  const own = pickWarm(zones.local, input);
  const isUsable = own !== null && mayGo(own, input);
  if (isUsable && own.pending < resilience.zone.spillOver) {
    input.count("zone_local");
    return own;
  }
  const other = pickWarm(zones.remote, input);
  if (other === null || !mayGo(other, input)) return own;
  input.count(isUsable ? "zone_spill" : "zone_failover");
  return other;
}

function mayGo<C extends ShapedCandidate>(candidate: C, { nowMs, exclude }: ShapedPick<C>): boolean {
  return candidate.admits(nowMs) && !candidate.isFull && (exclude === null || !exclude.includes(candidate));
}

/** Share of a warming endpoint, in [LEAST_SHARE, 1]. */
export function warmShare(sinceMs: number, slowStartMs: number, nowMs: number): number {
  if (sinceMs < 0 || slowStartMs <= 0) return 1;
  return Math.min(1, Math.max(LEAST_SHARE, (nowMs - sinceMs) / slowStartMs));
}

function pickWarm<C extends ShapedCandidate>(candidates: readonly C[], input: ShapedPick<C>): C | null {
  const { resilience, nowMs, random, exclude, count } = input;
  const first = pick(candidates, nowMs, random, exclude);
  if (first === null) return null;
  const share = warmShare(first.warmingSinceMs, resilience.slowStartMs, nowMs);
  const isCold = share < 1 && random() >= share;
  if (!isCold && !first.isFull) return first;
  const others = candidates.filter((candidate) => candidate !== first && mayGo(candidate, input));
  const second = pick(others, nowMs, random);
  if (second === null) return first;
  if (isCold) count("slow_start");
  return second;
}
