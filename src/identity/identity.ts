/** The identity in force: key, certificate and roots, ready for TLS. Replaced as a whole at each renewal. */
import { bad, ok, type Result } from "../base/result.ts";
import { parseSpiffeId } from "../model/spiffe_id.ts";
import type { CertifyReply, TrustBundle } from "../model/trust.ts";
import { tlsProblem } from "../net/tls_check.ts";
import { parseCertificate } from "./certificate.ts";
import { toPem } from "./pem.ts";

/** A workload's identity. */
export interface Identity {
  readonly spiffeId: string;
  readonly trustDomain: string;
  readonly keyPem: string;
  /** The leaf, then intermediates. */
  readonly certPem: string;
  /** All roots of the bundle. */
  readonly caPem: string;
  readonly notBeforeMs: number;
  readonly notAfterMs: number;
  readonly trustVersion: number;
  /** Counts replacements in this process; equal numbers are the same object. */
  readonly generation: number;
}

/** Key, certificate and roots, before they are checked against each other. */
export interface IdentityParts {
  readonly keyPem: string;
  /** SubjectPublicKeyInfo of the key, DER; null when unknown (restored from disk). */
  readonly publicKey: Uint8Array | null;
  readonly reply: CertifyReply;
}

/**
 * Checks the parts against each other and makes them an identity.
 *
 * @param generation number of the new identity
 * @returns an error when the certificate is malformed, names another identity than the reply, or is for another key
 */
export function buildIdentity(parts: IdentityParts, generation: number): Result<Identity> {
  const { reply, keyPem, publicKey } = parts;
  const leaf = reply.chain[0];
  if (leaf === undefined) return bad("certificate_chain", "no certificate", "the leaf first");
  const facts = parseCertificate(leaf);
  if (!facts.ok) return facts;
  const { uris, notBeforeMs, notAfterMs } = facts.value;
  const id = parseSpiffeId(reply.spiffeId);
  if (id === null) return bad("spiffe_id", JSON.stringify(reply.spiffeId), "spiffe://<trust domain>/<path>");
  if (uris.length !== 1 || uris[0] !== reply.spiffeId) {
    return bad("certificate_chain[0]", `URI names ${JSON.stringify(uris)}`, `exactly ${reply.spiffeId}`);
  }
  if (publicKey !== null && !equal(publicKey, facts.value.publicKey)) {
    return bad("certificate_chain[0]", "another public key", "the key of the request");
  }
  if (reply.bundle.roots.length === 0) return bad("trust_bundle.roots", "none", "at least one root");
  const certPem = reply.chain.map((der) => toPem("CERTIFICATE", der)).join("");
  const caPem = rootsPem(reply.bundle);
  const problem = tlsProblem({ key: keyPem, cert: certPem, ca: caPem });
  if (problem !== "") return bad("certificate", problem, "a key, chain and roots that TLS accepts");
  return ok({
    spiffeId: reply.spiffeId,
    trustDomain: id.trustDomain,
    keyPem,
    certPem,
    caPem,
    notBeforeMs,
    notAfterMs,
    trustVersion: reply.bundle.version,
    generation,
  });
}

/** The same certificate with other roots. */
export function withBundle(identity: Identity, bundle: TrustBundle, generation: number): Result<Identity> {
  if (bundle.roots.length === 0) return bad("trust_bundle.roots", "none", "at least one root");
  const caPem = rootsPem(bundle);
  const problem = tlsProblem({ key: identity.keyPem, cert: identity.certPem, ca: caPem });
  if (problem !== "") return bad("trust_bundle.roots", problem, "roots that TLS accepts");
  return ok({ ...identity, caPem, trustVersion: bundle.version, generation });
}

function rootsPem(bundle: TrustBundle): string {
  return bundle.roots.map((der) => toPem("CERTIFICATE", der)).join("");
}

function equal(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, i) => byte === b[i]);
}
