/**
 * What the controller says, as the data path reads it: destinations by key, and this workload's inbound policy.
 * Bad updates are refused and the last good ones stay; so they do when the controller is away, and over a restart.
 */
import type { InboundPolicy } from "../model/inbound.ts";
import type { OutboundTarget } from "../model/outbound.ts";
import { INBOUND, OUTBOUND, snapshotOf } from "./decode_snapshot.ts";
import { decodeUpdate, type Hello, type RawUpdate } from "./messages.ts";
import type { ControllerClient } from "./rpc/client.ts";
import { SnapshotStore } from "./snapshot_store.ts";
import { Subscription, type SubscriptionReport } from "./subscription.ts";
import { type DiscoveryError, TargetTable } from "./table.ts";

/** How often idle targets are looked for. */
const EVICT_INTERVAL_MS = 30_000;

/** Keeps good snapshots, each a SubscribeResponse as it came. */
export interface SnapshotSink {
  /** @param message valid during the call */
  save(name: string, message: Uint8Array): void;
  remove(name: string): void;
}

/** What discovery is for and where it keeps things. */
export interface DiscoveryOptions {
  readonly client: ControllerClient;
  readonly workload: { readonly namespace: string; readonly name: string };
  readonly proxyVersion: string;
  /** Directory for the last good snapshots; null keeps none. */
  readonly stateDir: string | null;
  /** In [0, 1). */
  readonly random: () => number;
  /** Told of refused updates and files that cannot be written. */
  readonly onProblem: (what: string, detail: string) => void;
  /** Gets restored snapshots too; null for nobody. */
  readonly mirror?: SnapshotSink | null;
  /** See MAX_STREAM_AGE_MS; tests shorten it. */
  readonly maxStreamAgeMs?: number;
}

/** Whether traffic can be served, and what is missing. */
export interface Readiness {
  readonly ready: boolean;
  readonly reasons: readonly string[];
}

/** State for /config. */
export interface DiscoveryDump {
  readonly stream: SubscriptionReport;
  readonly inbound: InboundPolicy | null;
  readonly outbound: readonly OutboundTarget[];
  /** Asked for, without an answer yet. */
  readonly pending: readonly string[];
  /** Resource name → why its last update was refused; removed by the next good one. */
  readonly refused: Readonly<Record<string, string>>;
}

/** See the file's head. One per process. */
export class Discovery {
  readonly #options: DiscoveryOptions;
  readonly #table: TargetTable;
  readonly #subscription: Subscription;
  readonly #store: SnapshotStore | null;
  readonly #inboundListeners = new Set<(policy: InboundPolicy) => void>();
  readonly #refused = new Map<string, string>();
  #inbound: InboundPolicy | null = null;
  #restoring = false;
  #timer: ReturnType<typeof setInterval> | null = null;

  constructor(options: DiscoveryOptions) {
    this.#options = options;
    const { stateDir, onProblem } = options;
    this.#store = stateDir === null
      ? null
      : new SnapshotStore(stateDir, (error) => onProblem("snapshot", String(error)));
    this.#table = new TargetTable(() => performance.now(), {
      onAdd: (key) => this.#subscription.add(key),
      onRemove: (key) => this.#forget(key),
    });
    const peer = {
      hello: () => this.#hello(),
      keys: () => this.#table.keys(),
      onUpdate: (update: RawUpdate, message: Uint8Array) => this.#onUpdate(update, message),
    };
    this.#subscription = new Subscription(options.client, peer, options.random, options.maxStreamAgeMs);
  }

  /** Restores what an earlier process knew, then follows the controller. Call once. */
  start(): void {
    this.#restoring = true;
    for (const message of this.#store?.load() ?? []) {
      const update = decodeUpdate(message);
      if (update !== null) this.#onUpdate(update, message);
    }
    this.#restoring = false;
    this.#timer = setInterval(() => this.#table.evictIdle(), EVICT_INTERVAL_MS);
    this.#subscription.start();
  }

  /** Writes what is pending: another process is about to read it. */
  flush(): void {
    this.#store?.flush();
  }

  /** Ends the stream and writes what is pending; snapshots stay readable. */
  stop(): void {
    if (this.#timer !== null) clearInterval(this.#timer);
    this.#subscription.stop();
    this.#store?.flush();
  }

  /** A certificate is there, or a new one: a stream that waits for it need not wait on. */
  credentialsChanged(): void {
    this.#subscription.wake();
  }

  /** See TargetTable. */
  lookup(key: string): OutboundTarget | null {
    return this.#table.lookup(key);
  }

  /** See TargetTable. */
  want(key: string, timeoutMs: number, signal: AbortSignal | null = null): Promise<OutboundTarget | DiscoveryError> {
    return this.#table.want(key, timeoutMs, signal);
  }

  /** See TargetTable. */
  onChange(key: string, listener: (target: OutboundTarget) => void): () => void {
    return this.#table.onChange(key, listener);
  }

  /** This workload's policy; null before the first. */
  inbound(): InboundPolicy | null {
    return this.#inbound;
  }

  /** Calls back for each new policy. @returns ends that */
  onInbound(listener: (policy: InboundPolicy) => void): () => void {
    this.#inboundListeners.add(listener);
    return () => void this.#inboundListeners.delete(listener);
  }

  /** Ready once there is an inbound policy, be it of an earlier process. */
  ready(): Readiness {
    if (this.#inbound !== null) return { ready: true, reasons: [] };
    const { state, controller, lastError } = this.#subscription.report();
    const why = this.#refused.get(INBOUND) ?? (lastError === "" ? `stream ${state}` : lastError);
    return { ready: false, reasons: [`no inbound policy yet from controller ${controller}: ${why}`] };
  }

  /** Whether the stream to the controller is open. */
  get isConnected(): boolean {
    return this.#subscription.report().state === "open";
  }

  dump(): DiscoveryDump {
    return {
      stream: this.#subscription.report(),
      inbound: this.#inbound,
      outbound: this.#table.targets(),
      pending: this.#table.keys().filter((key) => !this.#table.has(key)),
      refused: Object.fromEntries(this.#refused),
    };
  }

  #hello(): Hello {
    const knownVersions = new Map<string, string>();
    if (this.#inbound !== null) knownVersions.set(INBOUND, this.#inbound.version);
    for (const target of this.#table.targets()) knownVersions.set(OUTBOUND + target.key, target.version);
    return { ...this.#options.workload, proxyVersion: this.#options.proxyVersion, knownVersions };
  }

  #onUpdate(update: RawUpdate, message: Uint8Array): string {
    const error = this.#apply(update);
    if (error === "") {
      this.#refused.delete(update.name);
      if (!this.#restoring) this.#store?.save(update.name, message);
      this.#options.mirror?.save(update.name, message);
      return "";
    }
    this.#refused.set(update.name, error);
    this.#options.onProblem(`update ${update.name} refused`, error);
    if (update.kind === "outbound") this.#table.refuse(update.name.slice(OUTBOUND.length), error);
    return error;
  }

  /** @returns "" or why the update is refused */
  #apply(update: RawUpdate): string {
    const snapshot = snapshotOf(update);
    if (!snapshot.ok) return snapshot.error;
    if (snapshot.value.kind === "inbound") return this.#applyInbound(snapshot.value.policy);
    const { target } = snapshot.value;
    if (this.#restoring) this.#table.restore(target);
    else this.#table.apply(target);
    return "";
  }

  #applyInbound(policy: InboundPolicy): string {
    const { namespace, name } = this.#options.workload;
    const { workload } = policy;
    if (workload !== `${namespace}/${name}`) return `inbound.workload: found ${workload}, want ${namespace}/${name}`;
    this.#inbound = policy;
    for (const listener of this.#inboundListeners) listener(policy);
    return "";
  }

  #forget(key: string): void {
    this.#subscription.remove(key);
    this.#refused.delete(OUTBOUND + key);
    this.#store?.remove(OUTBOUND + key);
    this.#options.mirror?.remove(OUTBOUND + key);
  }
}
