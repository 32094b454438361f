import "reflect-metadata";
import { Pkcs10CertificateRequest, SubjectAlternativeNameExtension } from "@peculiar/x509";
import { expect, test } from "bun:test";
import { createPrivateKey, createPublicKey } from "node:crypto";
import { generateKey, makeCsr } from "./csr.ts";
import { toPem } from "./pem.ts";

const ID = "spiffe://cluster.local/ns/shop/sa/front";
// OID: by class, this library does not find extensions of a request.
const SAN_OID = "2.5.29.17";

test("makeCsr() makes a request that another implementation verifies, with the URI SAN", async () => {
  const key = await generateKey();
  const csr = new Pkcs10CertificateRequest(await makeCsr(key, ID) as Uint8Array<ArrayBuffer>);
  const san = csr.getExtension(SAN_OID) as SubjectAlternativeNameExtension;
  expect(await csr.verify()).toBe(true);
  expect(san.names.items.map((name) => [name.type, name.value])).toEqual([["url", ID]]);
  expect(Buffer.from(csr.publicKey.rawData).toString("hex")).toBe(Buffer.from(key.publicKey).toString("hex"));
});

test("makeCsr() makes requests that openssl verifies, whatever the signature's digits", async () => {
  for (let i = 0; i < 8; i++) { // each half starts with a high bit or zero octet in some of them
    const key = await generateKey();
    const pem = toPem("CERTIFICATE REQUEST", await makeCsr(key, i % 2 === 0 ? ID : null));
    const run = Bun.spawnSync(["openssl", "req", "-verify", "-noout", "-text"], { stdin: Buffer.from(pem) });
    const output = run.stdout.toString() + run.stderr.toString();
    expect(output).toContain("verify OK");
    expect(output.includes(`URI:${ID}`)).toBe(i % 2 === 0);
  }
});

test("generateKey() gives a private key in PEM whose public half is the request's", async () => {
  const key = await generateKey();
  const spki = createPublicKey(createPrivateKey(key.privatePem)).export({ type: "spki", format: "der" });
  expect(spki.toString("hex")).toBe(Buffer.from(key.publicKey).toString("hex"));
});
