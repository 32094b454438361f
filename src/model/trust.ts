/** Certificates as they come from the controller, and the calls that bring them. */
import type { Result } from "../base/result.ts";

/** Name that every leaf of the mesh bears as DNS SAN: what TLS itself checks; who the peer is says its SPIFFE ID. */
export const MESH_SERVER_NAME = "mesh.tulle.dev";

/** Roots that peers are verified against. */
export interface TrustBundle {
  readonly trustDomain: string;
  /** DER. */
  readonly roots: readonly Uint8Array[];
  /** Equal versions are equal bundles. */
  readonly version: number;
}

/** A certificate for this workload. */
export interface CertifyReply {
  /** DER: the leaf first, then intermediates, without the root. */
  readonly chain: readonly Uint8Array[];
  readonly spiffeId: string;
  /** Milliseconds since the epoch. */
  readonly notBeforeMs: number;
  readonly notAfterMs: number;
  readonly bundle: TrustBundle;
}

/** Receives what a stream of trust bundles brings. */
export interface TrustSink {
  onBundle(bundle: TrustBundle): void;
  /** The stream has ended; last event. @param error why, for people */
  onEnd(error: string): void;
}

/** How identity reaches the controller. Made by `discovery`, so that neither folder knows the other. */
export interface IdentityTransport {
  /** One call of Certify; failures are texts for people. Bounded in time. */
  certify(token: string, csr: Uint8Array): Promise<Result<CertifyReply>>;
  /** Opens WatchTrust. @returns cancels it; nothing is reported after that */
  watchTrust(sink: TrustSink): () => void;
}
