/**
 * The pick of an endpoint by consistent hashing: the first of the ring, from the key on, that may be asked. One that is out,
 * full, or was tried already is passed over, and has its keys again when it is back.
 */
import type { ConsistentHash, Resilience } from "../../model/resilience.ts";
import { type HashRing, mix } from "./hash_ring.ts";
import { type ShapedCandidate, type ShapingEvent, warmShare } from "./shaped_pick.ts";

/** Of requests that have no key: no header, or no cookie, of that name. */
export const NO_KEY = -1;
/**
 * Requests under way to an endpoint below which it is never too busy for its keys, whatever the others have: with few requests
 * a mean says nothing.
 */
export const LEAST_BOUND = 16;
/** Makes the keys that a warming endpoint takes over first independent of their place on the ring. */
const WARMING_SALT = 0x5bd1e995;

/** What became of a key. */
export type HashEvent =
  /** It went to its endpoint. */
  | "hash_kept"
  /** Its endpoint is taken out, or was tried. */
  | "hash_failover"
  /** Its endpoint has more than its share of what is under way, or as much as it may. */
  | "hash_spill"
  /** The request has none. */
  | "hash_no_key";

/** What a pick depends on, and what became of it. Used again and again: a pick allocates nothing. */
export interface HashedPick<C extends ShapedCandidate> {
  resilience: Resilience;
  hash: ConsistentHash;
  key: number;
  /** The client's; "": unknown. */
  zone: string;
  nowMs: number;
  exclude: readonly C[] | null;
  /** Written: what became of the key. */
  event: HashEvent | ShapingEvent;
  /** Written: it stayed in the client's zone because that is preferred. */
  isLocal: boolean;
}

/** How much a walk asks for: what policy wants; what can be asked at all; what was not tried; anything. */
const [WANTED, POSSIBLE, UNTRIED, ANY] = [0, 1, 2, 3] as const;
/** Where a walk looks: in the client's zone; in the others; in all. */
const [LOCAL, REMOTE, ANYWHERE] = [0, 1, 2] as const;
type Scope = typeof LOCAL | typeof REMOTE | typeof ANYWHERE;
type Demand = typeof WANTED | typeof POSSIBLE | typeof UNTRIED | typeof ANY;

/** Why a candidate is passed over; "" for not at all. */
type Obstacle = "" | "hash_failover" | "hash_spill" | "slow_start";

/** Data of the pick that is being made. */
let passedOver: Obstacle = "";
let pendingSum = -1;
let weightSum = 0;

/**
 * Picks one; null only without candidates. Where all are out, or full, it is the first that was not tried: the caller looks.
 *
 * @param ring of the candidates, in their order
 */
export function pickHashed<C extends ShapedCandidate>(
  ring: HashRing,
  candidates: readonly C[],
  input: HashedPick<C>,
): C | null {
  if (candidates.length === 0) return null;
  pendingSum = -1;
  passedOver = "";
  const prefersZone = input.resilience.zone !== null && input.zone !== "";
  let index = prefersZone ? walk(ring, candidates, input, WANTED, LOCAL) : -1;
  input.isLocal = index >= 0;
  if (prefersZone && index < 0) index = walk(ring, candidates, input, WANTED, REMOTE);
  if (index < 0) index = walk(ring, candidates, input, WANTED, ANYWHERE);
  input.event = passedOver === "" ? "hash_kept" : passedOver;
  if (index < 0) index = walk(ring, candidates, input, POSSIBLE, ANYWHERE);
  if (index < 0) index = walk(ring, candidates, input, UNTRIED, ANYWHERE);
  if (index < 0) index = walk(ring, candidates, input, ANY, ANYWHERE);
  return candidates[index] as C; // ANY finds one
}

/** Number of the first candidate around the ring that meets the demand, or -1. */
function walk<C extends ShapedCandidate>(
  ring: HashRing,
  candidates: readonly C[],
  input: HashedPick<C>,
  demand: Demand,
  scope: Scope,
): number {
  let left = candidates.length;
  for (let point = ring.seek(input.key); left > 0; point = ring.after(point)) {
    const index = ring.meet(point);
    if (index < 0) continue;
    left--;
    const candidate = candidates[index] as C; // the ring is of these
    if (scope !== ANYWHERE && (candidate.zone === input.zone) !== (scope === LOCAL)) continue;
    const obstacle = obstacleAt(candidate, candidates, input, demand, scope);
    if (obstacle === "") return index;
    if (demand === WANTED && passedOver === "") passedOver = obstacle;
  }
  return -1;
}

function obstacleAt<C extends ShapedCandidate>(
  candidate: C,
  candidates: readonly C[],
  { resilience, hash, key, nowMs, exclude }: HashedPick<C>,
  demand: Demand,
  scope: Scope,
): Obstacle {
  if (demand === ANY) return "";
  if (exclude !== null && exclude.includes(candidate)) return "hash_failover";
  if (demand === UNTRIED) return "";
  if (!candidate.admits(nowMs)) return "hash_failover";
  if (candidate.isFull) return "hash_spill";
  if (demand === POSSIBLE) return "";
  if (scope === LOCAL && candidate.pending >= (resilience.zone?.spillOver ?? 0)) return "hash_spill";
  if (isOverBound(candidate, candidates, hash.balancePercent)) return "hash_spill";
  const share = warmShare(candidate.warmingSinceMs, resilience.slowStartMs, nowMs);
  // Each key moves once, and stays: which ones have moved depends on the time only.
  return share < 1 && mix(key ^ WARMING_SALT) >= share * 0x1_0000_0000 ? "slow_start" : "";
}

/** Bounded loads (Mirrokni, Thorup, Zadimoghaddam 2018): no more than that share of the mean, by weight. */
function isOverBound(candidate: ShapedCandidate, candidates: readonly ShapedCandidate[], percent: number): boolean {
  const { pending, weight } = candidate;
  if (percent === 0 || pending < LEAST_BOUND) return false;
  if (pendingSum < 0) {
    pendingSum = weightSum = 0;
    for (const one of candidates) {
      pendingSum += one.pending;
      weightSum += one.weight;
    }
  }
  return pending + 1 > Math.ceil(percent / 100 * (pendingSum + 1) * weight / weightSum);
}
