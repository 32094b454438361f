import { KeyObject, X509Certificate } from "node:crypto";
import { expect, test } from "bun:test";
import { KEY_ALGORITHM, SIGNING_ALGORITHM, x509 } from "./_x509.ts";
import { keyId, type Leaf, signLeaf, toBeSigned } from "./leaf.ts";

const SERIAL = "7f000102030405060708090a0b0c0d0e";
const URI = "spiffe://cluster.local/ns/shop/sa/front";
const ISSUER = "CN=Ärger & Söhne, O=mesh";
const issuer = await crypto.subtle.generateKey(KEY_ALGORITHM, true, ["sign", "verify"]);
const subject = await crypto.subtle.generateKey(KEY_ALGORITHM, true, ["sign", "verify"]);

async function spki(key: CryptoKey): Promise<Uint8Array> {
  return new Uint8Array(await crypto.subtle.exportKey("spki", key));
}

async function leaf(changed: Partial<Leaf>): Promise<Leaf> {
  return {
    serial: Buffer.from(SERIAL, "hex"),
    issuerName: new Uint8Array(new x509.Name(ISSUER).toArrayBuffer()),
    issuerKeyId: keyId(await spki(issuer.publicKey)),
    notBeforeMs: Date.parse("2026-01-02T03:04:05Z"),
    notAfterMs: Date.parse("2026-01-03T03:04:05Z"),
    commonName: "front.shop",
    uri: URI,
    dnsNames: ["mesh.tulle.dev"],
    publicKey: await spki(subject.publicKey),
    ...changed,
  };
}

/** What @peculiar/x509 makes of it. */
async function foreign({ notBeforeMs, notAfterMs, commonName, uri, dnsNames }: Leaf) {
  const { ExtendedKeyUsage, KeyUsageFlags } = x509;
  return await x509.X509CertificateGenerator.create({
    serialNumber: SERIAL,
    subject: new x509.Name([{ CN: [{ utf8String: commonName.slice(0, 64) }] }]),
    issuer: ISSUER,
    notBefore: new Date(notBeforeMs),
    notAfter: new Date(notAfterMs),
    publicKey: subject.publicKey,
    signingKey: issuer.privateKey,
    signingAlgorithm: SIGNING_ALGORITHM,
    extensions: [
      new x509.BasicConstraintsExtension(false, undefined, true),
      new x509.KeyUsagesExtension(KeyUsageFlags.digitalSignature, true),
      new x509.ExtendedKeyUsageExtension([ExtendedKeyUsage.serverAuth, ExtendedKeyUsage.clientAuth]),
      new x509.SubjectAlternativeNameExtension([
        { type: "url", value: uri },
        ...dnsNames.map((value) => ({ type: "dns" as const, value })),
      ]),
      await x509.AuthorityKeyIdentifierExtension.create(issuer.publicKey),
      await x509.SubjectKeyIdentifierExtension.create(subject.publicKey),
    ],
  });
}

test.each<[string, Partial<Leaf>]>([
  ["a usual leaf", {}],
  ["many names", { dnsNames: Array.from({ length: 12 }, (_, at) => `name-${at}.tulle.svc`) }],
  ["a long name", { commonName: "a".repeat(300) }],
  ["a life beyond 2050", { notAfterMs: Date.parse("2051-12-31T23:59:59Z") }],
  ["a life until 2049", { notAfterMs: Date.parse("2049-12-31T23:59:59Z") }],
])("a leaf is what another implementation writes: %s", async (_what, changed) => {
  const wanted = await leaf(changed);
  const certificate = await foreign(wanted);
  const content = toBeSigned(wanted);
  const whole = Buffer.from(certificate.rawData);
  const at = whole.indexOf(content.subarray(0, 8));
  expect(whole.subarray(at, at + content.length).toString("hex")).toBe(Buffer.from(content).toString("hex"));
});

test("a leaf is signed by its issuer", async () => {
  // Signatures whose numbers begin with zeros or a high bit are written otherwise: some of these do.
  for (let round = 0; round < 20; round++) {
    const certificate = new X509Certificate(await signLeaf(await leaf({}), issuer.privateKey));
    const key = KeyObject.from(issuer.publicKey);
    expect(certificate.verify(key)).toBe(true);
  }
});

test("keyId() refuses what is no key", () => {
  expect(() => keyId(Uint8Array.of(0x30, 0x00))).toThrow("no SubjectPublicKeyInfo");
});
