/** The root of the mesh's trust, kept in the state folder: made once, used ever after. */
import {
  chmodSync,
  closeSync,
  existsSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  statSync,
  unlinkSync,
  writeSync,
} from "node:fs";
import { join } from "node:path";
import { BACKDATE_MS, KEY_ALGORITHM, randomSerial, SIGNING_ALGORITHM, x509 } from "./_x509.ts";

/** Life of a root: it is exchanged by adding another to the bundle, not by its expiry. */
const ROOT_LIFETIME_MS = 10 * 365 * 24 * 3600 * 1000;

const KEY_FILE = "ca-key.pem";
const CERTIFICATE_FILE = "ca-cert.pem";
/** Roots that are trusted beside our own, while one takes the place of the other. */
export const OLD_ROOTS_FILE = "old-roots.pem";
export const BUNDLE_FILE = "trust-bundle.pem";

export interface Root {
  readonly certificate: x509.X509Certificate;
  readonly key: CryptoKey;
}

/**
 * Loads the root from the state folder, or makes one on the first start.
 * @throws Error that names the file and the remedy, when what is there cannot be used
 */
export async function loadOrCreateRoot(stateDir: string, trustDomain: string, nowMs: number): Promise<Root> {
  mkdirSync(stateDir, { recursive: true, mode: 0o700 });
  const keyFile = join(stateDir, KEY_FILE);
  const certificateFile = join(stateDir, CERTIFICATE_FILE);
  const hasKey = existsSync(keyFile);
  if (hasKey !== existsSync(certificateFile)) {
    const [there, missing] = hasKey ? [keyFile, certificateFile] : [certificateFile, keyFile];
    throw new Error(
      `bad_state: found ${there} without ${missing}: put it back, or remove both to start with a new root (every proxy then needs the new trust bundle)`,
    );
  }
  return hasKey
    ? await load(keyFile, certificateFile, nowMs)
    : await create(keyFile, certificateFile, trustDomain, nowMs);
}

async function load(keyFile: string, certificateFile: string, nowMs: number): Promise<Root> {
  if ((statSync(keyFile).mode & 0o077) !== 0) chmodSync(keyFile, 0o600); // others could read the key of all identities
  try {
    const der = x509.PemConverter.decodeFirst(readFileSync(keyFile, "utf8"));
    const key = await crypto.subtle.importKey("pkcs8", der, KEY_ALGORITHM, false, ["sign"]);
    const certificate = new x509.X509Certificate(readFileSync(certificateFile, "utf8"));
    const probe = new Uint8Array(32);
    const signature = await crypto.subtle.sign(SIGNING_ALGORITHM, key, probe);
    const publicKey = await certificate.publicKey.export(KEY_ALGORITHM, ["verify"]);
    if (!await crypto.subtle.verify(SIGNING_ALGORITHM, publicKey, signature, probe)) {
      throw new Error("the key is not the certificate's");
    }
    if (certificate.notAfter.getTime() <= nowMs) {
      throw new Error(`the certificate expired on ${certificate.notAfter.toISOString()}`);
    }
    return { certificate, key };
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new Error(
      `bad_state: cannot use ${keyFile} and ${certificateFile}: ${reason}; want a P-256 key (PKCS#8) and its certificate`,
    );
  }
}

async function create(keyFile: string, certificateFile: string, trustDomain: string, nowMs: number): Promise<Root> {
  const pair = await crypto.subtle.generateKey(KEY_ALGORITHM, true, ["sign", "verify"]);
  const { KeyUsageFlags } = x509;
  const certificate = await x509.X509CertificateGenerator.createSelfSigned({
    serialNumber: randomSerial(),
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
  // The key first: a certificate without its key is the worse half to be left with.
  writeAtomically(keyFile, x509.PemConverter.encode(pkcs8, "PRIVATE KEY") + "\n", 0o600);
  writeAtomically(certificateFile, certificate.toString("pem") + "\n", 0o644);
  const key = await crypto.subtle.importKey("pkcs8", pkcs8, KEY_ALGORITHM, false, ["sign"]);
  return { certificate, key };
}

/** Writes a file so that whoever reads it sees the old content or the new one, also after a crash. */
export function writeAtomically(file: string, content: string, mode: number): void {
  const temporary = `${file}.${process.pid}.tmp`;
  if (existsSync(temporary)) unlinkSync(temporary);
  const fd = openSync(temporary, "wx", mode);
  try {
    writeSync(fd, content);
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
  renameSync(temporary, file);
}

/** Certificates of a PEM file that may sign; empty when there is no such file. @throws Error when it holds anything else */
export function readRoots(file: string): x509.X509Certificate[] {
  if (!existsSync(file)) return [];
  const roots = x509.PemConverter.decode(readFileSync(file, "utf8")).map((der) => new x509.X509Certificate(der));
  for (const root of roots) {
    if (root.getExtension(x509.BasicConstraintsExtension)?.ca !== true) {
      throw new Error(`bad_roots: ${file} holds ${root.subject}, which is no certificate authority`);
    }
  }
  return roots;
}
