/**
 * Leadership by a Lease (coordination.k8s.io/v1): at most one holder at a time, as long as clocks run at about the same speed.
 * What others wrote is timed by when it was seen here, never by their clocks.
 */
import { ApiError } from "./api_error.ts";
import type { KubeClient, KubeObject } from "./client.ts";
import { TYPES } from "./resource_type.ts";

/** A holder that was not heard of for this long has lost the lease, milliseconds. */
export const LEASE_MS = 15_000;
/** A holder that could not renew for this long stops acting, well before others start, milliseconds. */
const GIVE_UP_MS = 10_000;
/** How often it is renewed or tried, milliseconds. */
const RETRY_MS = 4_000;

export interface LeaseOptions {
  readonly client: KubeClient;
  readonly namespace: string;
  readonly name: string;
  /** Unique to this process: the pod's name. */
  readonly identity: string;
  /** Monotonic clock, milliseconds. */
  readonly clock: () => number;
  /** Wall clock, milliseconds since 1970, for what is written into the lease. */
  readonly now: () => number;
  readonly random: () => number;
  /** Called with true when the lease was won, with false when it was lost. */
  readonly onChange: (isHolder: boolean) => void;
}

interface LeaseSpec {
  readonly holderIdentity?: string;
  readonly renewTime?: string;
  readonly acquireTime?: string;
  readonly leaseDurationSeconds?: number;
  readonly leaseTransitions?: number;
}

export class Lease {
  readonly #options: LeaseOptions;
  #isHolder = false;
  /** What was seen last, and when: a version that does not change is a holder that is gone. */
  #seenVersion = "";
  #seenAt = 0;
  #timer: ReturnType<typeof setTimeout> | null = null;
  /** Ends the leadership when no renewal comes through, also while a request hangs. */
  #giveUpTimer: ReturnType<typeof setTimeout> | null = null;
  #closed = false;

  constructor(options: LeaseOptions) {
    this.#options = options;
  }

  get isHolder(): boolean {
    return this.#isHolder;
  }

  /** Tries to win the lease until `close`. */
  start(): void {
    void this.#turn();
  }

  /** Stops, and gives the lease back so that nobody waits for it. */
  async close(): Promise<void> {
    this.#closed = true;
    if (this.#timer !== null) clearTimeout(this.#timer);
    if (this.#giveUpTimer !== null) clearTimeout(this.#giveUpTimer);
    if (!this.#isHolder) return;
    this.#set(false);
    const { client, namespace, name } = this.#options;
    try {
      const lease = await client.get(TYPES.Lease, namespace, name);
      if (specOf(lease).holderIdentity !== this.#options.identity) return;
      await client.replace(TYPES.Lease, { ...lease, spec: { ...specOf(lease), holderIdentity: "" } });
    } catch {
      // It runs out by itself.
    }
  }

  async #turn(): Promise<void> {
    const { clock, random } = this.#options;
    // Counted from before the request: others count from when it was written.
    const since = clock();
    try {
      if (await this.#tryHold()) this.#renewed(since);
      else this.#set(false);
    } catch {
      // An API server that is away can make nobody else the holder before LEASE_MS either; see #renewed.
    }
    if (this.#closed) return;
    this.#timer = setTimeout(() => void this.#turn(), RETRY_MS * (0.75 + random() / 2));
  }

  #renewed(since: number): void {
    const leftMs = since + GIVE_UP_MS - this.#options.clock();
    if (this.#giveUpTimer !== null) clearTimeout(this.#giveUpTimer);
    this.#giveUpTimer = null;
    if (this.#closed) return;
    this.#set(leftMs > 0); // an answer that took too long says nothing of now
    if (leftMs > 0) this.#giveUpTimer = setTimeout(() => this.#set(false), leftMs);
  }

  /** @returns whether the lease is ours now @throws ApiError when the server cannot say */
  async #tryHold(): Promise<boolean> {
    const { client, namespace, name, identity, clock, now } = this.#options;
    const renewTime = microTime(now());
    const fresh = { holderIdentity: identity, leaseDurationSeconds: LEASE_MS / 1000, renewTime };
    try {
      const lease = await client.find(TYPES.Lease, namespace, name);
      if (lease === null) {
        const metadata = { namespace, name };
        const spec = { ...fresh, acquireTime: renewTime, leaseTransitions: 0 };
        await client.create(TYPES.Lease, namespace, {
          apiVersion: "coordination.k8s.io/v1",
          kind: "Lease",
          metadata,
          spec,
        });
        return true;
      }
      const spec = specOf(lease);
      const version = lease.metadata.resourceVersion ?? "";
      if (version !== this.#seenVersion) {
        this.#seenVersion = version;
        this.#seenAt = clock();
      }
      const isOurs = spec.holderIdentity === identity;
      const isFree = spec.holderIdentity === undefined || spec.holderIdentity === "" ||
        clock() - this.#seenAt > LEASE_MS;
      if (!isOurs && !isFree) return false;
      const taken = isOurs ? {} : { acquireTime: renewTime, leaseTransitions: (spec.leaseTransitions ?? 0) + 1 };
      await client.replace(TYPES.Lease, { ...lease, spec: { ...spec, ...fresh, ...taken } });
      return true;
    } catch (error) {
      if (error instanceof ApiError && error.isConflict) return false;
      throw error;
    }
  }

  #set(isHolder: boolean): void {
    if (isHolder === this.#isHolder || (isHolder && this.#closed)) return;
    this.#isHolder = isHolder;
    this.#options.onChange(isHolder);
  }
}

function specOf(lease: KubeObject): LeaseSpec {
  return (lease["spec"] ?? {}) as LeaseSpec; // by the API's schema
}

/** Kubernetes' MicroTime. */
function microTime(ms: number): string {
  return new Date(ms).toISOString().replace("Z", "000Z");
}
