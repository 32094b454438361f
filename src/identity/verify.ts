/**
 * Says who is at the other end of a TLS connection. Must be asked in the `handshake` handler of both sides, before a
 * byte goes anywhere.
 *
 * Why TLS's own answer is not enough here (all measured): a server is told ok=true for a certificate of an unknown
 * CA; a resumed session is accepted as its original identity whoever presents it, with dates unchecked; a client checks
 * names only against a DNS name, which in the mesh all leaves share.
 */
import { parseSpiffeId } from "../model/spiffe_id.ts";
import { parseCertificate } from "./certificate.ts";

/** Why a peer is refused; label of metrics. */
export type PeerRefusal =
  | "no_certificate"
  | "untrusted_ca"
  | "expired"
  | "not_yet_valid"
  | "resumed_session"
  | "wrong_name"
  | "bad_identity"
  | "foreign_trust_domain"
  | "wrong_identity"
  | "handshake_failed";

/** The side of a native TLS socket that is asked; the data path's sockets have it at run time. */
export interface TlsPeer {
  readonly authorized: boolean;
  isSessionReused(): boolean;
  getPeerX509Certificate(): { readonly raw: Uint8Array } | undefined;
}

/** Outcome of a handshake. */
export type PeerResult =
  | { readonly ok: true; readonly spiffeId: string; readonly notAfterMs: number }
  | { readonly ok: false; readonly code: PeerRefusal; readonly reason: string };

/** What a peer must prove beyond a valid certificate of the mesh. */
export interface PeerExpectation {
  /** The time, milliseconds since the epoch. */
  readonly nowMs: number;
  /**
   * The trust domain it must be of. A bundle vouches for its own alone (SPIFFE Trust Domain and Bundle §3): a root that signs
   * for several must not make one mesh's workloads those of another. Null takes any, where ours is not known yet.
   */
  readonly trustDomain: string | null;
  /** Whether this identity will do; null takes any. */
  readonly expected: string | ((spiffeId: string) => boolean) | null;
}

/** Codes of OpenSSL's verification, as the runtime reports them, that mean something else than an unknown CA. */
const CODES: Readonly<Record<string, PeerRefusal>> = {
  CERT_HAS_EXPIRED: "expired",
  CERT_NOT_YET_VALID: "not_yet_valid",
  ERR_TLS_CERT_ALTNAME_INVALID: "wrong_name",
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: "untrusted_ca",
  UNABLE_TO_GET_ISSUER_CERT: "untrusted_ca",
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: "untrusted_ca",
  SELF_SIGNED_CERT_IN_CHAIN: "untrusted_ca",
  DEPTH_ZERO_SELF_SIGNED_CERT: "untrusted_ca",
  CERT_SIGNATURE_FAILURE: "untrusted_ca",
  CERT_UNTRUSTED: "untrusted_ca",
  INVALID_CA: "untrusted_ca",
};

/**
 * Verifies the peer of a connection whose handshake has finished.
 *
 * @param tls native TLS socket, either side
 * @param ok what the runtime said: necessary, not sufficient
 * @param error what the runtime said
 */
export function verifyPeer(
  tls: TlsPeer,
  ok: boolean,
  error: Error | null,
  expectation: PeerExpectation,
): PeerResult {
  if (error !== null && error !== undefined) return refuse(codeOf(error), error.message);
  if (!ok) return refuse("handshake_failed", "the peer ended the handshake");
  if (tls.isSessionReused()) {
    return refuse("resumed_session", "the peer resumed a session instead of proving its identity");
  }
  const der = tls.getPeerX509Certificate()?.raw;
  if (der === undefined) return refuse("no_certificate", "the peer sent no certificate");
  if (!tls.authorized) return refuse("untrusted_ca", "the peer's certificate is not signed by a root of this mesh");
  return verifyCertificate(der, expectation);
}

/** The part of `verifyPeer` that looks at the leaf alone: dates by our clock, and the rules for leaves of X509-SVID §5.2. */
export function verifyCertificate(der: Uint8Array, expectation: PeerExpectation): PeerResult {
  const facts = parseCertificate(der);
  if (!facts.ok) return refuse("bad_identity", facts.error);
  const { notBeforeMs, notAfterMs, uris, maySign } = facts.value;
  const { nowMs, trustDomain, expected } = expectation;
  if (nowMs > notAfterMs) return refuse("expired", `valid until ${isoTime(notAfterMs)}, now is ${isoTime(nowMs)}`);
  if (nowMs < notBeforeMs) {
    return refuse("not_yet_valid", `valid from ${isoTime(notBeforeMs)}, now is ${isoTime(nowMs)}`);
  }
  const spiffeId = uris[0];
  const id = uris.length !== 1 || spiffeId === undefined ? null : parseSpiffeId(spiffeId);
  if (spiffeId === undefined || id === null || id.path === "") {
    return refuse("bad_identity", `the certificate names ${JSON.stringify(uris)}, want one SPIFFE ID of a workload`);
  }
  if (maySign) return refuse("bad_identity", `the certificate of ${spiffeId} may sign others: no workload's does`);
  if (trustDomain !== null && id.trustDomain !== trustDomain) {
    return refuse("foreign_trust_domain", `the peer is ${spiffeId}, want an identity of ${trustDomain}`);
  }
  const wanted = typeof expected === "function" ? expected(spiffeId) : expected === null || expected === spiffeId;
  if (wanted) return { ok: true, spiffeId, notAfterMs };
  const want = typeof expected === "string" ? expected : "another identity";
  return refuse("wrong_identity", `the peer is ${spiffeId}, want ${want}`);
}

function codeOf(error: Error): PeerRefusal {
  const code = (error as { code?: unknown }).code; // present on errors of TLS
  const known = typeof code === "string" ? CODES[code] : undefined;
  if (known !== undefined) return known;
  return error.message.includes("PEER_DID_NOT_RETURN_A_CERTIFICATE") ? "no_certificate" : "handshake_failed";
}

function refuse(code: PeerRefusal, detail: string): PeerResult {
  return { ok: false, code, reason: `${code}: ${detail}${HINTS[code]}` };
}

/** What to look at next, by code. */
const HINTS: Readonly<Record<PeerRefusal, string>> = {
  no_certificate: "; has it a sidecar?",
  untrusted_ca: "; compare the trust bundles of both sides (`tulle identity`)",
  expired: "; clock skew, or its sidecar cannot reach the controller: compare the clocks of both nodes",
  not_yet_valid: "; clock skew: compare the clocks of both nodes",
  resumed_session: "; sidecars never do, so it is not one",
  wrong_name: "; the certificate lacks the DNS name mesh.tulle.dev, so it is not one of the mesh",
  bad_identity: "",
  foreign_trust_domain:
    "; no other mesh is trusted, also where the root is the same: has the trust domain been changed?",
  wrong_identity: "; its address was reused, or the endpoint list is old: another endpoint may be tried",
  handshake_failed: "",
};

function isoTime(ms: number): string {
  return new Date(ms).toISOString();
}
