/** What this proxy's own processes talk to: one entry per original destination, whose snapshot is swapped in place. */
import type { Backend, Endpoint, OutboundTarget, RouteRule } from "../../model/outbound.ts";
import { DEFAULT_DECAY_MS, DEFAULT_RTT_MS } from "../../model/outbound.ts";
import { formatIp, parseIp } from "../../model/ip.ts";
import { NO_RESOURCE } from "../../model/resource.ts";
import { type HeaderBlock, headerBlock } from "../../wire/header_block.ts";
import { TCP_PROTOCOL } from "../exchange/header_edits.ts";
import { RetryBudget } from "../exchange/retry.ts";
import { compileRoutes, type RouteTable } from "../route/compile.ts";
import { DEFAULT_BREAKER } from "../upstream/breaker.ts";
import type { Upstreams } from "../upstream/upstreams.ts";

/** A target without connections is kept warm this long; discovery then keeps its snapshot for a while longer. */
const IDLE_TARGET_MS = 60_000;

/** A snapshot, compiled. */
export interface CompiledTarget {
  readonly target: OutboundTarget;
  readonly table: RouteTable<RouteRule>;
  /** Opens a stream for an opaque connection. */
  readonly connect: HeaderBlock;
}

/** One destination. Holders keep the entry and read `current` for each request. */
export class TargetEntry {
  readonly key: string;
  /** The address, as formatIp writes it. */
  readonly ip: string;
  current: CompiledTarget;
  /** Connections that use it. */
  users = 0;
  /** When the last one began, monotonic milliseconds. */
  lastUsedMs = 0;
  /** Ends the subscription to its snapshots. */
  unsubscribe: (() => void) | null = null;
  /** Retries that its requests may cost. */
  readonly budget: RetryBudget;

  constructor(key: string, ip: string, current: CompiledTarget, nowMs: number) {
    this.key = key;
    this.ip = ip;
    this.current = current;
    this.budget = new RetryBudget(nowMs);
  }
}

export class OutboundTargets {
  readonly #upstreams: Upstreams;
  readonly #clock: () => number;
  readonly #onEgressChanged: () => void;
  readonly #entries = new Map<string, TargetEntry>();

  /**
   * @param clock monotonic milliseconds
   * @param onEgressChanged told when what may leave to a destination is said anew
   */
  constructor(upstreams: Upstreams, clock: () => number, onEgressChanged: () => void = () => {}) {
    this.#upstreams = upstreams;
    this.#clock = clock;
    this.#onEgressChanged = onEgressChanged;
  }

  /** The entry of a destination, or null when nothing is known of it. */
  get(key: string): TargetEntry | null {
    return this.#entries.get(key) ?? null;
  }

  /** A snapshot has arrived: compiles it and puts it in force. */
  put(target: OutboundTarget, ip: string, port: number): TargetEntry {
    const effective = target.known ? target : passThrough(target, ip, port);
    const entry = this.#entries.get(target.key);
    if (entry !== undefined && entry.current.target.version === effective.version) return entry;
    this.#upstreams.replace(effective);
    const compiled: CompiledTarget = {
      target: effective,
      table: compileRoutes(effective.routes),
      connect: connectHead(effective.authority),
    };
    // The first backend is the Service itself.
    const budget = effective.backends[0]?.resilience?.retryBudget ?? null;
    if (entry !== undefined) {
      const isSaid = entry.current.target.egress !== null || effective.egress !== null;
      entry.current = compiled;
      if (isSaid) this.#onEgressChanged();
      entry.budget.use(budget);
      return entry;
    }
    const made = new TargetEntry(target.key, canonical(ip), compiled, this.#clock());
    made.budget.use(budget);
    this.#entries.set(target.key, made);
    return made;
  }

  /** Forgets targets that no connection has used for IDLE_TARGET_MS. Call now and then. */
  sweep(nowMs: number): void {
    for (const entry of this.#entries.values()) {
      if (entry.users > 0 || nowMs - entry.lastUsedMs < IDLE_TARGET_MS) continue;
      entry.unsubscribe?.();
      this.#entries.delete(entry.key);
      this.#upstreams.forget(entry.key);
    }
  }

  /** All entries, for /config. */
  all(): Iterable<TargetEntry> {
    return this.#entries.values();
  }
}

function canonical(text: string): string {
  const ip = parseIp(text);
  return ip === null ? text : formatIp(ip);
}

/** A destination that the mesh does not know: reached as it is, in plaintext, and counted as such. */
function passThrough({ key, version, egress }: OutboundTarget, ip: string, port: number): OutboundTarget {
  const ref = { ...NO_RESOURCE, kind: "default", name: "pass-through" };
  const endpoint: Endpoint = {
    ip,
    port,
    key,
    identity: "",
    meshPort: 0,
    zone: "",
    weight: 1,
    workload: "",
  };
  const backend: Backend = {
    ref,
    port,
    protocol: "detect",
    endpoints: [endpoint],
    defaultRttMs: DEFAULT_RTT_MS,
    decayMs: DEFAULT_DECAY_MS,
    breaker: { ...DEFAULT_BREAKER, consecutiveFailures: 0 }, // there is no other endpoint to turn to
    resilience: null,
    key: `pass-through/${key}`,
  };
  const rule: RouteRule = {
    ref,
    hostnames: [],
    matches: [],
    backends: [{ backend, weight: 1, filters: null }],
    totalWeight: 1,
    requestTimeoutMs: 0,
    backendTimeoutMs: 0,
    retry: null,
    requestHeaders: null,
    responseHeaders: null,
    plan: null,
  };
  return {
    key,
    version: `pass-through ${version}`,
    known: false,
    parent: ref,
    authority: key,
    port,
    protocol: "detect",
    routes: [rule],
    backends: [backend],
    streamRoutes: [],
    egress,
  };
}

function connectHead(authority: string): HeaderBlock {
  const start = { method: "CONNECT", scheme: "http", authority, path: "/", protocol: TCP_PROTOCOL, status: 0 };
  return headerBlock(start, []);
}
