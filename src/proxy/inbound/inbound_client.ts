/** A client of this workload on one of its ports: who it is, what it may do, and the application it gets to. */
import type { ClientPolicy, InboundView, PortPolicy } from "../policy/authorize.ts";
import type { PeerClient } from "../policy/credentials.ts";
import type { FlowMemo } from "../observe/flows.ts";
import type { ClientMark } from "../exchange/header_edits.ts";
import type { EndpointState } from "../upstream/endpoint_state.ts";

/** Holds the policy in force; swapped when a new one arrives. */
export interface InboundPolicyHolder {
  current: InboundView;
}

export class InboundClient {
  readonly port: number;
  readonly peer: PeerClient;
  /** The connection comes from a sidecar. */
  readonly isMesh: boolean;
  readonly mark: ClientMark;
  readonly application: EndpointState;
  /** Equal for clients that metrics do not tell apart. */
  readonly seriesKey: string;
  /** Memo: metric series of this client under a verdict, valid while `seriesVerdict` is that verdict. */
  seriesVerdict: object | null = null;
  series: unknown = null;
  /** Memo of the facts that are kept of its requests. */
  flows: FlowMemo | null = null;
  readonly #holder: InboundPolicyHolder;
  #view: InboundView;
  #port: PortPolicy;
  #policy: ClientPolicy;

  constructor(
    holder: InboundPolicyHolder,
    port: number,
    peer: PeerClient,
    isMesh: boolean,
    mark: ClientMark,
    application: EndpointState,
  ) {
    this.#holder = holder;
    this.port = port;
    this.peer = peer;
    this.isMesh = isMesh;
    this.mark = mark;
    this.application = application;
    this.seriesKey = `${isMesh} ${peer.identity ?? ""} ${application.endpoint.key}`;
    this.#view = holder.current;
    this.#port = this.#view.port(port);
    this.#policy = this.#port.forClient(peer);
  }

  /** The policy of the port in force. */
  portPolicy(): PortPolicy {
    this.policy();
    return this.#port;
  }

  /** The decisions of the policy in force: one look-up when it has changed, none otherwise. */
  policy(): ClientPolicy {
    const view = this.#holder.current;
    if (view !== this.#view) {
      this.#view = view;
      this.#port = view.port(this.port);
      this.#policy = this.#port.forClient(this.peer);
    }
    return this.#policy;
  }
}
