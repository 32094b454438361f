/**
 * The one stream between this proxy and the controller.
 *
 *     waiting ──connect──▶ open ──end, error, age──▶ waiting (backoff; at once after the age)
 *
 * After each opening the controller is told again what is wanted and what is still here, so nothing is lost in between.
 */
import { type BackoffLimits, backoffMs } from "../model/backoff.ts";
import { decodeUpdate, encodeAck, encodeHello, encodeWatch, type Hello, type RawUpdate } from "./messages.ts";
import type { Call } from "./rpc/call.ts";
import type { ControllerClient } from "./rpc/client.ts";
import { type RpcError, rpcErrorText } from "./rpc/error.ts";

/** Age at which a stream is replaced, so that proxies spread over the controllers that are there. */
export const MAX_STREAM_AGE_MS = 30 * 60_000;
/** Share by which ages differ between proxies. */
const AGE_JITTER = 0.2;
/** 15 s at most: a controller that is back is found soon; full jitter keeps 10 000 proxies apart. */
const BACKOFF: BackoffLimits = { firstMs: 250, maxMs: 15_000 };
/** A stream that lived this long was a good one. */
const GOOD_STREAM_MS = 5_000;
const PATH = "/tulle.discovery.v1.DiscoveryService/Subscribe";

/** What the stream needs to know, and whom it tells. */
export interface SubscriptionPeer {
  /** For each opening. */
  hello(): Hello;
  /** All targets that are wanted. */
  keys(): readonly string[];
  /** @param message the whole SubscribeResponse, valid during the call. @returns "" or why the update is refused */
  onUpdate(update: RawUpdate, message: Uint8Array): string;
}

/** State for readiness and /config. */
export interface SubscriptionReport {
  readonly state: "stopped" | "waiting" | "open";
  readonly controller: string;
  /** Why the last stream ended, "" when none has or it ended in order. */
  readonly lastError: string;
  readonly streams: number;
  readonly updates: number;
  readonly refused: number;
}

/** See the file's head. */
export class Subscription {
  readonly #client: ControllerClient;
  readonly #peer: SubscriptionPeer;
  readonly #random: () => number;
  readonly #maxAgeMs: number;
  #running = false;
  #call: Call | null = null;
  #timer: ReturnType<typeof setTimeout> | null = null;
  #openedMs = 0;
  #failures = 0;
  #lastError = "";
  #streams = 0;
  #updates = 0;
  #refused = 0;
  readonly #toAdd = new Set<string>();
  readonly #toRemove = new Set<string>();
  #flushing = false;

  /** @param random in [0, 1) */
  constructor(
    client: ControllerClient,
    peer: SubscriptionPeer,
    random: () => number,
    maxAgeMs: number = MAX_STREAM_AGE_MS,
  ) {
    this.#client = client;
    this.#peer = peer;
    this.#random = random;
    this.#maxAgeMs = maxAgeMs;
  }

  /** Opens the stream, and opens it again until `stop`. */
  start(): void {
    this.#running = true;
    this.#open();
  }

  /** Something that was missing may be there now (a certificate): does not wait for the backoff's end. */
  wake(): void {
    if (this.#running && this.#call === null) this.#open();
  }

  stop(): void {
    this.#running = false;
    this.#clearTimer();
    this.#call?.cancel();
    this.#call = null;
  }

  /** Asks for a target from now on. */
  add(key: string): void {
    this.#toRemove.delete(key);
    this.#toAdd.add(key);
    this.#flushSoon();
  }

  /** Asks for it no longer. */
  remove(key: string): void {
    if (!this.#toAdd.delete(key)) this.#toRemove.add(key);
    this.#flushSoon();
  }

  report(): SubscriptionReport {
    return {
      state: !this.#running ? "stopped" : this.#call === null ? "waiting" : "open",
      controller: this.#client.address,
      lastError: this.#lastError,
      streams: this.#streams,
      updates: this.#updates,
      refused: this.#refused,
    };
  }

  #open(): void {
    this.#clearTimer();
    const call = this.#client.stream(PATH, {
      onMessage: (message) => this.#onMessage(message),
      onEnd: (error) => this.#onEnd(error),
    });
    if (call === null) return this.#retry("unavailable: no certificate yet");
    this.#call = call;
    this.#streams++;
    this.#openedMs = performance.now();
    this.#toAdd.clear();
    this.#toRemove.clear();
    call.send(encodeHello(this.#peer.hello()));
    const keys = this.#peer.keys();
    if (keys.length > 0) call.send(encodeWatch(keys, []));
    const share = 1 + AGE_JITTER * (2 * this.#random() - 1);
    this.#timer = setTimeout(() => this.#replace(), this.#maxAgeMs * share);
  }

  #onMessage(message: Uint8Array): void {
    this.#failures = 0;
    this.#lastError = "";
    const update = decodeUpdate(message);
    if (update === null) {
      this.#refused++;
      this.#lastError = "internal: the controller sent malformed protobuf";
      return;
    }
    const error = this.#peer.onUpdate(update, message);
    if (error === "") this.#updates++;
    else this.#refused++;
    this.#call?.send(encodeAck(update.name, update.version, error));
  }

  #onEnd(error: RpcError | null): void {
    this.#call = null;
    if (!this.#running) return;
    if (performance.now() - this.#openedMs > GOOD_STREAM_MS) this.#failures = 0;
    this.#retry(error === null ? "" : rpcErrorText(error));
  }

  #retry(error: string): void {
    this.#lastError = error;
    this.#clearTimer();
    this.#timer = setTimeout(() => this.#open(), backoffMs(BACKOFF, ++this.#failures, this.#random()));
  }

  #replace(): void {
    const old = this.#call;
    this.#call = null;
    old?.cancel();
    this.#client.renew();
    this.#open();
  }

  /** One message for all that is asked in one turn. */
  #flushSoon(): void {
    if (this.#flushing || this.#call === null) return;
    this.#flushing = true;
    queueMicrotask(() => {
      this.#flushing = false;
      if (this.#call !== null && this.#toAdd.size + this.#toRemove.size > 0) {
        this.#call.send(encodeWatch([...this.#toAdd], [...this.#toRemove]));
      }
      this.#toAdd.clear();
      this.#toRemove.clear();
    });
  }

  #clearTimer(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
  }
}
