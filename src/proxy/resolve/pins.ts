/**
 * Which addresses the workload's nameserver has given for which names: what a rule by name is held against, so that an
 * allowed name does not lead to an address of somebody's choice.
 *
 *   question a.example  →  a.example CNAME b.example, b.example A 192.0.2.1
 *   pinned: a.example → 192.0.2.1, and a.example is an alias of b.example
 *
 * Addresses are pinned for the name that was asked alone. Were they for b.example too, who owns a.example could have an
 * address of its own pinned for b.example, where the nameserver passes on what it is told.
 */
import { formatIp, ipFromBytes } from "../../model/ip.ts";
import type { DnsAnswer } from "../../wire/dns/message.ts";

/**
 * Shortest life of a pin. Programs look names up before they connect, and many remember the answer for longer than its TTL:
 * the JVM 30 s, connection pools and SDKs up to minutes.
 */
export const MIN_PIN_MS = 300_000;
/** A connection may be made with the last of a TTL, and takes its time. */
export const PIN_GRACE_MS = 30_000;
/** Longest life: the longest that resolvers keep records by default (unbound's cache-max-ttl). */
export const MAX_PIN_MS = 86_400_000;
/** Names that are remembered: hundreds are many for a workload. With all of them full it is about 3 MB. */
export const MAX_NAMES = 4096;
/** Addresses of a name: CDNs rotate tens through answers of a few. */
export const MAX_ADDRESSES = 128;
/** Addresses of all names together. */
const MAX_PINS = 16_384;
/** Aliases from a name to its addresses: resolvers give up at about as many. */
export const MAX_ALIASES = 16;

/** Name or address → until when, milliseconds of the clock that is passed in. */
type Lives = Map<string, number>;

interface Pinned {
  readonly addresses: Lives;
  readonly aliases: Lives;
}

/** A table as it is kept over a restart: name, [address, until]…, [alias, until]… */
export type SavedPins = readonly (readonly [
  string,
  readonly (readonly [string, number])[],
  readonly (readonly [string, number])[],
])[];

export class Pins {
  /** The one that was asked for longest ago comes first. */
  readonly #names = new Map<string, Pinned>();
  /** Addresses in all entries, ended ones among them. */
  #size = 0;

  /** Names and addresses now, for metrics. */
  get names(): number {
    return this.#names.size;
  }

  get size(): number {
    return this.#size;
  }

  /**
   * Takes an answer of the nameserver in.
   *
   * @param name of the question, lower case
   * @returns true when something is there that was not
   */
  learn(name: string, answers: readonly DnsAnswer[], nowMs: number): boolean {
    const chain = chainOf(name, answers);
    if (chain === null) return false;
    const addresses: [string, number][] = [];
    for (const answer of answers) {
      if (answer.kind === "alias" || !chain.has(answer.name)) continue;
      const untilMs = nowMs + lifeOf(answer.ttlS);
      for (const bytes of answer.kind === "address" ? [answer.address] : answer.addresses) {
        const ip = ipFromBytes(bytes);
        if (ip !== null) addresses.push([formatIp(ip), untilMs]);
      }
    }
    const aliases = [...chain].filter(([alias]) => alias !== name)
      .map(([alias, ttlS]): [string, number] => [alias, nowMs + lifeOf(ttlS)]);
    return this.#add(name, addresses, aliases, nowMs);
  }

  /** Whether the address was given for the name, or for one that it is an alias of. @param ip as formatIp writes it */
  has(name: string, ip: string, nowMs: number): boolean {
    const asked = [name.endsWith(".") ? name.slice(0, -1) : name];
    for (let i = 0; i < asked.length; i++) {
      const pinned = this.#names.get(asked[i] as string); // in range
      if (pinned === undefined) continue;
      if ((pinned.addresses.get(ip) ?? 0) > nowMs) return true;
      for (const [alias, untilMs] of pinned.aliases) {
        if (untilMs > nowMs && asked.length <= MAX_ALIASES && !asked.includes(alias)) asked.push(alias);
      }
    }
    return false;
  }

  /** Names that an address was given for, a few at most: for people who look for the reason of a refusal. */
  namesOf(ip: string, nowMs: number, most: number): string[] {
    const found: string[] = [];
    for (const [name, { addresses }] of this.#names) {
      if (found.length >= most) break;
      if ((addresses.get(ip) ?? 0) > nowMs) found.push(name);
    }
    return found;
  }

  /** Forgets what has ended. Call now and then. */
  sweep(nowMs: number): void {
    for (const [name, pinned] of this.#names) {
      this.#size -= dropEnded(pinned.addresses, nowMs);
      dropEnded(pinned.aliases, nowMs);
      if (pinned.addresses.size === 0 && pinned.aliases.size === 0) this.#names.delete(name);
    }
  }

  save(): SavedPins {
    return [...this.#names].map(([name, { addresses, aliases }]) => [name, [...addresses], [...aliases]]);
  }

  /** Takes over what another process saved. Bounds hold as for answers. */
  load(saved: SavedPins, nowMs: number): void {
    for (const [name, addresses, aliases] of saved) {
      const ends = ([text, untilMs]: readonly [string, number]): [string, number] => [
        text,
        Math.min(untilMs, nowMs + MAX_PIN_MS),
      ];
      this.#add(name, addresses.map(ends), aliases.map(ends), nowMs);
    }
    this.sweep(nowMs);
  }

  #add(name: string, addresses: [string, number][], aliases: [string, number][], nowMs: number): boolean {
    if (addresses.length === 0 && aliases.length === 0) return false;
    const pinned = this.#names.get(name) ?? { addresses: new Map(), aliases: new Map() };
    this.#names.delete(name);
    this.#names.set(name, pinned); // last
    const before = pinned.addresses.size;
    const isNew = put(pinned.addresses, addresses, MAX_ADDRESSES, nowMs);
    const isNewAlias = put(pinned.aliases, aliases, MAX_ALIASES, nowMs);
    this.#size += pinned.addresses.size - before;
    for (const [oldest, { addresses: gone }] of this.#names) {
      if (this.#names.size <= MAX_NAMES && this.#size <= MAX_PINS) break;
      this.#names.delete(oldest);
      this.#size -= gone.size;
    }
    return isNew || isNewAlias;
  }
}

/** The name and its aliases, each with the least TTL on the way; null for a loop or too long a chain. */
function chainOf(name: string, answers: readonly DnsAnswer[]): Map<string, number> | null {
  const chain = new Map([[name, Infinity]]);
  for (let i = 0, isLonger = true; isLonger; i++) { // an answer need not be in the order of its chain
    isLonger = false;
    if (i > MAX_ALIASES) return null;
    for (const answer of answers) {
      if (answer.kind !== "alias" || chain.has(answer.target)) continue;
      const ttlS = chain.get(answer.name);
      if (ttlS === undefined) continue;
      chain.set(answer.target, Math.min(ttlS, answer.ttlS));
      isLonger = true;
    }
  }
  return chain.size > MAX_ALIASES + 1 ? null : chain;
}

function lifeOf(ttlS: number): number {
  return Math.min(MAX_PIN_MS, Math.max(MIN_PIN_MS, ttlS * 1000 + PIN_GRACE_MS));
}

/** Later ends win; beyond `most` the ones that have been there longest go. @returns whether something is new, or had ended */
function put(lives: Lives, entries: readonly (readonly [string, number])[], most: number, nowMs: number): boolean {
  let isNew = false;
  for (const [text, untilMs] of entries) {
    const before = lives.get(text) ?? 0;
    if (before <= nowMs) isNew = true;
    lives.delete(text);
    lives.set(text, Math.max(before, untilMs));
  }
  for (const oldest of lives.keys()) {
    if (lives.size <= most) break;
    lives.delete(oldest);
  }
  return isNew;
}

function dropEnded(lives: Lives, nowMs: number): number {
  const before = lives.size;
  for (const [text, untilMs] of lives) if (untilMs <= nowMs) lives.delete(text);
  return before - lives.size;
}
