/**
 * The two inbound listeners.
 *
 *   mesh (4143): TLS 1.3 → identity of the client → TransportHeader → authorise → reply → HTTP/2 → InboundHttp | tunnel
 *   plain (4145): original destination → authorise → detect → InboundHttp | tunnel
 */
import { resetConnection } from "../../net/reset.ts";
import type { SocketAddress } from "../../net/orig_dst.ts";
import { originalDestination } from "../../net/orig_dst.ts";
import type { ConnectionStats } from "../../net/connection_stats.ts";
import { probeSilentPeer } from "../../net/dead_peer.ts";
import type { RawSocket, SocketOwner } from "../../net/socket.ts";
import { HeadCache } from "../../wire/http1/head_cache.ts";
import type { RequestHead } from "../../wire/http1/request_head.ts";
import type { Applications } from "./applications.ts";
import type { ClientMarks } from "./client_marks.ts";
import { InboundClient, type InboundPolicyHolder } from "./inbound_client.ts";
import { InboundConnection } from "./inbound_connection.ts";
import type { InboundHttp } from "./inbound_http.ts";
import type { Live } from "../exchange/live.ts";
import type { InboundObserver } from "../observe/observe.ts";
import { Handshakes } from "../connection/handshakes.ts";
import { makeRoom } from "../connection/admission.ts";
import { Peers } from "../connection/peers.ts";
import { refuseConnection } from "../connection/refused_connection.ts";

export interface InboundDeps {
  readonly policy: InboundPolicyHolder;
  readonly pipeline: InboundHttp;
  readonly observer: InboundObserver;
  readonly live: Live;
  readonly applications: Applications;
  readonly marks: ClientMarks;
  /** The proxy takes no new connections. */
  draining(): boolean;
  /** True for ports of this proxy, which are never reachable through it. */
  isOwnPort(port: number): boolean;
  clock(): number;
  random(): number;
}

export class Inbound {
  readonly deps: InboundDeps;
  readonly heads = new HeadCache<RequestHead>();
  readonly peers = new Peers();
  readonly handshakes = new Handshakes();

  constructor(deps: InboundDeps) {
    this.deps = deps;
  }

  /**
   * Whether a peer may have one more connection, or stream that is one, if need be for idle ones of its own that are
   * closed; says so when it may not.
   */
  mayEnter(key: string): boolean {
    const { peers, deps: { live, observer } } = this;
    makeRoom(peers.idle(key), () => peers.isNearlyFull(key, live.sockets, live.mostSockets), observer, key);
    if (peers.mayEnter(key, live.sockets, live.mostSockets)) return true;
    observer.onRefused("connection_share", "too many of the connections there may be are this client's", key);
    return false;
  }

  /** Takes a plain, redirected connection. */
  acceptPlain(socket: RawSocket): SocketOwner {
    return new PlainAccept(this, socket);
  }

  /**
   * Makes the client of a connection.
   *
   * @param address address of this workload that was dialled
   * @param identity verified SPIFFE ID, or null
   */
  client(address: SocketAddress, peerIp: string, identity: string | null, isMesh: boolean): InboundClient {
    const { policy, applications, marks } = this.deps;
    const application = applications.get(address.ip, address.port);
    return new InboundClient(
      policy,
      address.port,
      { ip: peerIp, identity },
      isMesh,
      marks.get(identity ?? ""),
      application,
    );
  }
}

/** IPv4 addresses arrive as IPv6 on a dual-stack listener. */
export function plainIp(ip: string): string {
  return ip.startsWith("::ffff:") && ip.includes(".") ? ip.slice(7) : ip;
}

class PlainAccept implements SocketOwner {
  stats: ConnectionStats | null = null;
  readonly #inbound: Inbound;
  readonly #socket: RawSocket;

  constructor(inbound: Inbound, socket: RawSocket) {
    this.#inbound = inbound;
    this.#socket = socket;
  }

  onOpen(socket: RawSocket): void {
    const { deps } = this.#inbound;
    const peer = plainIp(socket.remoteAddress);
    makeRoom(this.#inbound.peers.idle(peer), () => deps.live.refusal(socket.fd) !== null, deps.observer, peer);
    const refusal = deps.live.refusal(socket.fd);
    if (refusal !== null) {
      deps.observer.onTcpError(refusal.code);
      const target = originalDestination(socket.fd, peer.includes(":"));
      const mayBeHttp = target !== null && mayAnswer(this.#inbound.client(target, peer, null, false));
      return refuseConnection(socket, refusal, mayBeHttp);
    }
    if (!this.#inbound.mayEnter(peer)) return resetConnection(socket);
    probeSilentPeer(socket);
    const address = originalDestination(socket.fd, peer.includes(":"));
    if (address === null || deps.isOwnPort(address.port)) {
      deps.observer.onTcpError("bad_request");
      return resetConnection(socket);
    }
    const client = this.#inbound.client(address, peer, null, false);
    const verdict = client.policy().connection;
    if (verdict.kind === "deny" && !mayAnswer(client)) {
      deps.observer.onTcpVerdict(client, verdict);
      deps.observer.onTcpError("forbidden");
      return resetConnection(socket);
    }
    new InboundConnection(this.#inbound, this.#socket, client).startPlain();
  }

  onHandshake(_socket: RawSocket, _ok: boolean, _error: Error | null): void {}

  onConnectFailed(_error: Error): void {}

  onData(_buffer: Buffer): void {}

  onDrain(): void {}

  onEnd(): void {}

  onClose(_error: Error | null): void {}
}

/** A port that may speak HTTP: its clients are refused by 403 with the reason instead of a reset. */
function mayAnswer(client: InboundClient): boolean {
  return client.portPolicy().spec.protocol !== "opaque";
}
