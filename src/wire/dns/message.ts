/**
 * What an observer of DNS needs of its messages (RFC 1035 §4.1): which question they are about, and what an answer says of
 * addresses. Nothing is believed of lengths and counts; the sections behind the answers are not looked at.
 *
 *   header   id(2) flags(2) questions(2) answers(2) authorities(2) additionals(2)
 *   question name type(2) class(2)
 *   record   name type(2) class(2) ttl(4) length(2) data
 */
import { HEADER_BYTES, readName } from "./name.ts";
import { readService } from "./service.ts";

export { HEADER_BYTES };

/** Types of records. */
export const A = 1;
export const CNAME = 5;
export const AAAA = 28;
export const SVCB = 64;
export const HTTPS = 65;
/** The class of the Internet. */
const IN = 1;

/** Most records of an answer that are read: names with more addresses than that are no names of servers. */
export const MAX_ANSWERS = 512;

/** The header and the question of a message. */
export interface DnsHead {
  readonly id: number;
  readonly isResponse: boolean;
  /** 0 for a query. */
  readonly opcode: number;
  /** It did not fit: ask by TCP. */
  readonly isTruncated: boolean;
  /** 0 for success; without the upper bits of EDNS. */
  readonly rcode: number;
  /** Records in the section of answers, as the message says it. */
  readonly answers: number;
  /** Null when it has none, as some refusals do. */
  readonly question: DnsQuestion | null;
  /** Where the answers begin. */
  readonly end: number;
}

export interface DnsQuestion {
  /** See ReadName. */
  readonly name: string;
  readonly type: number;
  readonly class: number;
}

/** What a record says of the addresses of `name`. */
export type DnsAnswer =
  | { readonly kind: "address"; readonly name: string; readonly ttlS: number; readonly address: Uint8Array }
  /** Another name has the addresses. */
  | { readonly kind: "alias"; readonly name: string; readonly ttlS: number; readonly target: string }
  /** Addresses at which a service may be tried at once (RFC 9460 §7.3). */
  | { readonly kind: "hints"; readonly name: string; readonly ttlS: number; readonly addresses: readonly Uint8Array[] };

/** @returns null when it is no message, or has more than one question: nobody sends or answers that (RFC 9619) */
export function readHead(bytes: Uint8Array): DnsHead | null {
  if (bytes.length < HEADER_BYTES) return null;
  const flags = uint16(bytes, 2);
  const questions = uint16(bytes, 4);
  if (questions > 1) return null;
  let question: DnsQuestion | null = null;
  let end = HEADER_BYTES;
  if (questions === 1) {
    const found = readName(bytes, HEADER_BYTES, false);
    if (found === null || found.end + 4 > bytes.length) return null;
    question = { name: found.name, type: uint16(bytes, found.end), class: uint16(bytes, found.end + 2) };
    end = found.end + 4;
  }
  return {
    id: uint16(bytes, 0),
    isResponse: flags >= 0x8000,
    opcode: (flags >>> 11) & 15,
    isTruncated: (flags & 0x0200) !== 0,
    rcode: flags & 15,
    answers: uint16(bytes, 6),
    question,
    end,
  };
}

/** Whether both ask the same; letters of either case are the same (RFC 1035 §2.3.3). */
export function isSameQuestion(one: DnsQuestion | null, other: DnsQuestion | null): boolean {
  if (one === null || other === null) return one === other;
  return one.name === other.name && one.type === other.type && one.class === other.class;
}

/**
 * What the answers of a message say of addresses, in their order; others are left out.
 *
 * @returns null when a record is malformed, or does not fit
 */
export function readAnswers(bytes: Uint8Array, head: DnsHead): DnsAnswer[] | null {
  const found: DnsAnswer[] = [];
  let at = head.end;
  if (head.answers > MAX_ANSWERS) return null;
  for (let i = 0; i < head.answers; i++) {
    const owner = readName(bytes, at);
    if (owner === null || owner.end + 10 > bytes.length) return null;
    const type = uint16(bytes, owner.end);
    const start = owner.end + 10;
    const end = start + uint16(bytes, owner.end + 8);
    if (end > bytes.length) return null;
    at = end;
    if (uint16(bytes, owner.end + 2) !== IN || !isKnown(type)) continue;
    const answer = readRecord(bytes, owner.name, type, readTtl(bytes, owner.end + 4), start, end);
    if (answer === null) return null;
    found.push(answer);
  }
  return found;
}

function isKnown(type: number): boolean {
  return type === A || type === AAAA || type === CNAME || type === SVCB || type === HTTPS;
}

function readRecord(
  bytes: Uint8Array,
  name: string,
  type: number,
  ttlS: number,
  start: number,
  end: number,
): DnsAnswer | null {
  if (type === A || type === AAAA) {
    if (end - start !== (type === A ? 4 : 16)) return null;
    return { kind: "address", name, ttlS, address: bytes.slice(start, end) };
  }
  if (type === CNAME) {
    const target = readName(bytes, start);
    return target === null || target.end !== end ? null : { kind: "alias", name, ttlS, target: target.name };
  }
  const service = readService(bytes, start, end);
  if (service === null) return null;
  return service.isAlias
    ? { kind: "alias", name, ttlS, target: service.target }
    : { kind: "hints", name, ttlS, addresses: service.hints };
}

/** Seconds; with the first bit set it counts as 0 (RFC 2181 §8). */
function readTtl(bytes: Uint8Array, at: number): number {
  const high = uint16(bytes, at);
  return high >= 0x8000 ? 0 : high * 0x10000 + uint16(bytes, at + 2);
}

/** In range: checked by the callers. */
function uint16(bytes: Uint8Array, at: number): number {
  return ((bytes[at] as number) << 8) | (bytes[at + 1] as number);
}
