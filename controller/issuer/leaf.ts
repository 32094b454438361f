/**
 * Leaves as they are signed (RFC 5280 §4.1), written by hand: a library for it takes 12 ms of the controller's one thread for
 * each, and a tenth of a megabyte that the collector then has to find (measured).
 */
import { createHash } from "node:crypto";
import {
  BIT_STRING,
  BOOLEAN,
  GENERALIZED_TIME,
  INTEGER,
  OBJECT_ID,
  OCTET_STRING,
  readChildren,
  readElement,
  SEQUENCE,
  SET,
  UTC_TIME,
  writeEcdsaSignature,
  writeElement,
} from "../../src/base/der.ts";
import { SIGNING_ALGORITHM } from "./_x509.ts";

export interface Leaf {
  /** Positive, big-endian, at most 20 bytes. */
  readonly serial: Uint8Array;
  /** Name in DER, as the issuer's certificate has it. */
  readonly issuerName: Uint8Array;
  readonly issuerKeyId: Uint8Array;
  /** Whole seconds, as milliseconds since 1970. */
  readonly notBeforeMs: number;
  readonly notAfterMs: number;
  /** At most 64 characters are kept: ub-common-name, RFC 5280 appendix A. */
  readonly commonName: string;
  readonly uri: string;
  readonly dnsNames: readonly string[];
  /** SubjectPublicKeyInfo in DER. */
  readonly publicKey: Uint8Array;
}

const MAX_COMMON_NAME = 64;
const UTF8_STRING = 0x0c;
/** Context-specific tags: of the certificate, of GeneralName, and of AuthorityKeyIdentifier. */
const VERSION = 0xa0;
const EXTENSIONS = 0xa3;
const DNS_NAME = 0x82;
const URI_NAME = 0x86;
const KEY_IDENTIFIER = 0x80;

const TRUE = writeElement(BOOLEAN, Uint8Array.of(0xff));
const VERSION_3 = writeElement(VERSION, writeElement(INTEGER, Uint8Array.of(2)));
/** ecdsa-with-SHA256, 1.2.840.10045.4.3.2 */
const ECDSA_WITH_SHA256 = sequence(objectId(0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x02));
const COMMON_NAME = objectId(0x55, 0x04, 0x03);
/** Extensions that are the same in all leaves. Not a CA: the field's default, which DER leaves out. */
const BASIC_CONSTRAINTS = critical(objectId(0x55, 0x1d, 0x13), sequence());
/** digitalSignature, the first of one bit. */
const KEY_USAGE = critical(objectId(0x55, 0x1d, 0x0f), writeElement(BIT_STRING, Uint8Array.of(7, 0x80)));
/** serverAuth and clientAuth, 1.3.6.1.5.5.7.3.1 and .2 */
const EXTENDED_KEY_USAGE = extension(
  objectId(0x55, 0x1d, 0x25),
  sequence(...[1, 2].map((purpose) => objectId(0x2b, 0x06, 0x01, 0x05, 0x05, 0x07, 0x03, purpose))),
);
const SUBJECT_ALTERNATIVE_NAME = objectId(0x55, 0x1d, 0x11);
const AUTHORITY_KEY_IDENTIFIER = objectId(0x55, 0x1d, 0x23);
const SUBJECT_KEY_IDENTIFIER = objectId(0x55, 0x1d, 0x0e);
/** From this year on dates are written with four digits of it (RFC 5280 §4.1.2.5). */
const FIRST_LONG_YEAR = 2050;

/** @param key of the issuer, ECDSA on P-256 @returns the certificate in DER */
export async function signLeaf(leaf: Leaf, key: CryptoKey): Promise<Uint8Array> {
  const content = toBeSigned(leaf);
  const raw = await crypto.subtle.sign(SIGNING_ALGORITHM, key, content);
  const signature = writeEcdsaSignature(new Uint8Array(raw));
  return sequence(content, ECDSA_WITH_SHA256, writeElement(BIT_STRING, new Uint8Array(1), signature));
}

/** The part of a certificate that its issuer signs, DER. */
export function toBeSigned(leaf: Leaf): Uint8Array<ArrayBuffer> {
  const commonName = writeElement(UTF8_STRING, utf8(leaf.commonName.slice(0, MAX_COMMON_NAME)));
  return Uint8Array.from(sequence(
    VERSION_3,
    writeElement(INTEGER, leaf.serial),
    ECDSA_WITH_SHA256,
    leaf.issuerName,
    sequence(time(leaf.notBeforeMs), time(leaf.notAfterMs)),
    sequence(writeElement(SET, sequence(COMMON_NAME, commonName))),
    leaf.publicKey,
    writeElement(
      EXTENSIONS,
      sequence(
        BASIC_CONSTRAINTS,
        KEY_USAGE,
        EXTENDED_KEY_USAGE,
        extension(SUBJECT_ALTERNATIVE_NAME, alternativeNames(leaf)),
        extension(AUTHORITY_KEY_IDENTIFIER, sequence(writeElement(KEY_IDENTIFIER, leaf.issuerKeyId))),
        extension(SUBJECT_KEY_IDENTIFIER, writeElement(OCTET_STRING, keyId(leaf.publicKey))),
      ),
    ),
  ));
}

/**
 * A key's identifier: SHA-1 of its bits (RFC 5280 §4.2.1.2, method 1).
 * @param publicKey SubjectPublicKeyInfo in DER @throws Error when it is none
 */
export function keyId(publicKey: Uint8Array): Uint8Array {
  const info = readElement(publicKey, 0, publicKey.length);
  const bits = info === null ? undefined : readChildren(publicKey, info)?.[1];
  if (bits?.tag !== BIT_STRING) throw new Error("no SubjectPublicKeyInfo in DER");
  return createHash("sha1").update(publicKey.subarray(bits.start + 1, bits.end)).digest(); // after the number of unused bits
}

function alternativeNames({ uri, dnsNames }: Leaf): Uint8Array {
  return sequence(writeElement(URI_NAME, utf8(uri)), ...dnsNames.map((name) => writeElement(DNS_NAME, utf8(name))));
}

function time(ms: number): Uint8Array {
  const date = new Date(ms);
  const digits = date.toISOString().replace(/\.\d+|[-:T]/g, ""); // 20261122031500Z
  return date.getUTCFullYear() < FIRST_LONG_YEAR
    ? writeElement(UTC_TIME, utf8(digits.slice(2)))
    : writeElement(GENERALIZED_TIME, utf8(digits));
}

function extension(id: Uint8Array, value: Uint8Array): Uint8Array {
  return sequence(id, writeElement(OCTET_STRING, value));
}

function critical(id: Uint8Array, value: Uint8Array): Uint8Array {
  return sequence(id, TRUE, writeElement(OCTET_STRING, value));
}

function objectId(...content: readonly number[]): Uint8Array {
  return writeElement(OBJECT_ID, Uint8Array.from(content));
}

function sequence(...parts: readonly Uint8Array[]): Uint8Array {
  return writeElement(SEQUENCE, ...parts);
}

function utf8(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}
