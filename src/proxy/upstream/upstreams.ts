/** All endpoints that this proxy knows, by what they are; snapshots come and go over them. */
import type { Backend, Endpoint, OutboundTarget } from "../../model/outbound.ts";
import { type Concurrency, type ConsistentHash, NO_RESILIENCE, type Resilience } from "../../model/resilience.ts";
import type { ConnectionCounters } from "../../net/connection_stats.ts";
import { Affinity } from "./affinity.ts";
import { pick } from "./balance_p2c.ts";
import type { Trip, TripReason } from "./breaker.ts";
import { ConcurrencyLimit } from "./concurrency_limit.ts";
import { EjectionFloor } from "./ejection_floor.ts";
import { EndpointState } from "./endpoint_state.ts";
import { HashRing } from "./hash_ring.ts";
import { type HashedPick, type HashEvent, NO_KEY, pickHashed } from "./hashed_pick.ts";
import type { MeshCredentials } from "./mesh_dial.ts";
import { pickShaped, type ShapedPick, type ShapingEvent, type Zones, zonesOf } from "./shaped_pick.ts";

/** Makes the counters of connections to an endpoint. */
export interface EndpointCounters {
  endpoints(endpoint: Endpoint, backend: Backend, meshed: boolean, authority: string): ConnectionCounters;
  /** An endpoint of the backend was taken out by its breaker. */
  onBreakerOpen(backend: Backend, reason: TripReason): void;
  /** A policy has acted. */
  onResilience(backend: Backend, event: ResilienceEvent): void;
}

/** What policies do to requests. */
export type ResilienceEvent =
  | ShapingEvent
  | HashEvent
  /** An endpoint stays in although it fails: too many are out already. */
  | "ejection_floor"
  /** A second endpoint was asked; its answer came first; or there was no budget left to ask it. */
  | "hedge_sent"
  | "hedge_won"
  | "hedge_overflow"
  /** A request was refused: all endpoints have as many as they may. */
  | "concurrency_limited";

/** Endpoints of a backend, as a snapshot has them. */
export interface Balancer {
  readonly backend: Backend;
  readonly states: readonly EndpointState[];
}

/** A balancer with what picks need of it, made when it is first needed. */
interface OwnBalancer extends Balancer {
  ring: HashRing | null;
  /** Null also where no zone is to be preferred. */
  zones: Zones<EndpointState> | null;
  /** The client's zone that `zones` was made for. */
  zone: string;
}

/** What consistent hashing remembers of a backend from snapshot to snapshot. */
interface Hashing {
  ring: HashRing;
  readonly affinity: Affinity;
}

const NO_HASH: ConsistentHash = { by: "header", name: "", balancePercent: 0, affinityMs: 0 };

export class Upstreams {
  /** Told when a breaker trips or closes; null when there are no other threads. Set before the first target. */
  onTrip: ((trip: Trip) => void) | null = null;
  /** Topology zone of this workload; "" when unknown. */
  zone = "";
  /** The workload as far as consistent hashing looks at it: an address that does not change, and its SPIFFE ID. */
  readonly self: { readonly ip: string; identity: string };
  readonly #credentials: MeshCredentials;
  readonly #counters: EndpointCounters | null;
  readonly #own: ReadonlySet<string>;
  readonly #clock: () => number;
  readonly #random: () => number;
  readonly #states = new Map<string, { readonly state: EndpointState; refs: number }>();
  readonly #held = new Map<string, readonly string[]>();
  /** Backends that have had endpoints, by key, with what bounds ejections. */
  readonly #backends = new Map<string, EjectionFloor | null>();
  #balancers = new WeakMap<Backend, OwnBalancer>();
  /** By key of the backend. */
  readonly #hashings = new Map<string, Hashing>();
  /** The pick that is being made, of either kind. */
  readonly #hashed: HashedPick<EndpointState>;
  readonly #shaped: ShapedPick<EndpointState>;
  #shapedFor: Backend | null = null;

  /**
   * @param own addresses of this workload: it is reached without a detour through its own sidecar
   * @param clock monotonic milliseconds
   * @param random uniform in [0, 1)
   * @param counters counts the connections to an endpoint, null for nobody
   */
  constructor(
    credentials: MeshCredentials,
    own: ReadonlySet<string>,
    clock: () => number,
    random: () => number,
    counters: EndpointCounters | null = null,
  ) {
    this.#counters = counters;
    this.#credentials = credentials;
    this.#own = own;
    this.self = { ip: [...own].sort()[0] ?? "", identity: "" };
    this.#hashed = {
      resilience: NO_RESILIENCE,
      hash: NO_HASH,
      key: NO_KEY,
      zone: "",
      nowMs: 0,
      exclude: null,
      event: "hash_kept",
      isLocal: false,
    };
    this.#shaped = {
      resilience: NO_RESILIENCE,
      zones: null,
      nowMs: 0,
      exclude: null,
      random,
      count: (event) => this.#shapedFor !== null && this.count(this.#shapedFor, event),
    };
    this.#clock = clock;
    this.#random = random;
  }

  /** A new snapshot of a target is in force: endpoints that nobody names any more are drained. */
  replace(target: OutboundTarget): void {
    const keys: string[] = [];
    for (const backend of target.backends) {
      const isNew = !this.#backends.has(backend.key);
      const states = backend.endpoints.map((endpoint) => {
        const entry = this.#entry(endpoint, backend, target.authority, isNew);
        entry.refs++;
        keys.push(stateKey(endpoint, backend));
        return entry.state;
      });
      this.#regulate(backend, states);
      this.#balancers.set(backend, { backend, states, ring: null, zones: null, zone: "" });
    }
    this.#release(target.key);
    this.#held.set(target.key, keys);
  }

  /** The target is not watched any more. */
  forget(targetKey: string): void {
    this.#release(targetKey);
    this.#held.delete(targetKey);
    const left = new Set([...this.#states.values()].map(({ state }) => state.backendKey));
    for (const key of this.#backends.keys()) {
      if (left.has(key)) continue;
      this.#backends.delete(key);
      this.#hashings.delete(key);
    }
  }

  /**
   * Picks an endpoint for a request, or null when the backend has none.
   *
   * @param exclude those that have just failed
   * @param key of consistent hashing, where the backend has it; see hashKey()
   */
  pick(backend: Backend, exclude: readonly EndpointState[] | null, key = NO_KEY): EndpointState | null {
    const balancer = this.#balancers.get(backend);
    if (balancer === undefined) return null;
    const { resilience } = backend;
    if (resilience === null) return pick(balancer.states, this.#clock(), this.#random, exclude);
    if (resilience.hash !== null) {
      if (key !== NO_KEY) return this.#pickHashed(balancer, resilience, resilience.hash, exclude, key);
      this.count(backend, "hash_no_key");
    }
    return this.#pickShaped(balancer, resilience, exclude);
  }

  #pickShaped(
    balancer: OwnBalancer,
    resilience: Resilience,
    exclude: readonly EndpointState[] | null,
  ): EndpointState | null {
    const { backend, states } = balancer;
    if (balancer.zone !== this.zone) {
      balancer.zone = this.zone;
      balancer.zones = zonesOf(states, this.zone);
    }
    const one = this.#shaped;
    one.resilience = resilience;
    one.zones = balancer.zones;
    one.nowMs = this.#clock();
    one.exclude = exclude;
    this.#shapedFor = backend;
    const picked = pickShaped(states, one);
    one.exclude = null;
    return picked;
  }

  #pickHashed(
    balancer: OwnBalancer,
    resilience: Resilience,
    hash: ConsistentHash,
    exclude: readonly EndpointState[] | null,
    key: number,
  ): EndpointState | null {
    const { backend, states } = balancer;
    const nowMs = this.#clock();
    const { ring, affinity } = this.#hashingOf(balancer);
    const kept = hash.affinityMs > 0 ? affinity.kept(hash.affinityMs, nowMs, exclude) : null;
    if (kept !== null) {
      this.count(backend, "hash_kept");
      return kept;
    }
    const one = this.#hashed;
    one.resilience = resilience;
    one.hash = hash;
    one.key = key;
    one.zone = this.zone;
    one.nowMs = nowMs;
    one.exclude = exclude;
    const picked = pickHashed(balancer.ring ?? ring, states, one);
    one.exclude = null;
    this.count(backend, one.event);
    if (one.isLocal) this.count(backend, "zone_local");
    if (picked !== null && hash.affinityMs > 0) affinity.chosen(picked, nowMs);
    return picked;
  }

  /** Sees to the balancer's ring: rings are compared once for a snapshot, not for each request. */
  #hashingOf(balancer: OwnBalancer): Hashing {
    const { backend, ring } = balancer;
    let hashing = this.#hashings.get(backend.key);
    if (hashing === undefined) {
      hashing = { ring: new HashRing(backend.endpoints), affinity: new Affinity() };
      this.#hashings.set(backend.key, hashing);
    } else if (ring === null && !hashing.ring.isOf(backend.endpoints)) hashing.ring = new HashRing(backend.endpoints);
    balancer.ring ??= hashing.ring;
    return hashing;
  }

  /** A policy has acted. */
  count(backend: Backend, event: ResilienceEvent): void {
    this.#counters?.onResilience(backend, event);
  }

  /** A breaker has tripped or closed in another thread. */
  adopt(trip: Trip): void {
    this.#states.get(trip.key)?.state.breaker.adopt(this.#clock(), trip.trips, trip.penaltyMs);
  }

  /** The endpoint states of a backend, for metrics and /config. */
  balancer(backend: Backend): Balancer | null {
    return this.#balancers.get(backend) ?? null;
  }

  /** Every endpoint, for metrics and /config. */
  *all(): Iterable<EndpointState> {
    for (const { state } of this.#states.values()) yield state;
  }

  /** Lets everything finish. */
  shutdown(): void {
    for (const { state } of this.#states.values()) state.shutdown();
  }

  /** Puts the policies of a backend in force at its endpoints. */
  #regulate(backend: Backend, states: readonly EndpointState[]): void {
    const { breaker, resilience } = backend;
    const ejection = resilience?.ejection ?? null;
    let floor: EjectionFloor | null = null;
    if (ejection !== null) {
      floor = this.#backends.get(backend.key) ?? new EjectionFloor(() => this.count(backend, "ejection_floor"));
      floor.use(states.map((state) => state.breaker), ejection.maxEjectedPercent);
    }
    if (states.length > 0) this.#backends.set(backend.key, floor);
    const concurrency = resilience?.concurrency ?? null;
    for (const state of states) {
      state.breaker.setPolicy(breaker, ejection, floor);
      if (concurrency === null) state.limiter = null;
      else if (state.limiter === null || !isSame(state.limiter.policy, concurrency)) {
        state.limiter = new ConcurrencyLimit(concurrency);
      }
      if ((resilience?.slowStartMs ?? 0) === 0) state.warmingSinceMs = -1;
    }
  }

  #entry(
    endpoint: Endpoint,
    backend: Backend,
    authority: string,
    isFirst: boolean,
  ): { readonly state: EndpointState; refs: number } {
    const key = stateKey(endpoint, backend);
    let entry = this.#states.get(key);
    if (entry === undefined) {
      const meshed = endpoint.identity !== "" && !this.#own.has(endpoint.ip);
      const counters = this.#counters?.endpoints(endpoint, backend, meshed, authority) ?? null;
      const now = this.#clock();
      const state = new EndpointState(endpoint, backend, meshed, authority, this.#credentials, now, counters);
      // Where all are new there is nobody to take the load meanwhile.
      if (!isFirst) state.warmingSinceMs = now;
      state.breaker.onTrip = (trips, penaltyMs, reason) => {
        if (trips > 0) this.#counters?.onBreakerOpen(backend, reason);
        else state.warmingSinceMs = this.#clock();
        this.onTrip?.({ key, trips, penaltyMs });
      };
      entry = { state, refs: 0 };
      this.#states.set(key, entry);
    }
    return entry;
  }

  #release(targetKey: string): void {
    for (const key of this.#held.get(targetKey) ?? []) {
      const entry = this.#states.get(key);
      if (entry === undefined || --entry.refs > 0) continue;
      this.#states.delete(key);
      entry.state.shutdown();
    }
  }
}

/** Two endpoints are the same when they are reached in the same way for the same backend. */
function stateKey(endpoint: Endpoint, backend: Backend): string {
  return `${backend.key}|${endpoint.key}|${endpoint.identity}|${endpoint.meshPort}|${endpoint.weight}`;
}

function isSame(a: Concurrency, b: Concurrency): boolean {
  return a.limit === b.limit && a.min === b.min && a.max === b.max;
}
