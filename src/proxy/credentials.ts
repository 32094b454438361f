/** This workload's identity as the data path uses it: to prove itself, and to say who peers are. */
import type { Identity } from "../identity/identity.ts";
import { verifyPeer } from "../identity/verify.ts";
import { MESH_SERVER_NAME } from "../model/trust.ts";
import { type RawSocket, TLS_1_3, type TlsOptions } from "../net/socket.ts";
import { MESH_ALPN } from "./mtls/transport.ts";
import type { MeshCredentials } from "./upstream/mesh_dial.ts";

export class Credentials implements MeshCredentials {
  readonly #now: () => number;
  #identity: Identity | null = null;
  #client: TlsOptions | null = null;
  #server: TlsOptions | null = null;

  /** @param now wall clock, milliseconds since the epoch */
  constructor(now: () => number) {
    this.#now = now;
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
    return verifyPeer(socket, ok, error, { nowMs: this.#now(), expected: null });
  }
}
