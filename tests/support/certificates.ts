/** Certificate authorities and leaves for tests: ECDSA P-256, any names, any dates. */
import "reflect-metadata";
import {
  BasicConstraintsExtension,
  ExtendedKeyUsage,
  ExtendedKeyUsageExtension,
  KeyUsageFlags,
  KeyUsagesExtension,
  SubjectAlternativeNameExtension,
  X509Certificate,
  X509CertificateGenerator,
} from "@peculiar/x509";

const ALGORITHM = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" } as const;
const DAY_MS = 86_400_000;

/** A certificate and its private key, as PEM. */
export interface KeyPair {
  readonly certificate: string;
  readonly key: string;
}

export interface LeafOptions {
  /** URI names, for instance SPIFFE IDs. */
  readonly uris?: readonly string[];
  readonly dnsNames?: readonly string[];
  readonly ips?: readonly string[];
  readonly notBefore?: Date;
  readonly notAfter?: Date;
  readonly commonName?: string;
  /** It may sign others, as no leaf should. */
  readonly isCa?: boolean;
  /** TLS takes it for servers alone. */
  readonly isServerOnly?: boolean;
}

export interface TestCa extends KeyPair {
  issue(options: LeafOptions): Promise<KeyPair>;
}

/** A self-signed CA, valid from yesterday for a month. */
export async function createCa(commonName = "test root"): Promise<TestCa> {
  const keys = await generateKeys();
  const root = await X509CertificateGenerator.createSelfSigned({
    serialNumber: randomSerial(),
    name: `CN=${commonName}`,
    notBefore: new Date(Date.now() - DAY_MS),
    notAfter: new Date(Date.now() + 30 * DAY_MS),
    signingAlgorithm: ALGORITHM,
    keys,
    extensions: [
      new BasicConstraintsExtension(true, undefined, true),
      new KeyUsagesExtension(KeyUsageFlags.keyCertSign | KeyUsageFlags.cRLSign, true),
    ],
  });
  return await caOf(root, keys.privateKey);
}

/** The CA whose certificate and key (PKCS#8) are given as PEM, to sign what it never would by itself. */
export async function loadCa(certificatePem: string, keyPem: string): Promise<TestCa> {
  const der = Buffer.from(keyPem.replace(/-----[^-]+-----|\s/g, ""), "base64");
  const key = await crypto.subtle.importKey("pkcs8", der, ALGORITHM, true, ["sign"]);
  return await caOf(new X509Certificate(certificatePem), key);
}

async function caOf(root: X509Certificate, privateKey: CryptoKey): Promise<TestCa> {
  return {
    certificate: root.toString("pem"),
    key: await exportKey(privateKey),
    async issue(options) {
      const keys = await generateKeys();
      const names = [
        ...(options.uris ?? []).map((value) => ({ type: "url" as const, value })),
        ...(options.dnsNames ?? []).map((value) => ({ type: "dns" as const, value })),
        ...(options.ips ?? []).map((value) => ({ type: "ip" as const, value })),
      ];
      const leaf = await X509CertificateGenerator.create({
        serialNumber: randomSerial(),
        subject: options.commonName === undefined ? "" : `CN=${options.commonName}`,
        issuer: root.subject,
        notBefore: options.notBefore ?? new Date(Date.now() - 3_600_000),
        notAfter: options.notAfter ?? new Date(Date.now() + DAY_MS),
        signingAlgorithm: ALGORITHM,
        publicKey: keys.publicKey,
        signingKey: privateKey,
        extensions: [
          new BasicConstraintsExtension(options.isCa === true, undefined, true),
          new KeyUsagesExtension(
            KeyUsageFlags.digitalSignature | (options.isCa === true ? KeyUsageFlags.keyCertSign : 0),
            true,
          ),
          new ExtendedKeyUsageExtension([
            ExtendedKeyUsage.serverAuth,
            ...(options.isServerOnly === true ? [] : [ExtendedKeyUsage.clientAuth]),
          ]),
          ...(names.length === 0 ? [] : [new SubjectAlternativeNameExtension(names)]),
        ],
      });
      return { certificate: leaf.toString("pem"), key: await exportKey(keys.privateKey) };
    },
  };
}

async function generateKeys(): Promise<CryptoKeyPair> {
  return await crypto.subtle.generateKey(ALGORITHM, true, ["sign", "verify"]) as CryptoKeyPair; // ECDSA gives a pair
}

async function exportKey(key: CryptoKey): Promise<string> {
  const der = Buffer.from(await crypto.subtle.exportKey("pkcs8", key)).toString("base64");
  return `-----BEGIN PRIVATE KEY-----\n${der.replace(/(.{64})/g, "$1\n").trim()}\n-----END PRIVATE KEY-----\n`;
}

function randomSerial(): string {
  return `01${Buffer.from(crypto.getRandomValues(new Uint8Array(15))).toString("hex")}`;
}
