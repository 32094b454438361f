/**
 * Consistent hashing: endpoints stand at many points of a ring of 32-bit numbers; a key belongs to the endpoint of the next
 * point. The points of an endpoint depend on its own name only, so that where one comes or goes, no more keys move than it
 * gets or had; and all proxies, of whatever age, agree. (Karger et al. 1997; the points are Ketama's idea.)
 */

/** Points of an endpoint of mean weight: the shares of equal endpoints then differ by 6 % (standard deviation). */
export const POINTS_PER_ENDPOINT = 256;
/** Most points of a ring: 400 KB, and 10 ms to sort. Beyond 256 endpoints each has fewer, and the mean over them evens out. */
export const MAX_POINTS = 65_536;
/** Numbers of endpoints take 16 bits beside the 32 of a point, so that both are exact in one double. */
const INDEX_FACTOR = 0x1_0000;
const GOLDEN = 0x9e3779b9;

/** An endpoint as far as its place on the ring is concerned. */
export interface RingMember {
  /** Its name, "ip:port". */
  readonly key: string;
  /** Relative, at least 1. */
  readonly weight: number;
}

export class HashRing {
  /** Ascending, and whose each is. */
  readonly #points: Uint32Array;
  readonly #owners: Uint16Array;
  /** The walk in which a member was met last: a walk needs no set of its own. */
  readonly #met: Uint32Array;
  readonly #members: readonly RingMember[];
  #walk = 0;

  /** @param members any order; only the first MAX_POINTS get a place */
  constructor(members: readonly RingMember[]) {
    this.#members = members;
    const placed = members.slice(0, MAX_POINTS);
    const total = placed.reduce((sum, { weight }) => sum + weight, 0);
    const each = Math.min(POINTS_PER_ENDPOINT, MAX_POINTS / Math.max(1, placed.length));
    const counts = placed.map(({ weight }) => Math.max(1, Math.floor(each * weight * placed.length / total)));
    const sorted = new Float64Array(counts.reduce((sum, count) => sum + count, 0));
    let filled = 0;
    placed.forEach(({ key }, index) => {
      const start = hashText(key);
      const step = mix(start ^ GOLDEN) | 1;
      const count = counts[index] as number; // as many as members
      for (let i = 0; i < count; i++) sorted[filled++] = mix(start + Math.imul(i, step)) * INDEX_FACTOR + index;
    });
    sorted.sort();
    this.#points = new Uint32Array(sorted.length);
    this.#owners = new Uint16Array(sorted.length);
    for (let i = 0; i < sorted.length; i++) {
      const value = sorted[i] as number; // in range
      this.#points[i] = Math.floor(value / INDEX_FACTOR);
      this.#owners[i] = value % INDEX_FACTOR;
    }
    this.#met = new Uint32Array(placed.length);
  }

  /** Whether it is what a ring of these would be. */
  isOf(members: readonly RingMember[]): boolean {
    const own = this.#members;
    if (own.length !== members.length) return false;
    for (let i = 0; i < own.length; i++) {
      if (own[i]?.key !== members[i]?.key || own[i]?.weight !== members[i]?.weight) return false;
    }
    return true;
  }

  /** Number of points. */
  get size(): number {
    return this.#points.length;
  }

  /** The point that a key belongs to; begins a walk. @param key 32 bits, unsigned */
  seek(key: number): number {
    if (++this.#walk === 0xffff_ffff) {
      this.#met.fill(0);
      this.#walk = 1;
    }
    const points = this.#points;
    let low = 0;
    let high = points.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((points[middle] as number) < key) low = middle + 1; // in range
      else high = middle;
    }
    return low === points.length ? 0 : low;
  }

  /** The point after another one. */
  after(point: number): number {
    return point + 1 === this.#points.length ? 0 : point + 1;
  }

  /** Number of the member at a point when the walk meets it for the first time, else -1. */
  meet(point: number): number {
    const member = this.#owners[point] as number; // points are in range
    if (this.#met[member] === this.#walk) return -1;
    this.#met[member] = this.#walk;
    return member;
  }
}

/** 32-bit hash of text, the same in every process: FNV-1a over its code units, and a mix that spreads the last of them. */
export function hashText(text: string): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
  return mix(hash);
}

/** Spreads the bits of a number over 32 (MurmurHash3's finalizer, a bijection). @returns unsigned */
export function mix(value: number): number {
  let h = value;
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return (h ^ (h >>> 16)) >>> 0;
}
