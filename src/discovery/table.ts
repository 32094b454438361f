/**
 * Destinations this proxy knows, by what was asked for. Reading is synchronous: the data path never waits for the
 * controller once a target is here.
 */
import type { OutboundTarget } from "../model/outbound.ts";

/** Most targets: 1024 with some ten endpoints each are about 10 MB, and no workload calls more. */
export const MAX_TARGETS = 1024;
/** A target that nobody has asked for this long is given up: a Job's calls, a service that was called once. */
export const IDLE_MS = 10 * 60_000;
/** The same for addresses the mesh does not know: a crawler leaves many. */
export const UNKNOWN_IDLE_MS = 60_000;
/** When there is no room, targets unused for this long may go earlier. */
export const CROWDED_IDLE_MS = 5_000;

/** Why there is no target. */
export interface DiscoveryError {
  readonly kind: "discovery_error";
  /** timeout, cancelled: may be tried again. limit: too many targets in use. refused: the snapshot was invalid. */
  readonly code: "timeout" | "cancelled" | "limit" | "refused" | "bad_target";
  readonly detail: string;
}

/** Told when the set of targets changes. */
export interface TableObserver {
  onAdd(key: string): void;
  onRemove(key: string): void;
}

type Waiter = (answer: OutboundTarget | DiscoveryError) => void;

class Entry {
  readonly key: string;
  target: OutboundTarget | null = null;
  lastUsedMs: number;
  readonly listeners = new Set<(target: OutboundTarget) => void>();
  readonly waiters = new Set<Waiter>();

  constructor(key: string, nowMs: number) {
    this.key = key;
    this.lastUsedMs = nowMs;
  }

  get idle(): boolean {
    return this.listeners.size === 0 && this.waiters.size === 0;
  }
}

/** See the file's head. */
export class TargetTable {
  readonly #entries = new Map<string, Entry>();
  readonly #now: () => number;
  readonly #observer: TableObserver;

  /** @param now monotonic milliseconds */
  constructor(now: () => number, observer: TableObserver) {
    this.#now = now;
    this.#observer = observer;
  }

  get size(): number {
    return this.#entries.size;
  }

  /** The target, when it is here. Counts as use. */
  lookup(key: string): OutboundTarget | null {
    const entry = this.#entries.get(key);
    if (entry === undefined) return null;
    entry.lastUsedMs = this.#now();
    return entry.target;
  }

  /**
   * Asks for a target, and waits for its first snapshot.
   *
   * @param key "ip:port", "[ip]:port" or "host:port"
   * @param timeoutMs how long to wait; asking goes on afterwards
   * @param signal gives up earlier
   */
  want(key: string, timeoutMs: number, signal: AbortSignal | null = null): Promise<OutboundTarget | DiscoveryError> {
    if (!isTargetKey(key)) return Promise.resolve(failure("bad_target", `${JSON.stringify(key)}: want host:port`));
    const entry = this.#entries.get(key) ?? this.#add(key);
    if (entry === null) return Promise.resolve(failure("limit", `${MAX_TARGETS} targets are in use`));
    entry.lastUsedMs = this.#now();
    if (entry.target !== null) return Promise.resolve(entry.target);
    return new Promise((resolve) => {
      const end: Waiter = (answer) => {
        clearTimeout(timer);
        signal?.removeEventListener("abort", onAbort);
        entry.waiters.delete(end);
        resolve(answer);
      };
      const onAbort = () => end(failure("cancelled", key));
      const timer = setTimeout(() => end(failure("timeout", `no answer for ${key} within ${timeoutMs} ms`)), timeoutMs);
      signal?.addEventListener("abort", onAbort);
      entry.waiters.add(end);
      if (signal?.aborted === true) onAbort();
    });
  }

  /** Calls back for each new snapshot of a target, and keeps the target meanwhile. @returns ends that */
  onChange(key: string, listener: (target: OutboundTarget) => void): () => void {
    const entry = this.#entries.get(key) ?? this.#add(key);
    if (entry === null) return () => {};
    entry.listeners.add(listener);
    return () => {
      entry.listeners.delete(listener);
      entry.lastUsedMs = this.#now();
    };
  }

  /** Puts a snapshot in force. @returns false when nobody wants it any more */
  apply(target: OutboundTarget): boolean {
    const entry = this.#entries.get(target.key);
    if (entry === undefined) return false;
    entry.target = target;
    for (const waiter of [...entry.waiters]) waiter(target);
    for (const listener of [...entry.listeners]) listener(target);
    return true;
  }

  /** A snapshot was invalid: who waits for a first one learns of it. The last good one stays. */
  refuse(key: string, error: string): void {
    const entry = this.#entries.get(key);
    if (entry === undefined) return;
    for (const waiter of [...entry.waiters]) waiter(failure("refused", error));
  }

  /** Takes a snapshot of an earlier process. */
  restore(target: OutboundTarget): void {
    const entry = this.#entries.get(target.key) ?? this.#add(target.key);
    if (entry !== null && entry.target === null) entry.target = target;
  }

  /** Gives up what nobody has used for long. Call now and then. */
  evictIdle(): void {
    const nowMs = this.#now();
    for (const entry of this.#entries.values()) {
      const limit = entry.target !== null && !entry.target.known ? UNKNOWN_IDLE_MS : IDLE_MS;
      if (entry.idle && nowMs - entry.lastUsedMs >= limit) this.#remove(entry);
    }
  }

  /** Whether a snapshot is here. Does not count as use. */
  has(key: string): boolean {
    return this.#entries.get(key)?.target != null;
  }

  /** All keys. */
  keys(): string[] {
    return [...this.#entries.keys()];
  }

  /** All snapshots that are here. */
  targets(): OutboundTarget[] {
    const out: OutboundTarget[] = [];
    for (const entry of this.#entries.values()) if (entry.target !== null) out.push(entry.target);
    return out;
  }

  #add(key: string): Entry | null {
    if (this.#entries.size >= MAX_TARGETS && !this.#makeRoom()) return null;
    const entry = new Entry(key, this.#now());
    this.#entries.set(key, entry);
    this.#observer.onAdd(key);
    return entry;
  }

  /** Gives up the target that was unused longest; unknown ones first. */
  #makeRoom(): boolean {
    let victim: Entry | null = null;
    const nowMs = this.#now();
    for (const entry of this.#entries.values()) {
      if (!entry.idle || nowMs - entry.lastUsedMs < CROWDED_IDLE_MS) continue;
      if (victim === null || rank(entry) < rank(victim)) victim = entry;
    }
    if (victim === null) return false;
    this.#remove(victim);
    return true;
  }

  #remove(entry: Entry): void {
    this.#entries.delete(entry.key);
    this.#observer.onRemove(entry.key);
  }
}

/** Unknown targets before all known ones, then by age. */
function rank(entry: Entry): number {
  return entry.lastUsedMs + (entry.target !== null && entry.target.known ? Number.MAX_SAFE_INTEGER / 2 : 0);
}

function isTargetKey(key: string): boolean {
  const m = /^(?:\[[0-9a-f:.]+\]|[A-Za-z0-9._-]{1,253}):(\d{1,5})$/.exec(key);
  return m !== null && Number(m[1]) >= 1 && Number(m[1]) <= 65_535;
}

function failure(code: DiscoveryError["code"], detail: string): DiscoveryError {
  return { kind: "discovery_error", code, detail };
}
