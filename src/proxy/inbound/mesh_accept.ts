/**
 * A connection on the mesh port, until the client may speak: handshake → identity → TransportHeader → policy → reply.
 * Nothing reaches the application before all of them are satisfied.
 */
import { Timer, type TimerOwner } from "../../base/timer_wheel.ts";
import { PartialBytes } from "../../http/partial_bytes.ts";
import type { ConnectionStats } from "../../net/connection_stats.ts";
import { limitUnacknowledged, probeSilentPeer } from "../../net/dead_peer.ts";
import type { RawSocket, SocketOwner } from "../../net/socket.ts";
import { arm, disarm } from "../../net/ticker.ts";
import { type Inbound, plainIp } from "./inbound.ts";
import { InboundConnection } from "./inbound_connection.ts";
import type { LifeSpan } from "../../net/connection_life.ts";
import {
  CODE_BAD_HEADER,
  CODE_DENIED,
  CODE_NAMES,
  CODE_OK,
  CODE_OVERLOADED,
  decodeTransportHeader,
  encodeTransportReply,
  PROTOCOL_HTTP2,
  type TransportCode,
  type TransportHeader,
} from "../mtls/transport.ts";
import type { MeshCredentials } from "../upstream/mesh_dial.ts";

/** From accept to the header: a handshake takes a millisecond, a slow one is an attack or a dead peer. */
export const HANDSHAKE_TIMEOUT_MS = 5000;

export class MeshAccept implements SocketOwner, TimerOwner {
  stats: ConnectionStats | null = null;
  readonly #inbound: Inbound;
  readonly #socket: RawSocket;
  readonly #credentials: MeshCredentials;
  readonly #timer = new Timer(this, 0);
  readonly #received = new PartialBytes();
  #identity: string | null = null;
  #life: LifeSpan | null = null;
  #done = false;
  #counted = false;
  #ip = "";

  constructor(inbound: Inbound, socket: RawSocket, credentials: MeshCredentials) {
    this.#inbound = inbound;
    this.#socket = socket;
    this.#credentials = credentials;
  }

  onOpen(socket: RawSocket): void {
    const refusal = this.#inbound.deps.live.refusal(socket.fd);
    if (refusal !== null) {
      this.#done = true;
      this.#inbound.deps.observer.onRefusedPeer(refusal.code, refusal.detail);
      return void socket.terminate();
    }
    this.#ip = plainIp(socket.remoteAddress);
    if (!this.#inbound.handshakes.enter(this.#ip)) {
      this.#done = true;
      this.#inbound.deps.observer.onRefusedPeer("handshake_share", `too many handshakes of ${this.#ip} at a time`);
      return void socket.terminate();
    }
    this.#counted = true;
    this.#inbound.deps.live.arrive();
    probeSilentPeer(socket);
    limitUnacknowledged(socket);
    arm(this.#timer, HANDSHAKE_TIMEOUT_MS);
  }

  onHandshake(socket: RawSocket, ok: boolean, error: Error | null): void {
    if (this.#done) return;
    const peer = this.#credentials.verifyPeer(socket, ok, error);
    if (!peer.ok) return this.#refuse(peer.code, peer.reason);
    this.#identity = peer.spiffeId;
    this.#life = peer.life;
  }

  onData(buffer: Buffer): void {
    if (this.#done) return;
    const identity = this.#identity;
    if (identity === null) return this.#refuse("unverified", "data before the handshake was verified");
    this.#received.append(buffer, 0, buffer.length);
    const header = decodeTransportHeader(this.#received.buffer, this.#received.length);
    if (header === null) return;
    if (typeof header === "string") return this.#reply(CODE_BAD_HEADER, header, false);
    this.#admit(header.message, identity, header.next);
  }

  onDrain(): void {}

  onEnd(): void {
    this.#end();
    this.#socket.end();
  }

  onConnectFailed(_error: Error): void {}

  onClose(_error: Error | null): void {
    this.#end();
  }

  onTimer(_kind: number): void {
    this.#refuse("handshake_timeout", `no transport header within ${HANDSHAKE_TIMEOUT_MS} ms`);
  }

  #admit(header: TransportHeader, identity: string, next: number): void {
    const { deps } = this.#inbound;
    const socket = this.#socket;
    const { port } = header;
    if (header.protocol !== PROTOCOL_HTTP2) {
      return this.#reply(CODE_BAD_HEADER, `protocol ${header.protocol} is not known`, false);
    }
    if (port < 1 || port > 65535) return this.#reply(CODE_BAD_HEADER, `port ${port} is out of range`, false);
    if (deps.isOwnPort(port)) return this.#reply(CODE_BAD_HEADER, `port ${port} belongs to the proxy`, false);
    if (deps.draining()) return this.#reply(CODE_OVERLOADED, "this proxy is shutting down", true);
    const ip = plainIp(socket.localAddress);
    const client = this.#inbound.client({ ip, port }, plainIp(socket.remoteAddress), identity, true);
    const verdict = client.policy().connection;
    if (verdict.kind === "deny" && client.portPolicy().spec.protocol === "opaque") {
      deps.observer.onTcpVerdict(client, verdict);
      return this.#reply(CODE_DENIED, verdict.told, false);
    }
    if (!this.#inbound.mayEnter(identity)) {
      return this.#reply(CODE_OVERLOADED, "too many of the connections there may be are this client's", true);
    }
    deps.observer.onTransportHeader("ok");
    socket.write(encodeTransportReply(CODE_OK, "", false));
    const connection = new InboundConnection(this.#inbound, socket, client);
    this.#end(); // now that it is alive as a connection
    const { buffer, length } = this.#received;
    connection.startMesh(buffer.subarray(next, length));
    if (this.#life !== null) connection.limitLife(this.#life, () => this.#credentials.onCut());
  }

  #reply(code: TransportCode, reason: string, retryable: boolean): void {
    if (this.#done) return;
    this.#end();
    this.#inbound.deps.observer.onRefusedPeer(CODE_NAMES[code], reason);
    this.#socket.write(encodeTransportReply(code, reason, retryable));
    this.#socket.end();
  }

  #refuse(code: string, detail: string): void {
    if (this.#done) return;
    this.#end();
    this.#inbound.deps.observer.onRefusedPeer(code, detail);
    this.#socket.terminate();
  }

  #end(): void {
    this.#done = true;
    if (this.#counted) {
      this.#counted = false;
      this.#inbound.handshakes.leave(this.#ip);
      this.#inbound.deps.live.arrived();
    }
    disarm(this.#timer);
  }
}
