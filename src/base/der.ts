/** The little of DER (X.690) that certificate requests and names in certificates need. */

export const BOOLEAN = 0x01;
export const INTEGER = 0x02;
export const BIT_STRING = 0x03;
export const OCTET_STRING = 0x04;
export const OBJECT_ID = 0x06;
export const UTC_TIME = 0x17;
export const GENERALIZED_TIME = 0x18;
export const SEQUENCE = 0x30;
export const SET = 0x31;

/** One element: its tag and where its contents lie. */
export interface Element {
  readonly tag: number;
  readonly start: number;
  readonly end: number;
}

/**
 * Reads the element at `at`, which must end at or before `end`.
 *
 * @returns the element, or null when it is malformed; its successor starts at its `end`
 */
export function readElement(bytes: Uint8Array, at: number, end: number): Element | null {
  if (at < 0 || end > bytes.length || at + 2 > end) return null;
  const tag = bytes[at] as number; // in range
  if ((tag & 0x1f) === 0x1f) return null; // tags of several bytes: none in what we read
  let length = bytes[at + 1] as number; // in range
  let start = at + 2;
  if (length >= 0x80) {
    const count = length & 0x7f;
    if (count === 0 || count > 4 || start + count > end) return null; // indefinite form is not DER
    length = 0;
    for (let i = 0; i < count; i++) length = length * 256 + (bytes[start + i] as number); // in range
    start += count;
  }
  return length > end - start ? null : { tag, start, end: start + length };
}

/** The elements inside of one, or null when they do not fill it exactly. */
export function readChildren(bytes: Uint8Array, parent: Element): Element[] | null {
  const out: Element[] = [];
  for (let at = parent.start; at < parent.end;) {
    const child = readElement(bytes, at, parent.end);
    if (child === null) return null;
    out.push(child);
    at = child.end;
  }
  return out;
}

/** Whether the contents of an element are these bytes. */
export function contentsAre(bytes: Uint8Array, element: Element, wanted: Uint8Array): boolean {
  if (element.end - element.start !== wanted.length) return false;
  for (let i = 0; i < wanted.length; i++) if (bytes[element.start + i] !== wanted[i]) return false;
  return true;
}

/** Writes an element whose contents are the parts in a row. */
export function writeElement(tag: number, ...parts: readonly Uint8Array[]): Uint8Array {
  let length = 0;
  for (const part of parts) length += part.length;
  const head = [tag];
  if (length < 0x80) head.push(length);
  else {
    const octets: number[] = [];
    for (let rest = length; rest > 0; rest = Math.floor(rest / 256)) octets.unshift(rest & 0xff);
    head.push(0x80 | octets.length, ...octets);
  }
  const out = new Uint8Array(head.length + length);
  out.set(head);
  let at = head.length;
  for (const part of parts) {
    out.set(part, at);
    at += part.length;
  }
  return out;
}

/** Writes a non-negative integer given as big-endian bytes. */
export function writeUnsigned(value: Uint8Array): Uint8Array {
  let first = 0;
  while (first < value.length - 1 && value[first] === 0) first++;
  const digits = value.subarray(first);
  const pad = (digits[0] ?? 0) >= 0x80; // would read as negative
  return pad ? writeElement(INTEGER, new Uint8Array(1), digits) : writeElement(INTEGER, digits);
}

/** Writes an Ecdsa-Sig-Value (RFC 3279 §2.2.3). @param raw its two numbers in a row, as WebCrypto gives them */
export function writeEcdsaSignature(raw: Uint8Array): Uint8Array {
  const half = raw.length / 2;
  return writeElement(SEQUENCE, writeUnsigned(raw.subarray(0, half)), writeUnsigned(raw.subarray(half)));
}
