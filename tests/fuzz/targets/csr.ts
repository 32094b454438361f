import { verify } from "node:crypto";
import { checkCsr } from "../../../controller/issuer/csr.ts";
import { generateKey, makeCsr } from "../../../src/identity/csr.ts";
import { type Element, readChildren, readElement } from "../../../src/base/der.ts";
import { holds, type Target } from "../target.ts";

/** Of P-256. */
const NUMBER_BYTES = 32;
const ID = "spiffe://cluster.local/ns/shop/sa/web";
const CSR = await makeCsr(await generateKey(), ID);
const OTHER = await makeCsr(await generateKey(), "spiffe://cluster.local/ns/shop/sa/other");

export const target: Target = {
  about:
    "certificate requests at the issuer: refused with a reason, never an exception; a key is certified only if it has signed",
  seeds: [CSR, OTHER, "\x30\x03\x02\x01\x00", "\x30\x80", ""],
  dictionary: ["\x30\x82", "\x06\x03\x55\x1d\x11", "\x86\x39spiffe://", "\xa0\x5a", "\x31\x4b"],
  maxBytes: 800,
  async run(input) {
    const result = await checkCsr(input, ID);
    if ("code" in result) return holds(result.detail.length > 0, "no reason");
    const key = Buffer.from(result.rawData);
    holds(Buffer.from(input).includes(key), "a key is certified that is not in the request");
    holds(isSignedBy(input, key) !== false, "a key is certified that has not signed");
    holds(Buffer.from(input).includes(ID), "a request is taken that does not ask for its name");
  },
};

/**
 * PKCS#10 (RFC 2986 §4): what is signed, the algorithm, the signature. Null where the lengths are not DER: the issuer's library
 * does not look at all of them.
 */
function isSignedBy(request: Uint8Array, key: Buffer): boolean | null {
  const outer = readElement(request, 0, request.length);
  const parts = outer === null ? null : readChildren(request, outer);
  if (outer === null || parts?.length !== 3) return null;
  const [info, , signature] = parts as [Element, Element, Element]; // three
  const signed = request.subarray(outer.start, info.end);
  // Behind the unused bits and the head of the SEQUENCE.
  const r = readElement(request, signature.start + 3, signature.end);
  const s = r === null ? null : readElement(request, r.end, signature.end);
  if (r === null || s === null) return null;
  const raw = Buffer.concat([r, s].map(({ start, end }) => padded(request.subarray(start, end))));
  return verify("sha256", signed, { key, format: "der", type: "spki", dsaEncoding: "ieee-p1363" }, raw);
}

function padded(number: Uint8Array): Buffer {
  return Buffer.concat([Buffer.alloc(NUMBER_BYTES), number]).subarray(-NUMBER_BYTES);
}
