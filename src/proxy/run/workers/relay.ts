/** Snapshots on their way from discovery, which the main thread has, to the workers that follow them. */
import { INBOUND, OUTBOUND } from "../../../discovery/decode_snapshot.ts";
import type { Discovery, SnapshotSink } from "../../../discovery/discovery.ts";

/** A worker, as far as snapshots go. */
export interface Follower {
  onSnapshot(message: Uint8Array): void;
  onNoTarget(key: string, reason: string): void;
}

export class SnapshotRelay implements SnapshotSink {
  /** Name → the SubscribeResponse in force. Discovery bounds how many there are. */
  readonly #latest = new Map<string, Uint8Array>();
  /** For each follower: key of a target → gives up the hold on it. */
  readonly #followers = new Map<Follower, Map<string, () => void>>();

  save(name: string, message: Uint8Array): void {
    const copy = message.slice();
    this.#latest.set(name, copy);
    const key = name.slice(OUTBOUND.length);
    for (const [follower, held] of this.#followers) {
      if (name === INBOUND || held.has(key)) follower.onSnapshot(copy);
    }
  }

  remove(name: string): void {
    this.#latest.delete(name);
  }

  /** A worker is there: it gets the policy in force, and each later one. */
  add(follower: Follower): void {
    this.#followers.set(follower, new Map());
    const policy = this.#latest.get(INBOUND);
    if (policy !== undefined) follower.onSnapshot(policy);
  }

  /** It is gone. */
  drop(follower: Follower): void {
    for (const release of this.#followers.get(follower)?.values() ?? []) release();
    this.#followers.delete(follower);
  }

  /** Answers the follower with the target or a reason; it gets later snapshots until it forgets the target. */
  async want(follower: Follower, key: string, timeoutMs: number, discovery: Discovery): Promise<void> {
    const found = await discovery.want(key, timeoutMs);
    const held = this.#followers.get(follower);
    if (held === undefined) return; // it is gone
    if ("kind" in found) return follower.onNoTarget(key, `${found.code}: ${found.detail}`);
    if (!held.has(key)) held.set(key, discovery.onChange(key, ignore));
    const message = this.#latest.get(OUTBOUND + key);
    if (message === undefined) follower.onNoTarget(key, "cancelled: the target was given up meanwhile");
    else follower.onSnapshot(message);
  }

  forget(follower: Follower, key: string): void {
    const held = this.#followers.get(follower);
    held?.get(key)?.();
    held?.delete(key);
  }
}

/** Holding a target is all: its snapshots come by `save`. */
function ignore(): void {}
