/**
 * Opens a connection to the sidecar of an endpoint: TCP → TLS 1.3 → its identity is checked → TransportHeader → reply.
 * Nothing of a request is written before the reply says that it is welcome.
 */
import { Timer, type TimerOwner } from "../../base/timer_wheel.ts";
import { PartialBytes } from "../../http/partial_bytes.ts";
import type { Endpoint } from "../../model/outbound.ts";
import { type ConnectionCounters, type ConnectionStats, countConnection } from "../../net/connection_stats.ts";
import { limitUnacknowledged } from "../../net/dead_peer.ts";
import { openSockets } from "../../net/open_sockets.ts";
import { dial, type RawSocket, type SocketOwner, type TlsOptions } from "../../net/socket.ts";
import { arm, disarm } from "../../net/ticker.ts";
import {
  CODE_DENIED,
  CODE_OK,
  CODE_UNREACHABLE,
  decodeTransportReply,
  encodeTransportHeader,
  type TransportReply,
} from "../mtls/transport.ts";
import type { LifeSpan } from "../../net/connection_life.ts";
import { type Failure, ownFailure, unsent } from "./failure.ts";

/** From the first SYN to the reply. Linkerd's connect timeout is 1 s for TCP alone; the handshake under load takes its own. */
const MESH_CONNECT_TIMEOUT_MS = 3000;

const CLOSED =
  "closed before it replied: it does not trust this proxy's certificate, or has no room; its log says which";

/** What a proxy needs to prove itself and to check its peers; the certificate may change at any time. */
export interface MeshCredentials {
  /** A connection was cut off because its certificates had expired. */
  onCut(): void;
  /** TLS parameters of the present certificate, or null while there is none. */
  clientTls(): TlsOptions | null;
  /** Checks the peer after the handshake: its SPIFFE ID, or why it is refused. */
  verifyPeer(socket: RawSocket, ok: boolean, error: Error | null):
    | { readonly ok: true; readonly spiffeId: string; readonly life: LifeSpan }
    | { readonly ok: false; readonly code: string; readonly reason: string };
}

/** Gets the outcome. */
export interface MeshDialOwner {
  /** `early` holds bytes that came behind the reply; `life` is how long the certificates allow the connection to be. */
  onConnected(socket: RawSocket, early: Uint8Array | null, life: LifeSpan): void;
  onDialFailed(failure: Failure): void;
}

export class MeshDial implements SocketOwner, TimerOwner {
  readonly #endpoint: Endpoint;
  readonly #target: string;
  readonly #credentials: MeshCredentials;
  readonly #counters: ConnectionCounters | null;
  readonly #owner: MeshDialOwner;
  readonly #timer = new Timer(this, 0);
  stats: ConnectionStats | null = null;
  readonly #received = new PartialBytes();
  #socket: RawSocket | null = null;
  /** Null until the peer is verified. */
  #life: LifeSpan | null = null;
  #done = false;

  /** @param counters counts the connection, null for nobody */
  constructor(
    endpoint: Endpoint,
    target: string,
    credentials: MeshCredentials,
    owner: MeshDialOwner,
    counters: ConnectionCounters | null = null,
  ) {
    this.#counters = counters;
    this.#endpoint = endpoint;
    this.#target = target;
    this.#credentials = credentials;
    this.#owner = owner;
  }

  /** Begins; the outcome arrives at the owner, never before this returns when it is a connection. */
  start(): void {
    const tls = this.#credentials.clientTls();
    if (tls === null) return this.#fail(unsent("tls_failed", "this proxy has no certificate yet"));
    const lack = openSockets.noRoomToDial();
    if (lack !== null) return this.#fail(unsent("no_descriptors", lack));
    arm(this.#timer, MESH_CONNECT_TIMEOUT_MS);
    dial(this.#endpoint.ip, this.#endpoint.meshPort, this, tls);
  }

  onOpen(socket: RawSocket): void {
    this.#socket = socket;
    if (this.#done) return void socket.terminate();
    socket.setNoDelay(true);
    limitUnacknowledged(socket);
  }

  onHandshake(socket: RawSocket, ok: boolean, error: Error | null): void {
    if (this.#done) return;
    this.#socket = socket;
    const peer = this.#credentials.verifyPeer(socket, ok, error);
    if (!peer.ok) return this.#fail(unsent("tls_failed", `${this.#where()}: ${peer.reason}`));
    if (peer.spiffeId !== this.#endpoint.identity) {
      const detail = `${this.#where()} proved ${peer.spiffeId}, want ${this.#endpoint.identity}`;
      return this.#fail(unsent("identity_mismatch", detail));
    }
    this.#life = peer.life;
    socket.write(encodeTransportHeader(this.#endpoint.port, this.#target));
  }

  onData(buffer: Buffer): void {
    const life = this.#life;
    if (this.#done || life === null) return;
    this.#received.append(buffer, 0, buffer.length);
    const { buffer: bytes, length } = this.#received;
    const reply = decodeTransportReply(bytes, length);
    if (reply === null) return;
    if (typeof reply === "string") return this.#fail(unsent("tls_failed", `${this.#where()}: ${reply}`));
    const refusal = refusalOf(reply.message, this.#where());
    if (refusal !== null) return this.#fail(refusal);
    this.#done = true;
    disarm(this.#timer);
    const socket = this.#socket as RawSocket; // data came from it
    if (this.#counters !== null) this.stats = countConnection(socket, this.#counters);
    const early = reply.next < length ? bytes.subarray(reply.next, length) : null;
    this.#owner.onConnected(socket, early, life);
  }

  onDrain(): void {}

  onEnd(): void {
    this.#fail(
      unsent("tls_failed", `${this.#where()} ${CLOSED}`),
    );
  }

  onClose(error: Error | null): void {
    const why = error === null ? CLOSED : error.message;
    this.#fail(unsent("tls_failed", `${this.#where()} ${why}`));
  }

  onConnectFailed(error: Error): void {
    const own = ownFailure(error, this.#endpoint.ip);
    this.#fail(own ?? unsent("connect_failed", `${this.#where()}: ${error.message}`));
  }

  onTimer(_kind: number): void {
    this.#fail(unsent("connect_timeout", `${this.#where()}: no reply within ${MESH_CONNECT_TIMEOUT_MS} ms`));
  }

  #where(): string {
    return `sidecar ${this.#endpoint.ip}:${this.#endpoint.meshPort}`;
  }

  #fail(failure: Failure): void {
    if (this.#done) return;
    this.#done = true;
    disarm(this.#timer);
    this.#socket?.terminate();
    this.#owner.onDialFailed(failure);
  }
}

function refusalOf(reply: TransportReply, where: string): Failure | null {
  const detail = `${where}: ${reply.reason}`;
  switch (reply.code) {
    case CODE_OK:
      return null;
    case CODE_DENIED:
      return unsent("denied", detail);
    case CODE_UNREACHABLE:
      return unsent("unreachable", detail);
    default:
      return unsent("overloaded", detail);
  }
}
