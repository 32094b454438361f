/**
 * Power of two choices: of two endpoints taken at random, the one with less load, where load is latency × (requests in
 * flight + 1) / weight. Near-optimal with constant work, and without the herding that "the least loaded of all" has.
 *
 * With as much in flight, less than a factor of ALIKE between the two is no difference: a peak of one slow answer would keep
 * all requests of a quiet client on one endpoint.
 */

/** How often the one load must be the other, for endpoints with as many requests in flight. */
const ALIKE = 2;

/** What the balancer looks at. */
export interface Candidate {
  /** Relative weight, at least 1. */
  readonly weight: number;
  /** Requests in flight. */
  readonly pending: number;
  /** Estimated cost of one more request; any unit, smaller is better. */
  load(nowMs: number): number;
  /** False while the endpoint is taken out. */
  admits(nowMs: number): boolean;
}

/**
 * Picks a candidate.
 *
 * @param candidates endpoints of a backend
 * @param random uniform in [0, 1), called once or twice
 * @param exclude candidates not to take again while another one is there (retries)
 * @returns the pick; null only when there are no candidates. When all are taken out the least bad of two is picked: a
 *   backend that is down as a whole is probed rather than given up
 */
export function pick<C extends Candidate>(
  candidates: readonly C[],
  nowMs: number,
  random: () => number,
  exclude: readonly C[] | null = null,
): C | null {
  const n = candidates.length;
  if (n === 0) return null;
  if (n === 1) return candidates[0] as C; // n ≥ 1
  const first = usable(candidates, Math.floor(random() * n), nowMs, exclude);
  if (first < 0) return leastBad(candidates, Math.floor(random() * n), exclude);
  const second = usable(candidates, (first + 1 + Math.floor(random() * (n - 1))) % n, nowMs, exclude);
  const a = candidates[first] as C; // index of an existing one
  if (second < 0 || second === first) return a;
  const b = candidates[second] as C; // as above
  const margin = a.pending === b.pending && a.weight === b.weight ? ALIKE : 1;
  return b.load(nowMs) * margin < a.load(nowMs) ? b : a;
}

/** All are taken out: one that was not asked yet, if there is any. */
function leastBad<C extends Candidate>(candidates: readonly C[], start: number, exclude: readonly C[] | null): C {
  const n = candidates.length;
  for (let i = 0; i < n; i++) {
    const c = candidates[(start + i) % n] as C; // in range
    if (exclude === null || !exclude.includes(c)) return c;
  }
  return candidates[start] as C; // in range
}

/** The first candidate from `start` on, cyclically, that may be used; -1 when none may. */
function usable<C extends Candidate>(
  candidates: readonly C[],
  start: number,
  nowMs: number,
  exclude: readonly C[] | null,
): number {
  const n = candidates.length;
  for (let i = 0; i < n; i++) {
    const at = (start + i) % n;
    const c = candidates[at] as C; // in range
    if (c.admits(nowMs) && (exclude === null || !exclude.includes(c))) return at;
  }
  return -1;
}
