import { X509Certificate } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createHash } from "node:crypto";
import { afterEach, expect, test } from "bun:test";
import { x509 } from "./_x509.ts";
import { FolderIssuer } from "./folder_issuer.ts";
import { parseTokens, TokenTable } from "./tokens.ts";

const folders: string[] = [];

afterEach(() => {
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true });
});

function stateDir(): string {
  const folder = mkdtempSync(join(tmpdir(), "tulle-issuer-"));
  folders.push(folder);
  return folder;
}

function openFolder(dir: string, leafLifetimeMs = 3_600_000): Promise<FolderIssuer> {
  return FolderIssuer.open(dir, { trustDomain: "cluster.local", leafLifetimeMs, now: Date.now });
}

async function open(dir: string) {
  return (await openFolder(dir)).authority;
}

const TOKENS = JSON.stringify({
  [createHash("sha256").update("secret").digest("hex")]: {
    namespace: "shop",
    serviceAccount: "front",
    workload: "front-0",
  },
});

function table(): TokenTable {
  const parsed = parseTokens("tokens.json", TOKENS);
  if (typeof parsed === "string") throw new Error(parsed);
  return parsed;
}

async function csr(uri: string | null, curve = "P-256"): Promise<Uint8Array> {
  const algorithm = { name: "ECDSA", namedCurve: curve, hash: "SHA-256" };
  const keys = await crypto.subtle.generateKey(algorithm, true, ["sign", "verify"]);
  const request = await x509.Pkcs10CertificateRequestGenerator.create({
    name: "CN=anything",
    keys,
    signingAlgorithm: { name: "ECDSA", hash: "SHA-256" },
    extensions: uri === null ? [] : [new x509.SubjectAlternativeNameExtension([{ type: "url", value: uri }])],
  });
  return new Uint8Array(request.rawData);
}

const FRONT = "spiffe://cluster.local/ns/shop/sa/front";

test("certify() signs a leaf with the token's identity that the bundle verifies", async () => {
  const authority = await open(stateDir());
  authority.tokens = table();
  const leaf = await authority.certify("secret", await csr(FRONT));
  if ("code" in leaf) throw new Error(leaf.detail);
  const certificate = new X509Certificate(Buffer.from(leaf.chain[0] ?? []));
  const root = new X509Certificate(authority.bundlePem);
  expect(certificate.subjectAltName).toBe(`URI:${FRONT}, DNS:mesh.tulle.dev`);
  expect(certificate.verify(root.publicKey)).toBe(true);
  expect(certificate.checkIssued(root)).toBe(true);
  expect(certificate.ca).toBe(false);
  expect(certificate.keyUsage).toEqual(["1.3.6.1.5.5.7.3.1", "1.3.6.1.5.5.7.3.2"]);
  expect(Date.parse(certificate.validTo)).toBe(leaf.notAfterMs);
  expect(Date.parse(certificate.validFrom)).toBe(leaf.notBeforeMs);
  expect(Date.now() - leaf.notBeforeMs).toBeGreaterThan(4 * 60 * 1000);
});

test("certify() names the issuer's key as the issuer's certificate does", async () => {
  const dir = stateDir();
  const pair = await crypto.subtle.generateKey({ name: "ECDSA", namedCurve: "P-256" }, true, ["sign", "verify"]);
  const keyId = "0102030405060708090a0b0c0d0e0f1011121314"; // no digest of the key, as RFC 5280 permits
  const root = await x509.X509CertificateGenerator.createSelfSigned({
    name: "CN=issuer",
    notAfter: new Date(Date.now() + 3_600_000),
    keys: pair,
    signingAlgorithm: { name: "ECDSA", hash: "SHA-256" },
    extensions: [new x509.BasicConstraintsExtension(true), new x509.SubjectKeyIdentifierExtension(keyId)],
  });
  const pkcs8 = await crypto.subtle.exportKey("pkcs8", pair.privateKey);
  writeFileSync(join(dir, "ca-key.pem"), x509.PemConverter.encode(pkcs8, "PRIVATE KEY"), { mode: 0o600 });
  writeFileSync(join(dir, "ca-cert.pem"), root.toString("pem"));
  const { certificatePem } = await (await open(dir)).certifySelf();
  expect(new X509Certificate(certificatePem).checkIssued(new X509Certificate(root.toString("pem")))).toBe(true);
});

test.each([
  ["an unknown token", "wrong", () => csr(FRONT), "unauthenticated", "token is unknown"],
  ["an empty token", "", () => csr(FRONT), "unauthenticated", "token is unknown"],
  [
    "another identity",
    "secret",
    () => csr("spiffe://cluster.local/ns/shop/sa/admin"),
    "permission_denied",
    "stands for",
  ],
  ["another curve", "secret", () => csr(null, "P-384"), "invalid_argument", "want ECDSA on P-256"],
  ["no request", "secret", () => Promise.resolve(new Uint8Array([1, 2, 3])), "invalid_argument", "no PKCS#10"],
  ["a huge request", "secret", () => Promise.resolve(new Uint8Array(20_000)), "invalid_argument", "at most 16384"],
  [
    "a wrong signature",
    "secret",
    async () => {
      const der = await csr(FRONT);
      const at = der.length - 1;
      der[at] = (der[at] ?? 0) ^ 1;
      return der;
    },
    "invalid_argument",
    "signature is wrong",
  ],
])("certify() refuses %s", async (_name, token, request, code, text) => {
  const authority = await open(stateDir());
  authority.tokens = table();
  const answer = await authority.certify(token, await request());
  expect(answer).toMatchObject({ code, detail: expect.stringContaining(text) });
});

test("open() keeps the root over a restart, with a key only its owner can read", async () => {
  const dir = stateDir();
  const first = await open(dir);
  const second = await open(dir);
  expect(second.bundlePem).toBe(first.bundlePem);
  expect(readFileSync(join(dir, "trust-bundle.pem"), "utf8")).toBe(first.bundlePem);
  expect(statSync(join(dir, "ca-key.pem")).mode & 0o777).toBe(0o600);
});

test("open() names file and remedy when half of the root is gone", async () => {
  const dir = stateDir();
  await open(dir);
  rmSync(join(dir, "ca-cert.pem"));
  await expect(open(dir)).rejects.toThrow(/without .*ca-cert\.pem: put it back/);
});

test("reload() adds further roots and tells the listeners once", async () => {
  const dir = stateDir();
  const folder = await openFolder(dir);
  const { authority } = folder;
  const other = await open(stateDir());
  let told = 0;
  authority.onBundle(() => told++);
  const version = authority.bundle.version;
  writeFileSync(join(dir, "old-roots.pem"), other.bundlePem);
  folder.reload();
  folder.reload();
  expect(told).toBe(1);
  expect(authority.bundle.roots.length).toBe(2);
  expect(authority.bundle.version).toBeGreaterThan(version);
});

test("parseTokens() repeats nothing of the file in its errors", () => {
  const error = parseTokens("t.json", '{"topsecret": {}}');
  expect(error).toBe("t.json: entry 1: its key is no sha256 in lower-case hex (64 characters)");
});
