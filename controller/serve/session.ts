/**
 * One proxy's discovery stream, without its transport: what it watches, what it was sent, what it said to that. Nothing is
 * queued but names, so a slow proxy skips to the newest version of each resource and costs no more than a quick one.
 */
import { Code, ConnectError } from "@connectrpc/connect";
import type { DirectorySource } from "../core/directory.ts";
import { parseTarget, type Target, TARGET_FORM } from "../core/target.ts";
import type { WorkloadRef } from "../core/snapshot.ts";
import type { Answer, Audience, Watcher } from "./audience.ts";
import { type Encoded, encodeInbound, encodeOutbound } from "./encode.ts";
import type { ServeMetrics } from "./metrics.ts";

/** Most targets of one proxy: a client talks to tens; a proxy that names more is relaying a port scan, and each costs memory here. */
export const MAX_TARGETS = 4096;
/** Longest reason of a refusal that is kept, characters. */
const MAX_REASON = 1024;
export const INBOUND = "inbound";

/** A snapshot to send. */
export interface Push extends Encoded {
  readonly name: string;
}

/** What a proxy said about a resource. */
export interface ResourceStatus {
  readonly name: string;
  readonly sent: string;
  /** Version in force, empty before the first ack. */
  readonly inForce: string;
  readonly refused: { readonly version: string; readonly reason: string; readonly atMs: number } | null;
}

/** A resource as one proxy has it. */
class ResourceState implements Watcher {
  readonly name: string;
  readonly target: Target | null;
  /** What was read last; null before, and while there is none. */
  answer: Answer | null = null;
  sent: string;
  inForce: string;
  refused: ResourceStatus["refused"] = null;
  readonly #onTouched: (state: ResourceState) => void;

  constructor(name: string, target: Target | null, known: string, onTouched: (state: ResourceState) => void) {
    this.name = name;
    this.target = target;
    this.sent = known;
    this.inForce = known;
    this.#onTouched = onTouched;
  }

  onTouched(): void {
    this.#onTouched(this);
  }
}

export interface SessionOptions {
  readonly workload: WorkloadRef;
  /** SPIFFE ID of the certificate the proxy connected with. */
  readonly identity: string;
  readonly proxyVersion: string;
  /** Resource name → version the proxy still has. */
  readonly known: ReadonlyMap<string, string>;
  readonly source: DirectorySource;
  /** Of the source. */
  readonly audience: Audience;
  readonly metrics: ServeMetrics;
  /** Wall clock, milliseconds since 1970. */
  readonly now: () => number;
  /** Called for each refusal. */
  readonly onRefusal: (session: ProxySession, name: string, version: string, reason: string) => void;
}

export class ProxySession {
  readonly workload: WorkloadRef;
  readonly identity: string;
  readonly proxyVersion: string;
  readonly startedMs: number;
  readonly #options: SessionOptions;
  readonly #known: Map<string, string>;
  readonly #resources = new Map<string, ResourceState>();
  /** Names whose content may have changed since it was sent, in order of asking. */
  readonly #pending = new Set<string>();
  #changedMs: number | null = null;
  #wake: (() => void) | null = null;
  #end: ConnectError | "done" | null = null;

  /** @throws ConnectError when the workload is not the caller's */
  constructor(options: SessionOptions) {
    this.#options = options;
    this.workload = options.workload;
    this.identity = options.identity;
    this.proxyVersion = options.proxyVersion.slice(0, 64);
    this.startedMs = options.now();
    if (options.known.size > MAX_TARGETS + 1) throw tooMany(options.known.size);
    this.#known = new Map(options.known);
    const refusal = this.#ownership();
    if (refusal !== null) throw refusal;
    this.#add(INBOUND, null);
  }

  /** Number of targets watched. */
  get targets(): number {
    return this.#resources.size - 1;
  }

  /** Adds and removes targets. @throws ConnectError when one is malformed or there are too many */
  watch(add: readonly string[], remove: readonly string[]): void {
    for (const text of remove) this.#remove(`outbound/${text}`);
    for (const text of add) {
      const target = parseTarget(text);
      if (target === null) {
        throw new ConnectError(`found ${JSON.stringify(text.slice(0, 80))}, want ${TARGET_FORM}`, Code.InvalidArgument);
      }
      const name = `outbound/${text}`;
      if (this.#resources.has(name)) continue;
      if (this.targets >= MAX_TARGETS) throw tooMany(this.targets + 1);
      this.#add(name, target);
    }
    this.#wakeUp();
  }

  /** Records what became of a snapshot. Words about resources that are not watched (any more) are passed over. */
  ack(name: string, version: string, error: string): void {
    const state = this.#resources.get(name);
    const { metrics, now, onRefusal } = this.#options;
    if (error !== "") metrics.nacks.add();
    else metrics.acks.add();
    if (state === undefined) return;
    const shortVersion = version.slice(0, 64);
    if (error === "") {
      state.inForce = shortVersion;
      state.refused = null;
    } else {
      const reason = error.slice(0, MAX_REASON);
      state.refused = { version: shortVersion, reason, atMs: now() };
      onRefusal(this, name, shortVersion, reason);
    }
  }

  /** The next snapshot; null when the stream is over in good order. @throws ConnectError with which the stream is to end */
  async next(): Promise<Push | null> {
    while (true) {
      if (this.#end === "done") return null;
      if (this.#end !== null) throw this.#end;
      const push = this.#take();
      if (push !== null) return push;
      await new Promise<void>((resolve) => this.#wake = resolve);
    }
  }

  /** Ends the stream: in good order without an error. */
  end(error: ConnectError | null): void {
    this.#end ??= error ?? "done";
    for (const state of this.#resources.values()) this.#options.audience.leave(state, state.answer);
    this.#wakeUp();
  }

  /** Every resource with its versions, for /config. */
  status(): ResourceStatus[] {
    return [...this.#resources].map(([name, { sent, inForce, refused }]) => ({ name, sent, inForce, refused }));
  }

  #add(name: string, target: Target | null): void {
    const known = this.#known.get(name) ?? "";
    this.#known.delete(name);
    this.#resources.set(name, new ResourceState(name, target, known, this.#onTouched));
    this.#pending.add(name);
  }

  #remove(name: string): void {
    const state = this.#resources.get(name);
    if (state === undefined) return;
    this.#options.audience.leave(state, state.answer);
    this.#resources.delete(name);
    this.#pending.delete(name);
  }

  /** One function for all resources: there are thousands of them. */
  readonly #onTouched = ({ name, target }: ResourceState): void => {
    if (this.#end !== null) return;
    this.#pending.add(name);
    if (target === null) {
      const refusal = this.#ownership();
      if (refusal !== null && refusal.code === Code.PermissionDenied) return this.end(refusal);
      // Its own workload is another now: that may be on another node, and be told of other endpoints.
      for (const each of this.#resources.keys()) this.#pending.add(each);
    }
    this.#changedMs ??= performance.now();
    this.#wakeUp();
  };

  #wakeUp(): void {
    const wake = this.#wake;
    this.#wake = null;
    wake?.();
  }

  /** The first pending resource whose content the proxy does not have. */
  #take(): Push | null {
    const { metrics } = this.#options;
    for (const name of this.#pending) {
      this.#pending.delete(name);
      const state = this.#resources.get(name);
      if (state === undefined) continue;
      const encoded = this.#encode(state);
      if (encoded === null || encoded.version === state.sent) continue;
      state.sent = encoded.version;
      metrics.responses.add({ kind: state.target === null ? "inbound" : "outbound" });
      if (this.#changedMs !== null) metrics.pushSeconds.observe((performance.now() - this.#changedMs) / 1000);
      return { name, ...encoded };
    }
    this.#changedMs = null;
    return null;
  }

  /** null: the workload is gone; its proxy keeps what it has until it goes too. */
  #encode(state: ResourceState): Encoded | null {
    const { source, audience } = this.#options;
    const { target, answer } = state;
    const { namespace, name } = this.workload;
    if (target !== null) {
      const outbound = source.current.outbound(target, namespace, name);
      audience.move(state, answer, state.answer = outbound);
      return encodeOutbound(outbound);
    }
    const inbound = source.current.inbound(namespace, name);
    audience.move(state, answer, state.answer = inbound);
    return inbound === null ? null : encodeInbound(inbound);
  }

  /** Whether the workload is the one whose identity the proxy has proved. */
  #ownership(): ConnectError | null {
    const { namespace, name } = this.workload;
    const inbound = this.#options.source.current.inbound(namespace, name);
    if (inbound === null) {
      const detail =
        `no workload ${namespace}/${name} is in the configuration: check TULLE_WORKLOAD_NAMESPACE and _NAME`;
      return new ConnectError(`${detail}, and /config of the controller for refused files`, Code.NotFound);
    }
    if (inbound.identity === this.identity) return null;
    const detail =
      `workload ${namespace}/${name} has the identity ${inbound.identity}, the certificate says ${this.identity}`;
    return new ConnectError(detail, Code.PermissionDenied);
  }
}

function tooMany(found: number): ConnectError {
  const detail = `found ${found} targets, want at most ${MAX_TARGETS}: forget those that are idle`;
  return new ConnectError(detail, Code.ResourceExhausted);
}
