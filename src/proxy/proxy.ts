/**
 * The data path, wired: three listeners over shared upstreams, fed by discovery and identity.
 *
 *   app → 4140 outbound ─┬→ upstreams ──mTLS──→ 4143 of other sidecars
 *                        └→ plaintext peers
 *   sidecars → 4143 mesh ─┐
 *   others → 4145 inbound ┴→ policy → application
 */
import type { InboundPolicy } from "../model/inbound.ts";
import type { OutboundTarget } from "../model/outbound.ts";
import type { SocketAddress } from "../net/orig_dst.ts";
import type { RawSocket, TlsOptions } from "../net/socket.ts";
import { Applications } from "./inbound/applications.ts";
import { ClientMarks } from "./inbound/client_marks.ts";
import type { Credentials } from "./credentials.ts";
import { Inbound } from "./inbound/inbound.ts";
import { InboundHttp } from "./inbound/inbound_http.ts";
import type { InboundMetrics } from "./observe/inbound_metrics.ts";
import {
  forwardName,
  INBOUND,
  type ListenAddress,
  type Listeners,
  MESH,
  OUTBOUND,
  OUTBOUND6,
} from "./connection/listeners.ts";
import { Live } from "./exchange/live.ts";
import { MeshAccept } from "./inbound/mesh_accept.ts";
import { EgressGate } from "./outbound/egress_gate.ts";
import type { Pins } from "./resolve/pins.ts";
import { Outbound } from "./outbound/outbound.ts";
import { OutboundHttp } from "./outbound/outbound_http.ts";
import type { OutboundMetrics } from "./observe/outbound_metrics.ts";
import { OutboundTargets, type TargetEntry } from "./outbound/outbound_targets.ts";
import { compileInbound, type InboundView } from "./policy/authorize.ts";
import { Revocation } from "./exchange/revoke.ts";
import { compileRoutes } from "./route/compile.ts";
import { SelfTest } from "./connection/self_test.ts";
import { Upstreams } from "./upstream/upstreams.ts";

/** What a proxy is told at its start. */
export interface ProxySettings {
  readonly outbound: ListenAddress;
  readonly mesh: ListenAddress;
  readonly inbound: ListenAddress;
  readonly adminPort: number;
  /** Where questions to nameservers come in, if names are pinned. */
  readonly dnsPort: number;
  /** Listeners with a fixed destination. */
  readonly forwards: readonly { readonly listen: ListenAddress; readonly target: ListenAddress }[];
  /** The workload's own addresses. */
  readonly addresses: readonly string[];
  /** How long requests wait for an endpoint while none can be reached. */
  readonly failFastAfterMs: number;
}

/** Where targets come from. */
export interface TargetSource {
  /** Resolves to the snapshot of a target, or to the reason why there is none. Bounded in time. */
  discover(key: string, timeoutMs: number): Promise<OutboundTarget | string>;
  /** Calls back for each new snapshot of a target until the returned function is called. */
  follow(key: string, listener: (target: OutboundTarget) => void): () => void;
}

export interface ProxyDeps {
  readonly settings: ProxySettings;
  readonly listeners: Listeners;
  readonly source: TargetSource;
  readonly credentials: Credentials;
  /** What the workload's nameserver has said; null where names are not pinned. */
  readonly pins: Pins | null;
  readonly outboundMetrics: OutboundMetrics;
  readonly inboundMetrics: InboundMetrics;
  /** Monotonic milliseconds. */
  clock(): number;
  /** Uniform in [0, 1). */
  random(): number;
}

/** Holds until the controller (or the disk) has said what is allowed: nobody but the node's probes of /ready gets in. */
const NOTHING_ALLOWED: InboundPolicy = {
  version: "",
  workload: "",
  identity: "",
  ports: new Map(),
  defaultPolicy: "deny",
  clusterNetworks: [],
  probeNetworks: [],
  zone: "",
};

export class Proxy {
  readonly upstreams: Upstreams;
  readonly targets: OutboundTargets;
  readonly outboundHttp: OutboundHttp;
  readonly live = new Live();
  readonly selfTest = new SelfTest();
  readonly #revocation = new Revocation(this.live);
  readonly #deps: ProxyDeps;
  readonly #policy: { current: InboundView } = { current: compileInbound(NOTHING_ALLOWED, compileRoutes) };
  readonly #applications: Applications;
  readonly #outbound: Outbound;
  readonly #inbound: Inbound;
  /** What the mesh listener uses. */
  #meshTls: TlsOptions | null = null;
  #draining = false;

  constructor(deps: ProxyDeps) {
    const { settings, credentials, clock, random } = deps;
    this.#deps = deps;
    const own = new Set(settings.addresses);
    this.upstreams = new Upstreams(credentials, own, clock, random, deps.outboundMetrics);
    this.targets = new OutboundTargets(this.upstreams, clock, () => this.#revocation.changed());
    this.#applications = new Applications(clock);
    const gate = new EgressGate(deps.pins, clock);
    this.outboundHttp = new OutboundHttp(this.upstreams, deps.outboundMetrics, settings.failFastAfterMs, clock, gate);
    const { live } = this;
    this.#outbound = new Outbound({
      targets: this.targets,
      upstreams: this.upstreams,
      pipeline: this.outboundHttp,
      gate,
      observer: deps.outboundMetrics,
      live,
      selfTest: this.selfTest,
      discover: (key, timeoutMs) => this.#discover(key, timeoutMs),
      isLoop: (address) => this.#isLoop(address),
      clock,
      random,
    });
    this.#inbound = new Inbound({
      policy: this.#policy,
      pipeline: new InboundHttp(deps.inboundMetrics),
      observer: deps.inboundMetrics,
      live,
      applications: this.#applications,
      marks: new ClientMarks(),
      draining: () => this.#draining,
      isOwnPort: (port) => this.#isOwnPort(port),
      clock,
      random,
    });
  }

  /** Opens the plain listeners that are not open yet; throws when an address cannot be bound. */
  start(): void {
    const { settings, listeners } = this.#deps;
    listeners.open(OUTBOUND, settings.outbound, (socket) => this.#outbound.accept(socket, null));
    if (settings.outbound.host === "127.0.0.1") this.#listenLoopback6(settings.outbound.port);
    listeners.open(INBOUND, settings.inbound, (socket) => this.#inbound.acceptPlain(socket));
    settings.forwards.forEach((forward, index) => {
      const target = { ip: forward.target.host, port: forward.target.port };
      listeners.open(forwardName(index), forward.listen, (socket) => this.#outbound.accept(socket, target));
    });
  }

  /**
   * Opens the mesh listener once there is a certificate, and gives it each new one; does nothing when it has that already.
   *
   * @returns false when it has to go on with the certificate before: no descriptor was left
   */
  startMesh(): boolean {
    const { settings, credentials, listeners } = this.#deps;
    const tls = credentials.serverTls();
    if (tls === null) return true;
    const listener = listeners.get(MESH);
    if (listener === null) {
      const accept = (socket: RawSocket) => new MeshAccept(this.#inbound, socket, credentials);
      if (!listeners.open(MESH, settings.mesh, accept, tls)) return true; // not given its socket yet
    } else if (tls !== this.#meshTls && !listener.renewTls(tls)) return false;
    this.#meshTls = tls;
    return true;
  }

  /** True once sidecars can connect. */
  get meshIsOpen(): boolean {
    return this.#deps.listeners.get(MESH) !== null;
  }

  get isDraining(): boolean {
    return this.#draining;
  }

  /** A new inbound policy is in force from the next decision on; what it does not permit is ended soon (revoke.ts). */
  usePolicy(policy: InboundPolicy): void {
    this.#policy.current = compileInbound(policy, compileRoutes);
    this.#revocation.changed();
    this.upstreams.zone = policy.zone;
    this.upstreams.self.identity = policy.identity;
  }

  /** The inbound policy in force, for /config. */
  get policy(): InboundPolicy {
    return this.#policy.current.policy;
  }

  /**
   * Drains: what runs finishes, sidecars are sent elsewhere. Calls back when the last connection has ended.
   * The application's own connections are still taken, for it may need them to finish its work.
   */
  drain(onDone: () => void): void {
    this.#draining = true;
    this.live.drain(onDone);
  }

  /**
   * Lets everything finish where another process has taken the listeners over; unlike with `drain` nothing is refused that
   * has arrived already. Calls back when the last connection has ended.
   */
  retire(onDone: () => void): void {
    this.live.drain(onDone, true);
  }

  /** Closes everything now. */
  close(): void {
    this.#deps.listeners.stop(true);
    this.upstreams.shutdown();
    this.#applications.shutdown();
  }

  /** Redirected IPv6 connections arrive on ::1; a machine without IPv6 has none. */
  #listenLoopback6(port: number): void {
    if (port === 0) return;
    try {
      this.#deps.listeners.open(OUTBOUND6, { host: "::1", port }, (socket) => this.#outbound.accept(socket, null));
    } catch {
      // No IPv6 here.
    }
  }

  async #discover(key: string, timeoutMs: number): Promise<TargetEntry | string> {
    const found = await this.#deps.source.discover(key, timeoutMs);
    if (typeof found === "string") return found;
    const address = addressOf(key);
    const entry = this.targets.put(found, address.host, address.port);
    entry.lastUsedMs = this.#deps.clock();
    entry.unsubscribe ??= this.#deps.source.follow(key, (target) => {
      this.targets.put(target, address.host, address.port);
    });
    return entry;
  }

  /** A connection that was not redirected has our own listener as its destination: dialling it would loop. */
  #isLoop(address: SocketAddress): boolean {
    const { settings } = this.#deps;
    const isOwn = address.ip.startsWith("127.") || address.ip === "::1" || settings.addresses.includes(address.ip);
    return isOwn && this.#isOwnPort(address.port);
  }

  #isOwnPort(port: number): boolean {
    const { settings } = this.#deps;
    if (this.#deps.pins !== null && port === settings.dnsPort) return true;
    return port === settings.outbound.port || port === settings.mesh.port || port === settings.inbound.port ||
      port === settings.adminPort;
  }
}

/** Splits "ip:port" or "[ip]:port". */
function addressOf(key: string): ListenAddress {
  const at = key.lastIndexOf(":");
  const host = key.slice(0, at);
  return { host: host.startsWith("[") ? host.slice(1, -1) : host, port: Number(key.slice(at + 1)) };
}
