/** This workload's identity as the data path uses it: to prove itself, and to say who peers are. */
import type { Identity } from "../identity/identity.ts";
import { verifyPeer } from "../identity/verify.ts";
import { MESH_SERVER_NAME } from "../model/trust.ts";
import { type RawSocket, TLS_1_3, type TlsOptions } from "../net/socket.ts";
import { lifeSpan } from "../net/connection_life.ts";
import { MESH_ALPN } from "./mtls/transport.ts";
import type { MeshCredentials } from "./upstream/mesh_dial.ts";

export class Credentials implements MeshCredentials {
  readonly #now: () => number;
  readonly #random: () => number;
  readonly #graceMs: number;
  readonly #onCut: () => void;
  #identity: Identity | null = null;
  #client: TlsOptions | null = null;
  #server: TlsOptions | null = null;

  /**
   * @param now wall clock, milliseconds since the epoch
   * @param random in [0, 1)
   * @param graceMs how long connections may outlive their certificates
   * @param onCut one has, and was cut off
   */
  constructor(now: () => number, random: () => number, graceMs: number, onCut: () => void) {
    this.#now = now;
    this.#random = random;
    this.#graceMs = graceMs;
    this.#onCut = onCut;
  }

  /** A certificate or the roots have changed: connections from here on use them, live ones go on. */
  use(identity: Identity): void {
    this.#identity = identity;
    this.#client = {
      key: identity.keyPem,
      cert: identity.certPem,
      ca: identity.caPem,
      serverName: MESH_SERVER_NAME,
      ALPNProtocols: MESH_ALPN,
      rejectUnauthorized: true,
      minVersion: TLS_1_3,
    };
    const { serverName: _, ...server } = this.#client;
    this.#server = { ...server, requestCert: true };
  }

  /** SPIFFE ID of this workload, "" before it has one. */
  get spiffeId(): string {
    return this.#identity?.spiffeId ?? "";
  }

  clientTls(): TlsOptions | null {
    return this.#client;
  }

  /** TLS parameters of the mesh listener with the certificate in force; null while there is none. */
  serverTls(): TlsOptions | null {
    return this.#server;
  }

  verifyPeer(socket: RawSocket, ok: boolean, error: Error | null) {
    const nowMs = this.#now();
    const peer = verifyPeer(socket, ok, error, {
      nowMs,
      trustDomain: this.#identity?.trustDomain ?? null, // there is one, or there was no handshake
      expected: null,
    });
    if (!peer.ok) return peer;
    // Our own was valid a moment ago, or the handshake had failed: when our clock says otherwise, it is the clock.
    const ownMs = this.#identity?.notAfterMs ?? peer.notAfterMs;
    const untilMs = ownMs > nowMs ? Math.min(ownMs, peer.notAfterMs) : peer.notAfterMs;
    return { ...peer, life: lifeSpan(untilMs - nowMs, this.#graceMs, this.#random()) };
  }

  onCut(): void {
    this.#onCut();
  }
}
