/** What the serving side asks of the certificate authority. */

/** Why a request for a certificate was refused; `code` is the RPC's. */
export interface Refusal {
  readonly code: "unauthenticated" | "invalid_argument" | "permission_denied" | "unavailable";
  readonly detail: string;
}

export interface IssuedLeaf {
  /** Leaf first; DER. The root is not part of it. */
  readonly chain: readonly Uint8Array[];
  readonly spiffeId: string;
  readonly notBeforeMs: number;
  readonly notAfterMs: number;
}

/** Trust bundle, as proxies get it. */
export interface Bundle {
  readonly trustDomain: string;
  /** DER. */
  readonly roots: readonly Uint8Array[];
  /** Grows with each change. */
  readonly version: number;
}

/** Certificate authority as the identity service uses it. */
export interface Authority {
  /** Checks the token and the request, and signs. */
  certify(token: string, csr: Uint8Array): Promise<IssuedLeaf | Refusal>;
  readonly bundle: Bundle;
  /** @returns how to stop listening */
  onBundle(listener: () => void): () => void;
}

/** Knows tokens. */
export interface TokenSource {
  check(token: string): Promise<TokenSubject | Refusal>;
}

/** Who a token stands for. */
export interface TokenSubject {
  readonly namespace: string;
  readonly serviceAccount: string;
  readonly workload: string;
}
