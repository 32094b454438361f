/** The clients that have connections to this workload: what counts for each of them together. */
import { ChurningMap } from "../../base/churning_map.ts";
import { mayHold } from "../../base/fair_share.ts";
import { IdleConnections } from "../../http/idle_connections.ts";
import { PeerShare } from "../../http/waiting_budget.ts";
import { MAX_INBOUND_REQUESTS, RequestBudget, RequestShare } from "../exchange/request_share.ts";

/** A client, by its identity, or by its address where it has none. */
export class Peer {
  readonly key: string;
  /** What waits for it. */
  readonly share: PeerShare;
  readonly requests: RequestShare;
  connections = 0;

  constructor(key: string, requests: RequestBudget) {
    this.key = key;
    this.share = new PeerShare("inbound", key);
    this.requests = new RequestShare(requests);
  }
}

const NONE = new IdleConnections();

export class Peers {
  readonly #all = new ChurningMap<Peer>();
  readonly #requests = new RequestBudget(MAX_INBOUND_REQUESTS);

  /** The peer with one more connection; `leave` ends it. */
  enter(key: string): Peer {
    let peer = this.#all.get(key);
    if (peer === undefined) {
      peer = new Peer(key, this.#requests);
      this.#all.set(key, peer);
    }
    peer.connections++;
    return peer;
  }

  /** One of its connections has ended. */
  leave(peer: Peer): void {
    if (--peer.connections === 0) this.#all.delete(peer.key);
  }

  /** Connections of a peer on which it asks for nothing. */
  idle(key: string): IdleConnections {
    return this.#all.get(key)?.share.idle ?? NONE;
  }

  /**
   * Whether a peer may have a further connection.
   *
   * @param used sockets that all have
   * @param most sockets there may be
   */
  mayEnter(key: string, used: number, most: number): boolean {
    return mayHaveConnection(this.#all.get(key)?.connections ?? 0, used, most);
  }

  /** Whether that will soon not be so. */
  isNearlyFull(key: string, used: number, most: number): boolean {
    return isNearlyFull(this.#all.get(key)?.connections ?? 0, used, most);
  }
}

/** A peer may have three times as many connections as are free: one alone three quarters, for gateways bring the clients of many. */
const CONNECTION_WEIGHT = 3;

/**
 * So many more (1/64 of all there may be) must find room before idle ones are closed, so that there is some when suddenly
 * all are in use: nginx begins when a sixteenth of its connections is left, and this is a fifteenth of what one may have.
 */
const SPARE_SHIFT = 6;

/** Whether somebody who has `held` connections may have one more of `most`, of which `used` are there, the new one included. */
export function mayHaveConnection(held: number, used: number, most: number): boolean {
  return mayHold(held + 1, used, most, CONNECTION_WEIGHT);
}

/** Whether there is little room for more than that. */
export function isNearlyFull(held: number, used: number, most: number): boolean {
  const spare = most >> SPARE_SHIFT;
  return !mayHaveConnection(held + spare, used + spare, most);
}
