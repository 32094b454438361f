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

/** What a pick depends on. */
export interface ShapingInput<C extends ShapedCandidate> {
  readonly resilience: Resilience;
  /** The client's; "": unknown. */
  readonly zone: string;
  readonly nowMs: number;
  readonly random: () => number;
  readonly exclude: readonly C[] | null;
  readonly count: (event: ShapingEvent) => void;
}

/** Picks one; null only without candidates. One that is full is returned when all are: the caller looks. */
export function pickShaped<C extends ShapedCandidate>(candidates: readonly C[], input: ShapingInput<C>): C | null {
  const { resilience, zone } = input;
  if (resilience.zone === null || zone === "") return pickWarm(candidates, input);
  const local = candidates.filter((candidate) => candidate.zone === zone);
  if (local.length === 0 || local.length === candidates.length) return pickWarm(candidates, input);
  const own = pickWarm(local, input);
  const isUsable = own !== null && mayGo(own, input);
  if (isUsable && own.pending < resilience.zone.spillOver) {
    input.count("zone_local");
    return own;
  }
  const other = pickWarm(candidates.filter((candidate) => candidate.zone !== zone), input);
  if (other === null || !mayGo(other, input)) return own;
  input.count(isUsable ? "zone_spill" : "zone_failover");
  return other;
}

function mayGo<C extends ShapedCandidate>(candidate: C, { nowMs, exclude }: ShapingInput<C>): boolean {
  return candidate.admits(nowMs) && !candidate.isFull && (exclude === null || !exclude.includes(candidate));
}

/** Share of a warming endpoint, in [LEAST_SHARE, 1]. */
export function warmShare(sinceMs: number, slowStartMs: number, nowMs: number): number {
  if (sinceMs < 0 || slowStartMs <= 0) return 1;
  return Math.min(1, Math.max(LEAST_SHARE, (nowMs - sinceMs) / slowStartMs));
}

function pickWarm<C extends ShapedCandidate>(candidates: readonly C[], input: ShapingInput<C>): C | null {
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
