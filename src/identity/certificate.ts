/**
 * What the mesh needs to know of a certificate (RFC 5280): its dates, its URI names, its public key. The signature and
 * chain are TLS's business. Read from DER, since the runtime's text form of names leaves room for forgeries.
 */
import { bad, ok, type Result } from "../base/result.ts";
import {
  BIT_STRING,
  BOOLEAN,
  contentsAre,
  type Element,
  GENERALIZED_TIME,
  OBJECT_ID,
  OCTET_STRING,
  readChildren,
  readElement,
  SEQUENCE,
  UTC_TIME,
} from "../base/der.ts";

/** Facts of one certificate. */
export interface CertificateFacts {
  /** Milliseconds since the epoch. */
  readonly notBeforeMs: number;
  readonly notAfterMs: number;
  /** All URI subject alternative names, in order. */
  readonly uris: readonly string[];
  /** It is a CA's, or its key may sign certificates or revocation lists. */
  readonly maySign: boolean;
  /** SubjectPublicKeyInfo in DER. */
  readonly publicKey: Uint8Array;
}

/** id-ce-subjectAltName, 2.5.29.17 */
export const SUBJECT_ALT_NAME = new Uint8Array([0x55, 0x1d, 0x11]);
/** id-ce-keyUsage, 2.5.29.15, a BIT STRING: behind the number of its unused bits keyCertSign and cRLSign among others. */
const KEY_USAGE = new Uint8Array([0x55, 0x1d, 0x0f]);
const SIGNING_BITS = 0x06;
/** id-ce-basicConstraints, 2.5.29.19: a SEQUENCE that begins with a BOOLEAN where the certificate is a CA's. */
const BASIC_CONSTRAINTS = new Uint8Array([0x55, 0x1d, 0x13]);
/** uniformResourceIdentifier of GeneralName: [6] IA5String. */
export const URI_NAME = 0x86;
/** All forms of GeneralName (RFC 5280 §4.2.1.6), [0] to [8]. */
const GENERAL_NAMES = [0xa0, 0x81, 0x82, 0xa3, 0xa4, 0xa5, URI_NAME, 0x87, 0x88];
const VERSION_TAG = 0xa0;
const EXTENSIONS_TAG = 0xa3;

/** Reads a certificate in DER. */
export function parseCertificate(der: Uint8Array): Result<CertificateFacts> {
  const malformed = bad("certificate", "malformed DER", "an X.509 version 3 certificate");
  const outer = readElement(der, 0, der.length);
  const tbs = outer === null || outer.tag !== SEQUENCE ? null : readElement(der, outer.start, outer.end);
  const parts = tbs === null ? null : readChildren(der, tbs);
  if (parts === null) return malformed;
  const first = parts[0]?.tag === VERSION_TAG ? 1 : 0;
  const validity = parts[first + 3];
  const key = parts[first + 5];
  const dates = validity === undefined ? null : readChildren(der, validity);
  if (dates === null || dates.length !== 2 || key === undefined) return malformed;
  const notBeforeMs = readTime(der, dates[0] as Element); // two dates
  const notAfterMs = readTime(der, dates[1] as Element);
  const extensions = readExtensions(der, parts.find((part) => part.tag === EXTENSIONS_TAG));
  if (Number.isNaN(notBeforeMs) || Number.isNaN(notAfterMs) || extensions === null) return malformed;
  // The key's element starts where the subject before it ends.
  const publicKey = der.slice((parts[first + 4] as Element).end, key.end);
  return ok({ notBeforeMs, notAfterMs, ...extensions, publicKey });
}

/** @returns milliseconds, NaN when it is no time of RFC 5280 §4.1.2.5 */
function readTime(der: Uint8Array, element: Element): number {
  let text = latin1(der, element);
  if (element.tag === UTC_TIME) text = (Number(text.slice(0, 2)) >= 50 ? "19" : "20") + text;
  else if (element.tag !== GENERALIZED_TIME) return NaN;
  const m = /^(\d{4})(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)Z$/.exec(text);
  return m === null ? NaN : Date.parse(`${m[1]}-${m[2]}-${m[3]}T${m[4]}:${m[5]}:${m[6]}Z`);
}

function readExtensions(
  der: Uint8Array,
  wrapper: Element | undefined,
): Pick<CertificateFacts, "uris" | "maySign"> | null {
  if (wrapper === undefined) return { uris: [], maySign: false };
  const list = readElement(der, wrapper.start, wrapper.end);
  const extensions = list === null ? null : readChildren(der, list);
  if (extensions === null) return null;
  let uris: string[] | null = null;
  let maySign = false;
  for (const extension of extensions) {
    const fields = readChildren(der, extension);
    const id = fields?.[0];
    const value = fields?.at(-1);
    if (id === undefined || value === undefined || id.tag !== OBJECT_ID || value.tag !== OCTET_STRING) return null;
    if (contentsAre(der, id, SUBJECT_ALT_NAME)) {
      if (uris !== null) return null; // RFC 5280 §4.2: each extension once
      uris = readUris(der, value);
      if (uris === null) return null;
    } else if (contentsAre(der, id, KEY_USAGE)) {
      const bits = readElement(der, value.start, value.end);
      if (bits === null || bits.tag !== BIT_STRING) return null;
      if (bits.end - bits.start > 1 && ((der[bits.start + 1] as number) & SIGNING_BITS) !== 0) maySign = true; // in range
    } else if (contentsAre(der, id, BASIC_CONSTRAINTS)) {
      const list = readElement(der, value.start, value.end);
      const constraints = list === null ? null : readChildren(der, list);
      if (constraints === null) return null;
      const [first] = constraints;
      if (first?.tag === BOOLEAN && der[first.start] !== 0) maySign = true;
    }
  }
  return { uris: uris ?? [], maySign };
}

function readUris(der: Uint8Array, value: Element): string[] | null {
  const names = readElement(der, value.start, value.end);
  // Where the list or a name in it is malformed TLS finds no names at all: what it does not see must not count here.
  if (names === null || names.tag !== SEQUENCE || names.end !== value.end) return null;
  const items = readChildren(der, names);
  if (items === null || !items.every((item) => GENERAL_NAMES.includes(item.tag))) return null;
  return items.filter((item) => item.tag === URI_NAME).map((item) => latin1(der, item));
}

function latin1(der: Uint8Array, element: Element): string {
  let text = "";
  for (let i = element.start; i < element.end; i++) text += String.fromCharCode(der[i] as number); // in range
  return text;
}
