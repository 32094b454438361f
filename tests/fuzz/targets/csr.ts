import { checkCsr } from "../../../controller/issuer/csr.ts";
import { generateKey, makeCsr } from "../../../src/identity/csr.ts";
import { holds, type Target } from "../target.ts";

const ID = "spiffe://cluster.local/ns/shop/sa/web";
const CSR = await makeCsr(await generateKey(), ID);
const OTHER = await makeCsr(await generateKey(), "spiffe://cluster.local/ns/shop/sa/other");

export const target: Target = {
  about:
    "certificate requests at the issuer: refused with a reason, never an exception; one changed byte breaks the signature",
  seeds: [CSR, OTHER, "\x30\x03\x02\x01\x00", "\x30\x80", ""],
  dictionary: ["\x30\x82", "\x06\x03\x55\x1d\x11", "\x86\x39spiffe://", "\xa0\x5a", "\x31\x4b"],
  maxBytes: 800,
  async run(input) {
    const result = await checkCsr(input, ID);
    if ("code" in result) holds(result.detail.length > 0, "no reason");
    else holds(Buffer.compare(input, CSR) === 0, "a request is taken that was not signed so");
  },
};
