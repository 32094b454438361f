/** What a certificate request must be before it is signed. */
import { KEY_ALGORITHM, OID_SUBJECT_ALTERNATIVE_NAME, x509 } from "./_x509.ts";
import type { Refusal } from "../core/issuing.ts";

/** Largest request, bytes: one with a P-256 key and a name has about 400. */
const MAX_CSR_BYTES = 16 * 1024;

/**
 * Checks a request: its form, its signature (the caller has the key), the kind of key, and that it asks for no other name.
 * @param spiffeId the identity the token stands for
 * @returns the public key to certify, or why not
 */
export async function checkCsr(der: Uint8Array, spiffeId: string): Promise<x509.PublicKey | Refusal> {
  if (der.length === 0 || der.length > MAX_CSR_BYTES) {
    return invalid(`found ${der.length} bytes, want a PKCS#10 request in DER of at most ${MAX_CSR_BYTES}`);
  }
  let request: x509.Pkcs10CertificateRequest;
  let signed: boolean;
  let names: readonly { readonly type: string; readonly value: string }[];
  try {
    request = new x509.Pkcs10CertificateRequest(Uint8Array.from(der));
    const { algorithm } = request.publicKey;
    if (
      algorithm.name !== KEY_ALGORITHM.name || (algorithm as EcKeyAlgorithm).namedCurve !== KEY_ALGORITHM.namedCurve
    ) {
      return invalid(`found a key of ${algorithm.name}, want ECDSA on P-256`); // EcKeyAlgorithm by its name
    }
    signed = await request.verify();
    // By OID: the look-up by class finds nothing on a request.
    const extension = request.getExtension(OID_SUBJECT_ALTERNATIVE_NAME);
    names = extension === null || extension === undefined
      ? []
      : new x509.SubjectAlternativeNameExtension(extension.rawData).names.items;
  } catch (error) {
    return invalid(`no PKCS#10 request in DER: ${error instanceof Error ? error.message : String(error)}`);
  }
  if (!signed) return invalid("its signature is wrong: sign the request with the key it carries");
  const uris = names.filter((name) => name.type === "url").map((name) => name.value);
  if (uris.length > 1) return invalid(`found ${uris.length} URI names, want at most one`);
  if (uris.length === 1 && uris[0] !== spiffeId) {
    const detail = `the request asks for ${uris[0]}, the token stands for ${spiffeId}`;
    return { code: "permission_denied", detail };
  }
  return request.publicKey;
}

function invalid(detail: string): Refusal {
  return { code: "invalid_argument", detail: `bad certificate request: ${detail}` };
}
