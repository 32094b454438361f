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
  }

  /** SPIFFE ID of this workload, "" before it has one. */
  get spiffeId(): string {
    return this.#identity?.spiffeId ?? "";
  }

  clientTls(): TlsOptions | null {
    return this.#client;
  }

  /** TLS parameters of the mesh listener; its certificate is replaced per connection by `present`. */
  serverTls(): TlsOptions | null {
    if (this.#client === null) return null;
    const { serverName: _, ...server } = this.#client;
    return { ...server, requestCert: true };
  }

  /** Gives an accepted socket the certificate and roots in force. Returns false while there are none. */
  present(socket: RawSocket): boolean {
    const identity = this.#identity;
    if (identity === null) return false;
    // Missing in the type only.
    (socket as unknown as { setKeyCert(context: object): void }).setKeyCert(identity.secureContext);
    return true;
  }

  verifyPeer(socket: RawSocket, ok: boolean, error: Error | null) {
    return verifyPeer(socket, ok, error, { nowMs: this.#now(), expected: null });
  }
}
