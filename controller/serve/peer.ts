/** Who is at the other end of a TLS connection. */
import { X509Certificate } from "node:crypto";
import { createContextKey } from "@connectrpc/connect";

export type Peer =
  | { readonly kind: "none"; readonly reason: string }
  | { readonly kind: "verified"; readonly spiffeId: string };

/** The peer of a call, for handlers. */
export const PEER = createContextKey<Peer>({ kind: "none", reason: "the call did not come over TLS" });

/** For whom a call is counted, for handlers: the peer's identity, or its address while it has none. */
export const CALLER = createContextKey("");

/** Ends a call without a word, for handlers: what a peer does not read would wait for ever. */
export const CUT = createContextKey<() => void>(() => {});

/** Whether the caller has its share of a waiting room, for handlers: the call is to be refused. */
export const REFUSED = createContextKey(false);

/** Most certificates of a peer that are looked at: a leaf, and what stands between it and its root. */
export const MAX_CHAIN = 5;
/**
 * What TLS finds wrong with a chain whoever its root is: a leaf for servers alone, too many intermediates, names that an
 * intermediate may not vouch for, critical extensions that nobody knows. Its word on roots and dates does not count here.
 */
const BROKEN_RULES: ReadonlySet<string> = new Set(["INVALID_PURPOSE", "PATH_LENGTH_EXCEEDED", "UNSPECIFIED"]);
/** A workload's SPIFFE ID, as strict as proxies take it: a path, no escapes, no dot segments. */
const SPIFFE_ID = /^spiffe:\/\/[a-z0-9._-]{1,255}(\/(?!\.{1,2}(\/|$))[A-Za-z0-9._-]+)+$/;

/**
 * Verifies a client's certificate by hand: certificates are optional on our port (a proxy without one asks for its first), so TLS
 * lets foreign ones through, and a resumed session brings back a certificate that may have expired since.
 * @param chain DER of the leaf as TLS reported it, and of those above it; the handshake has proved possession of the leaf's key
 * @param roots what signs identities now
 * @param tlsError what TLS said of the chain, as a code of OpenSSL; "" for nothing
 */
export function verifyPeer(
  chain: readonly Uint8Array[],
  roots: readonly X509Certificate[],
  nowMs: number,
  tlsError = "",
): Peer {
  const [raw, ...above] = chain;
  if (raw === undefined || raw.length === 0) return none("no client certificate was presented");
  if (BROKEN_RULES.has(tlsError)) return none(`TLS refuses the client certificate: ${tlsError}`);
  let leaf: X509Certificate;
  let issuers: readonly X509Certificate[];
  try {
    leaf = new X509Certificate(raw);
    issuers = above.map((der) => new X509Certificate(der));
  } catch {
    return none("the client certificate cannot be read");
  }
  if (!leadsToRoot(leaf, issuers, roots, nowMs) || leaf.ca) {
    return none("the client certificate is not signed by a root of the trust bundle");
  }
  if (Date.parse(leaf.validFrom) > nowMs) {
    return none(`the client certificate is valid from ${leaf.validFrom} only: check the clocks`);
  }
  if (Date.parse(leaf.validTo) <= nowMs) return none(`the client certificate expired on ${leaf.validTo}`);
  const uris = (leaf.subjectAltName ?? "").split(", ").filter((name) => name.startsWith("URI:"));
  const spiffeId = uris[0]?.slice("URI:".length) ?? "";
  if (uris.length !== 1 || !SPIFFE_ID.test(spiffeId)) {
    return none("the client certificate carries no SPIFFE ID");
  }
  return { kind: "verified", spiffeId };
}

/** Whether each certificate is signed by the next, and one of them by a root. */
function leadsToRoot(
  leaf: X509Certificate,
  issuers: readonly X509Certificate[],
  roots: readonly X509Certificate[],
  nowMs: number,
): boolean {
  let child = leaf;
  for (const issuer of issuers) {
    if (roots.some((root) => isSignedBy(child, root))) return true;
    const isValid = Date.parse(issuer.validFrom) <= nowMs && nowMs < Date.parse(issuer.validTo);
    if (!isValid || !isSignedBy(child, issuer)) return false;
    child = issuer;
  }
  return roots.some((root) => isSignedBy(child, root));
}

function isSignedBy(child: X509Certificate, parent: X509Certificate): boolean {
  return parent.ca && child.checkIssued(parent) && child.verify(parent.publicKey);
}

function none(reason: string): Peer {
  return { kind: "none", reason };
}
