/** What signs leaves: a key, its certificate, and the certificates that lead from it to a root. */
import { createPrivateKey } from "node:crypto";
import { errorText } from "../../src/base/error.ts";
import { BACKDATE_MS, KEY_ALGORITHM, randomSerial, SIGNING_ALGORITHM, x509 } from "./_x509.ts";

/** Life of a root: it is exchanged by adding another to the bundle, not by its expiry. */
const ROOT_LIFETIME_MS = 10 * 365 * 24 * 3600 * 1000;
/** Most certificates between a leaf and its root. */
const MAX_CHAIN = 4;

export interface Issuer {
  readonly certificate: x509.X509Certificate;
  readonly key: CryptoKey;
  /** Sent after the leaf: the issuer's own certificate and those above it, without the root; empty when it is the root. */
  readonly chain: readonly x509.X509Certificate[];
  /** What verifies it all. */
  readonly root: x509.X509Certificate;
}

/** An issuer as it is kept: all PEM. */
export interface IssuerMaterial {
  /** ECDSA on P-256, PKCS#8 or SEC 1. */
  readonly keyPem: string;
  /** The issuer's certificate first, then those above it. */
  readonly certificatePem: string;
  /** Its root; "" when the certificate is one itself, or the last of its chain is. */
  readonly rootPem: string;
}

/**
 * Reads and checks an issuer.
 * @throws Error that says what is wrong and what is wanted, and repeats no key
 */
export async function readIssuer(material: IssuerMaterial, nowMs: number): Promise<Issuer> {
  const key = await readKey(material.keyPem);
  const certificates = readCertificates(material.certificatePem, "the certificate");
  const [certificate, ...above] = certificates;
  if (certificate === undefined) throw new Error("bad_issuer: found no certificate, want one in PEM");
  if (certificates.length > MAX_CHAIN) {
    throw new Error(`bad_issuer: found ${certificates.length} certificates, want at most ${MAX_CHAIN}`);
  }
  await checkPair(key, certificate);
  for (const each of certificates) checkAuthority(each, nowMs);
  const given = readCertificates(material.rootPem, "the root");
  const last = certificates[certificates.length - 1] ?? certificate;
  const root = await isSelfSigned(last) ? last : given[0];
  if (root === undefined) {
    throw new Error("bad_issuer: the certificate is no root, and its root (ca.crt) is missing");
  }
  checkAuthority(root, nowMs);
  const path = last === root ? certificates : [...certificates, root];
  for (let at = 0; at + 1 < path.length; at++) {
    const [child, parent] = [path[at], path[at + 1]];
    if (child === undefined || parent === undefined) continue;
    if (!await child.verify({ publicKey: parent, signatureOnly: true })) {
      throw new Error(`bad_issuer: ${child.subject} is not signed by ${parent.subject}, which follows it`);
    }
  }
  const chain = [certificate, ...above].filter((each) => each !== root);
  return { certificate, key, chain, root };
}

/** Makes a self-signed root. @returns its material */
export async function createRoot(trustDomain: string, nowMs: number): Promise<IssuerMaterial> {
  const pair = await crypto.subtle.generateKey(KEY_ALGORITHM, true, ["sign", "verify"]);
  const { KeyUsageFlags } = x509;
  const certificate = await x509.X509CertificateGenerator.createSelfSigned({
    serialNumber: Buffer.from(randomSerial()).toString("hex"),
    name: [{ CN: [`Tulle root of ${trustDomain}`.slice(0, 64)] }],
    notBefore: new Date(nowMs - BACKDATE_MS),
    notAfter: new Date(nowMs + ROOT_LIFETIME_MS),
    keys: pair,
    signingAlgorithm: SIGNING_ALGORITHM,
    extensions: [
      new x509.BasicConstraintsExtension(true, 0, true),
      new x509.KeyUsagesExtension(KeyUsageFlags.keyCertSign | KeyUsageFlags.cRLSign, true),
      await x509.SubjectKeyIdentifierExtension.create(pair.publicKey),
      // SPIFFE: a signing certificate may carry the trust domain, without a path.
      new x509.SubjectAlternativeNameExtension([{ type: "url", value: `spiffe://${trustDomain}` }]),
    ],
  });
  const pkcs8 = await crypto.subtle.exportKey("pkcs8", pair.privateKey);
  return {
    keyPem: x509.PemConverter.encode(pkcs8, "PRIVATE KEY") + "\n",
    certificatePem: certificate.toString("pem") + "\n",
    rootPem: "",
  };
}

/** Certificates of a PEM text that may sign. @param what names the text in errors @throws Error when it holds anything else */
export function readRoots(pem: string, what: string): x509.X509Certificate[] {
  const roots = readCertificates(pem, what);
  for (const root of roots) {
    if (root.getExtension(x509.BasicConstraintsExtension)?.ca !== true) {
      throw new Error(`bad_roots: ${what} holds ${root.subject}, which is no certificate authority`);
    }
  }
  return roots;
}

function readCertificates(pem: string, what: string): x509.X509Certificate[] {
  try {
    return x509.PemConverter.decode(pem).map((der) => new x509.X509Certificate(der));
  } catch (error) {
    throw new Error(`bad_issuer: ${what} is no certificate in PEM: ${errorText(error)}`);
  }
}

async function readKey(pem: string): Promise<CryptoKey> {
  try {
    // node:crypto reads SEC 1 ("EC PRIVATE KEY") as well, which cert-manager writes unless told otherwise.
    const der = createPrivateKey(pem).export({ format: "der", type: "pkcs8" });
    return await crypto.subtle.importKey("pkcs8", Uint8Array.from(der), KEY_ALGORITHM, false, ["sign"]);
  } catch {
    throw new Error("bad_issuer: the key cannot be used: want ECDSA on P-256, in PEM (PKCS#8 or SEC 1)");
  }
}

async function checkPair(key: CryptoKey, certificate: x509.X509Certificate): Promise<void> {
  const probe = new Uint8Array(32);
  const signature = await crypto.subtle.sign(SIGNING_ALGORITHM, key, probe);
  const publicKey = await certificate.publicKey.export(KEY_ALGORITHM, ["verify"]).catch(() => null);
  if (publicKey === null || !await crypto.subtle.verify(SIGNING_ALGORITHM, publicKey, signature, probe)) {
    throw new Error("bad_issuer: the key is not the certificate's");
  }
}

function checkAuthority(certificate: x509.X509Certificate, nowMs: number): void {
  if (certificate.getExtension(x509.BasicConstraintsExtension)?.ca !== true) {
    throw new Error(`bad_issuer: ${certificate.subject} is no certificate authority (CA:TRUE)`);
  }
  if (certificate.notAfter.getTime() <= nowMs) {
    throw new Error(`bad_issuer: ${certificate.subject} expired on ${certificate.notAfter.toISOString()}`);
  }
}

async function isSelfSigned(certificate: x509.X509Certificate): Promise<boolean> {
  return certificate.issuer === certificate.subject &&
    await certificate.verify({ publicKey: certificate, signatureOnly: true });
}
