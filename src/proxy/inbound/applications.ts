/** The application beside this proxy, port by port: it is dialled at the pod's own address, never at loopback. */
import { hostPort } from "../../base/ip.ts";
import { type Backend, DEFAULT_DECAY_MS, DEFAULT_RTT_MS, type Endpoint } from "../../model/outbound.ts";
import { NO_RESOURCE } from "../../model/resource.ts";
import { EndpointState } from "../upstream/endpoint_state.ts";
import type { MeshCredentials } from "../upstream/mesh_dial.ts";

/** Ports remembered; beyond it (a scan) the oldest are given up. */
const MAX_APPLICATIONS = 256;
const NO_CREDENTIALS: MeshCredentials = {
  clientTls: () => null,
  onCut: () => {},
  verifyPeer: () => ({ ok: false, code: "plain", reason: "the application is reached in plaintext" }),
};

export class Applications {
  readonly #states = new Map<string, EndpointState>();
  readonly #clock: () => number;

  constructor(clock: () => number) {
    this.#clock = clock;
  }

  /** The application on an address of this pod. */
  get(ip: string, port: number): EndpointState {
    const key = hostPort(ip, port);
    let state = this.#states.get(key);
    if (state === undefined) {
      if (this.#states.size >= MAX_APPLICATIONS) this.#dropOldest();
      const endpoint: Endpoint = { ip, port, key, identity: "", meshPort: 0, zone: "", weight: 1, workload: "" };
      state = new EndpointState(endpoint, backendOf(endpoint), false, key, NO_CREDENTIALS, this.#clock());
      this.#states.set(key, state);
    }
    return state;
  }

  /** Closes idle connections; the others when they are done. */
  shutdown(): void {
    for (const state of this.#states.values()) state.shutdown();
  }

  #dropOldest(): void {
    for (const [key, state] of this.#states) {
      if (state.pending > 0) continue;
      this.#states.delete(key);
      return state.shutdown();
    }
  }
}

function backendOf(endpoint: Endpoint): Backend {
  return {
    ref: { ...NO_RESOURCE, kind: "application", name: endpoint.key },
    port: endpoint.port,
    protocol: "detect",
    endpoints: [endpoint],
    defaultRttMs: DEFAULT_RTT_MS,
    decayMs: DEFAULT_DECAY_MS,
    breaker: { consecutiveFailures: 0, minPenaltyMs: 0, maxPenaltyMs: 0 }, // there is no other one to turn to
    resilience: null,
    key: endpoint.key,
  };
}
