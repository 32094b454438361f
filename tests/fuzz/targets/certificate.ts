import { X509Certificate } from "node:crypto";
import { readChildren, readElement } from "../../../src/base/der.ts";
import { parseCertificate } from "../../../src/identity/certificate.ts";
import { verifyCertificate } from "../../../src/identity/verify.ts";
import { createCa } from "../../support/certificates.ts";
import { agree, holds, type Target } from "../target.ts";

const ca = await createCa();
const names = { uris: ["spiffe://cluster.local/ns/shop/sa/web"], dnsNames: ["mesh.tulle.dev"] };
const LEAVES = [names, { ...names, uris: [...names.uris, "spiffe://a/b"] }, { dnsNames: ["a"] }, {
  uris: ["https://a, URI:b"],
  ips: ["10.0.0.1"],
}];
const SEEDS = await Promise.all(LEAVES.map(async (one) => derOf((await ca.issue(one)).certificate)));

export const target: Target = {
  about: "DER, certificates and SPIFFE IDs in them: never an exception, and the URI names that the runtime finds",
  seeds: [
    ...SEEDS,
    derOf(ca.certificate),
    "\x30\x03\x02\x01\x01",
    "\x30\x80\x00\x00",
    "\x30\x84\xff\xff\xff\xff",
    "\x1f\x81\x01\x00",
  ],
  dictionary: [
    "\x30\x82",
    "\x06\x03\x55\x1d\x11",
    "\x86\x39spiffe://",
    "\xa3\x81",
    "\x17\x0d240101000000Z",
    "\x18\x0f20240101000000Z",
  ],
  maxBytes: 1000,
  run(input) {
    const element = readElement(input, 0, input.length);
    if (element !== null) {
      holds(
        element.start >= 2 && element.end >= element.start && element.end <= input.length,
        "an element beyond the bytes",
      );
      for (const child of readChildren(input, element) ?? []) {
        holds(child.start >= element.start && child.end <= element.end, "a child beyond its parent");
      }
    }
    const facts = parseCertificate(input);
    const peer = verifyCertificate(input, { nowMs: 1_800_000_000_000, trustDomain: null, expected: null });
    holds(facts.ok || !peer.ok, "a malformed certificate is accepted");
    if (peer.ok) {
      holds(/^spiffe:\/\/[a-z0-9._-]+(\/[A-Za-z0-9._-]+)*$/.test(peer.spiffeId), `identity ${peer.spiffeId}`);
    }
    if (!facts.ok) return;
    const theirs = readByRuntime(input);
    if (theirs === null) return; // it is stricter
    if (!facts.value.uris.every((uri) => /^[A-Za-z0-9:/._-]+$/.test(uri))) return; // it quotes and escapes others
    agree("URI names", facts.value.uris, theirs);
  },
};

function readByRuntime(der: Uint8Array): string[] | null {
  try {
    const names = new X509Certificate(der).subjectAltName ?? "";
    return names.split(", ").flatMap((name) => name.startsWith("URI:") ? [name.slice(4)] : []);
  } catch {
    return null; // it throws where the bytes are no certificate
  }
}

function derOf(pem: string): Uint8Array {
  return Buffer.from(pem.replace(/-----[^-]+-----|\s/g, ""), "base64");
}
