/** Targets as a worker gets them: it asks the main thread, which has the one stream to the controller. */
import { decodeSnapshot } from "../../../discovery/decode_snapshot.ts";
import type { InboundPolicy } from "../../../model/inbound.ts";
import type { OutboundTarget } from "../../../model/outbound.ts";
import type { TargetSource } from "../../proxy.ts";

/** Whom a worker asks, and tells. */
export interface SourceLink {
  want(key: string, timeoutMs: number): void;
  forget(key: string): void;
}

export class RemoteSource implements TargetSource {
  readonly #link: SourceLink;
  readonly #onPolicy: (policy: InboundPolicy) => void;
  readonly #waiting = new Map<string, ((answer: OutboundTarget | string) => void)[]>();
  readonly #followers = new Map<string, (target: OutboundTarget) => void>();

  constructor(link: SourceLink, onPolicy: (policy: InboundPolicy) => void) {
    this.#link = link;
    this.#onPolicy = onPolicy;
  }

  /** The main thread bounds the time. */
  discover(key: string, timeoutMs: number): Promise<OutboundTarget | string> {
    return new Promise((resolve) => {
      const waiting = this.#waiting.get(key);
      if (waiting !== undefined) return void waiting.push(resolve);
      this.#waiting.set(key, [resolve]);
      this.#link.want(key, timeoutMs);
    });
  }

  follow(key: string, listener: (target: OutboundTarget) => void): () => void {
    this.#followers.set(key, listener);
    return () => {
      this.#followers.delete(key);
      this.#link.forget(key);
    };
  }

  /** A snapshot that the main thread has accepted. @throws Error when it cannot be read: both threads are of one build */
  onSnapshot(message: Uint8Array): void {
    const snapshot = decodeSnapshot(message);
    if (!snapshot.ok) throw new Error(`a snapshot that the main thread took is refused here: ${snapshot.error}`);
    if (snapshot.value.kind === "inbound") return this.#onPolicy(snapshot.value.policy);
    const { target } = snapshot.value;
    this.#followers.get(target.key)?.(target);
    this.#answer(target.key, target);
  }

  onNoTarget(key: string, reason: string): void {
    this.#answer(key, reason);
  }

  #answer(key: string, answer: OutboundTarget | string): void {
    const waiting = this.#waiting.get(key) ?? [];
    this.#waiting.delete(key);
    for (const resolve of waiting) resolve(answer);
  }
}
