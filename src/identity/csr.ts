/** Key pairs and certificate requests (PKCS#10, RFC 2986), written by hand: a library for it costs 19 MB of memory. */
import { SUBJECT_ALT_NAME, URI_NAME } from "./certificate.ts";
import {
  BIT_STRING,
  INTEGER,
  OBJECT_ID,
  OCTET_STRING,
  SEQUENCE,
  SET,
  writeEcdsaSignature,
  writeElement,
} from "../base/der.ts";
import { toPem } from "./pem.ts";

/** A private key in memory, and its public half. */
export interface WorkloadKey {
  /** PKCS#8. */
  readonly privatePem: string;
  /** SubjectPublicKeyInfo in DER. */
  readonly publicKey: Uint8Array;
  readonly pair: CryptoKeyPair;
}

const ECDSA_P256 = { name: "ECDSA", namedCurve: "P-256" } as const;
/** ecdsa-with-SHA256, 1.2.840.10045.4.3.2 */
const ECDSA_WITH_SHA256 = new Uint8Array([0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x02]);
/** extensionRequest, 1.2.840.113549.1.9.14 */
const EXTENSION_REQUEST = new Uint8Array([0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x09, 0x0e]);
const ATTRIBUTES_TAG = 0xa0;

/** Makes a new ECDSA P-256 key. */
export async function generateKey(): Promise<WorkloadKey> {
  const pair = await crypto.subtle.generateKey(ECDSA_P256, true, ["sign", "verify"]) as CryptoKeyPair; // ECDSA gives a pair
  const pkcs8 = new Uint8Array(await crypto.subtle.exportKey("pkcs8", pair.privateKey));
  const publicKey = new Uint8Array(await crypto.subtle.exportKey("spki", pair.publicKey));
  return { privatePem: toPem("PRIVATE KEY", pkcs8), publicKey, pair };
}

/**
 * Makes a request for the key, signed by it.
 *
 * @param spiffeId asked for as URI SAN; null leaves the name to the token
 * @returns PKCS#10 in DER
 */
export async function makeCsr(key: WorkloadKey, spiffeId: string | null): Promise<Uint8Array> {
  const info = writeElement(
    SEQUENCE,
    writeElement(INTEGER, new Uint8Array(1)), // version 0
    writeElement(SEQUENCE), // no subject: the name is in the SAN
    key.publicKey,
    writeElement(ATTRIBUTES_TAG, ...(spiffeId === null ? [] : [sanRequest(spiffeId)])),
  );
  const algorithm = { name: "ECDSA", hash: "SHA-256" };
  const raw = new Uint8Array(await crypto.subtle.sign(algorithm, key.pair.privateKey, info as Uint8Array<ArrayBuffer>)); // not shared
  return writeElement(
    SEQUENCE,
    info,
    writeElement(SEQUENCE, writeElement(OBJECT_ID, ECDSA_WITH_SHA256)),
    writeElement(BIT_STRING, new Uint8Array(1), writeEcdsaSignature(raw)),
  );
}

function sanRequest(uri: string): Uint8Array {
  const names = writeElement(SEQUENCE, writeElement(URI_NAME, new TextEncoder().encode(uri)));
  const extension = writeElement(
    SEQUENCE,
    writeElement(OBJECT_ID, SUBJECT_ALT_NAME),
    writeElement(OCTET_STRING, names),
  );
  return writeElement(
    SEQUENCE,
    writeElement(OBJECT_ID, EXTENSION_REQUEST),
    writeElement(SET, writeElement(SEQUENCE, extension)),
  );
}
