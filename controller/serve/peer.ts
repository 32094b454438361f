/** Who is at the other end of a TLS connection. */
import { X509Certificate } from "node:crypto";
import { createContextKey } from "@connectrpc/connect";

export type Peer =
  | { readonly kind: "none"; readonly reason: string }
  | { readonly kind: "verified"; readonly spiffeId: string };

/** The peer of a call, for handlers. */
export const PEER = createContextKey<Peer>({ kind: "none", reason: "the call did not come over TLS" });

/**
 * Verifies a client's certificate by hand: certificates are optional on our port (a proxy without one asks for its first), so TLS
 * lets foreign ones through, and a resumed session brings back a certificate that may have expired since.
 * @param raw DER of the leaf as TLS reported it; the handshake has proved possession of its key
 * @param roots what signs identities now
 */
export function verifyPeer(raw: Uint8Array | null, roots: readonly X509Certificate[], nowMs: number): Peer {
  if (raw === null || raw.length === 0) return none("no client certificate was presented");
  let leaf: X509Certificate;
  try {
    leaf = new X509Certificate(raw);
  } catch {
    return none("the client certificate cannot be read");
  }
  const signed = roots.some((root) => root.ca && leaf.checkIssued(root) && leaf.verify(root.publicKey));
  if (!signed || leaf.ca) return none("the client certificate is not signed by a root of the trust bundle");
  if (Date.parse(leaf.validFrom) > nowMs) {
    return none(`the client certificate is valid from ${leaf.validFrom} only: check the clocks`);
  }
  if (Date.parse(leaf.validTo) <= nowMs) return none(`the client certificate expired on ${leaf.validTo}`);
  const uris = (leaf.subjectAltName ?? "").split(", ").filter((name) => name.startsWith("URI:"));
  const spiffeId = uris[0]?.slice("URI:".length) ?? "";
  if (uris.length !== 1 || !/^spiffe:\/\/[^"\s]+$/.test(spiffeId)) {
    return none("the client certificate carries no SPIFFE ID");
  }
  return { kind: "verified", spiffeId };
}

function none(reason: string): Peer {
  return { kind: "none", reason };
}
