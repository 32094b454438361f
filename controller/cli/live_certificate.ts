/** The certificate that a sidecar presents right now, read from a TLS handshake with its mesh port. */
import { X509Certificate } from "node:crypto";
import { connect } from "node:tls";
import { certificatesOf } from "../core/pem.ts";

/** Protocol of the mesh port; a sidecar speaks no other there. */
const MESH_ALPN = "tulle/1";
/** Name in each leaf. */
const MESH_NAME = "mesh.tulle.dev";
/** Longest wait for the handshake, milliseconds. */
const TIMEOUT_MS = 3000;
/** Longest chain that is followed; ours have two. */
const MAX_CHAIN = 8;

/** A certificate as people look at it. Times are ISO 8601 in UTC. */
export interface CertificateView {
  readonly subject: string;
  readonly issuer: string;
  readonly serial: string;
  readonly uris: readonly string[];
  readonly dnsNames: readonly string[];
  readonly key: string;
  readonly notBefore: string;
  readonly notAfter: string;
  readonly sha256: string;
}

export interface LiveCertificate {
  readonly protocol: string;
  /** From the leaf upwards, as the sidecar sent it. */
  readonly chain: readonly CertificateView[];
  /** Whether a root of the bundle issued it and it is valid now; null when there was no bundle to judge by. */
  readonly trusted: boolean | null;
  /** Why not; "" when trusted or not judged. */
  readonly reason: string;
}

/**
 * Shakes hands without a certificate of our own. In TLS 1.3 the server shows its certificate before it refuses us for that,
 * and nothing but the handshake is sent.
 *
 * @param bundle PEM roots to judge by, or null
 * @param now milliseconds since 1970
 * @throws Error when there is no answer, or no certificate
 */
export async function readLiveCertificate(
  host: string,
  port: number,
  bundle: string | null,
  now: number,
): Promise<LiveCertificate> {
  const { promise, resolve, reject } = Promise.withResolvers<{ leaf: X509Certificate; protocol: string }>();
  const socket = connect({
    host,
    port,
    servername: MESH_NAME,
    ALPNProtocols: [MESH_ALPN],
    minVersion: "TLSv1.3",
    // Judged below, so that a certificate that nobody should trust can still be looked at.
    rejectUnauthorized: false,
  }, () => {
    const leaf = socket.getPeerX509Certificate();
    if (leaf === undefined) reject(new Error("it showed no certificate"));
    else resolve({ leaf, protocol: socket.getProtocol() ?? "" });
  });
  socket.on("error", (error) => reject(new Error(`no TLS 1.3 handshake with ${host} port ${port}: ${error.message}`)));
  socket.setTimeout(
    TIMEOUT_MS,
    () => reject(new Error(`no handshake with ${host} port ${port} within ${TIMEOUT_MS} ms`)),
  );
  try {
    const { leaf, protocol } = await promise;
    const chain = chainOf(leaf);
    const reason = bundle === null ? "" : judge(chain, splitPem(bundle), now);
    return { protocol, chain: chain.map(viewOf), trusted: bundle === null ? null : reason === "", reason };
  } finally {
    socket.destroy();
  }
}

/** Certificates of a PEM text, in order; what is none is passed over. */
function splitPem(pem: string): X509Certificate[] {
  return certificatesOf(pem).map((block) => new X509Certificate(block));
}

function chainOf(leaf: X509Certificate): X509Certificate[] {
  const chain = [leaf];
  for (
    let next = leaf.issuerCertificate;
    next !== undefined && chain.length < MAX_CHAIN;
    next = next.issuerCertificate
  ) {
    if (chain.some((known) => known.fingerprint256 === next?.fingerprint256)) break;
    chain.push(next);
  }
  return chain;
}

/** @returns "" when the chain leads to a root and all of it is valid now, otherwise why not */
function judge(chain: readonly X509Certificate[], roots: readonly X509Certificate[], now: number): string {
  for (const certificate of chain) {
    const name = oneLine(certificate.subject) || "the leaf";
    if (certificate.validFromDate.getTime() > now) return `${name} is not valid yet: check the clocks`;
    if (certificate.validToDate.getTime() < now) return `${name} has expired`;
  }
  for (const [i, certificate] of chain.entries()) {
    if (roots.some((root) => root.fingerprint256 === certificate.fingerprint256)) return "";
    if (roots.some((root) => certificate.checkIssued(root) && certificate.verify(root.publicKey))) return "";
    const next = chain[i + 1];
    if (next === undefined || !certificate.checkIssued(next) || !certificate.verify(next.publicKey)) break;
  }
  return "no root of the trust bundle issued it";
}

function viewOf(certificate: X509Certificate): CertificateView {
  const names = (certificate.subjectAltName ?? "").split(", ");
  const ofKind = (kind: string) => names.filter((name) => name.startsWith(kind)).map((name) => name.slice(kind.length));
  const { asymmetricKeyType, asymmetricKeyDetails } = certificate.publicKey;
  return {
    subject: oneLine(certificate.subject),
    issuer: oneLine(certificate.issuer),
    serial: certificate.serialNumber,
    uris: ofKind("URI:"),
    dnsNames: ofKind("DNS:"),
    key: [asymmetricKeyType, asymmetricKeyDetails?.namedCurve].filter((part) => part !== undefined).join(" "),
    notBefore: certificate.validFromDate.toISOString(),
    notAfter: certificate.validToDate.toISOString(),
    sha256: certificate.fingerprint256,
  };
}

/** A name on one line. Bun gives undefined for an empty one, which a leaf's subject is. */
function oneLine(name: string | undefined): string {
  return (name ?? "").replaceAll("\n", ", ");
}
