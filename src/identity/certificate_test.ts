import { expect, test } from "bun:test";
import fc from "fast-check";
import { X509Certificate } from "node:crypto";
import { createCa } from "../../tests/support/certificates.ts";
import { parseCertificate } from "./certificate.ts";
import { fromPem, toPem } from "./pem.ts";

const ca = await createCa();
const leaf = await ca.issue({
  uris: ["spiffe://cluster.local/ns/shop/sa/front", "spiffe://x/y"],
  dnsNames: ["mesh.tulle.dev, URI:spiffe://forged/z"],
  notBefore: new Date(Date.UTC(2026, 0, 2, 3, 4, 5)),
  notAfter: new Date(Date.UTC(2051, 5, 1)), // GeneralizedTime from 2050 on (RFC 5280 §4.1.2.5)
});
const der = fromPem("CERTIFICATE", leaf.certificate)[0] as Uint8Array;

test("parseCertificate() reads dates, URI names and key as another implementation does", () => {
  const facts = parseCertificate(der);
  if (!facts.ok) throw new Error(facts.error);
  const reference = new X509Certificate(leaf.certificate);
  expect(facts.value.notBeforeMs).toBe(Date.UTC(2026, 0, 2, 3, 4, 5));
  expect(facts.value.notAfterMs).toBe(Date.UTC(2051, 5, 1));
  // The DNS name that pretends to hold a URI is not among them.
  expect(facts.value.uris).toEqual(["spiffe://cluster.local/ns/shop/sa/front", "spiffe://x/y"]);
  expect(facts.value.publicKey).toEqual(new Uint8Array(reference.publicKey.export({ type: "spki", format: "der" })));
});

test("parseCertificate() gives facts or an error for any damage", () => {
  fc.assert(
    fc.property(fc.nat(der.length - 1), fc.nat(255), fc.nat(der.length), (at, byte, length) => {
      const damaged = der.slice(0, length);
      if (at < length) damaged[at] = byte;
      const facts = parseCertificate(damaged);
      expect(typeof facts.ok).toBe("boolean");
      if (length < der.length) expect(facts.ok && facts.value.uris.length > 2).toBe(false);
    }),
    { numRuns: 2000 },
  );
});

test("parseCertificate() refuses names that are no SEQUENCE, in which TLS finds none", () => {
  const at = Buffer.from(der).indexOf(Buffer.from([0x06, 0x03, 0x55, 0x1d, 0x11])) + 5;
  const list = at + (der[at] === 0x01 ? 3 : 0) + 2; // behind `critical`, inside of the OCTET STRING
  const long = der[list - 1] === 0x81 ? 1 : 0;
  expect(der[list + long]).toBe(0x30);
  const damaged = der.slice();
  damaged[list + long] = 0x31;
  expect(parseCertificate(damaged).ok).toBe(false);
});

test("parseCertificate() refuses a list of names with an element that is none", () => {
  const at = Buffer.from(der).indexOf("spiffe://x/y") - 2;
  expect(der[at]).toBe(0x86);
  const damaged = der.slice();
  damaged[at] = 0x61;
  expect(parseCertificate(damaged).ok).toBe(false);
});

test("toPem() and fromPem() round-trip several blocks and leave out what is no base64", () => {
  const a = new Uint8Array(100).fill(7);
  const text = `${toPem("X", a)}noise\n${toPem("Y", a)}-----BEGIN X-----\n!!\n-----END X-----\n${toPem("X", der)}`;
  expect(fromPem("X", text)).toEqual([a, der]);
});
