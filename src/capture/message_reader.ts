/** Reads netlink answers without trusting a length in them. */
import { align4 } from "./message_writer.ts";

/** Types that every netlink family shares (linux/netlink.h). */
export const NLMSG_ERROR = 2;
export const NLMSG_DONE = 3;
/** Extended ack: text of the kernel about the error. */
const NLMSGERR_ATTR_MSG = 1;
/** The error message does not repeat the request. */
const NLM_F_CAPPED = 0x100;
/** The error message carries attributes. */
const NLM_F_ACK_TLVS = 0x200;

/** One message of an answer; offsets count in the bytes it was read from. */
export interface ReadMessage {
  readonly type: number;
  readonly flags: number;
  readonly sequence: number;
  /** Start and end of what follows the header. */
  readonly start: number;
  readonly end: number;
}

/** Splits bytes into messages; stops at the first that does not fit. */
export function readMessages(bytes: Uint8Array): ReadMessage[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const out: ReadMessage[] = [];
  for (let at = 0; at + 16 <= bytes.length;) {
    const length = view.getUint32(at, true);
    if (length < 16 || at + length > bytes.length) break;
    out.push({
      type: view.getUint16(at + 4, true),
      flags: view.getUint16(at + 6, true),
      sequence: view.getUint32(at + 8, true),
      start: at + 16,
      end: at + length,
    });
    at += align4(length);
  }
  return out;
}

/** Attributes between two offsets, by type (the last of a type wins); values are views on the bytes. */
export function readAttributes(bytes: Uint8Array, start: number, end: number): Map<number, Uint8Array> {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const out = new Map<number, Uint8Array>();
  for (let at = start; at + 4 <= end;) {
    const length = view.getUint16(at, true);
    if (length < 4 || at + length > end) break;
    out.set(view.getUint16(at + 2, true) & 0x3fff, bytes.subarray(at + 4, at + length));
    at += align4(length);
  }
  return out;
}

/** Error of an NLMSG_ERROR message: number (0 is success) and the kernel's own words, if it gave any. */
export function readAck(bytes: Uint8Array, message: ReadMessage): { errno: number; detail: string } {
  if (message.end - message.start < 20) return { errno: 5, detail: "truncated answer" };
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const errno = -view.getInt32(message.start, true);
  if ((message.flags & NLM_F_ACK_TLVS) === 0) return { errno, detail: "" };
  const echoed = view.getUint32(message.start + 4, true);
  const skip = (message.flags & NLM_F_CAPPED) !== 0 ? 20 : 4 + align4(echoed);
  if (skip < 20 || skip > message.end - message.start) return { errno, detail: "" };
  const text = readAttributes(bytes, message.start + skip, message.end).get(NLMSGERR_ATTR_MSG);
  return { errno, detail: text === undefined ? "" : readText(text) };
}

/** Zero-terminated text of an attribute. */
export function readText(value: Uint8Array): string {
  const end = value.indexOf(0);
  return new TextDecoder().decode(end < 0 ? value : value.subarray(0, end));
}

/** 32 bits in host order, 0 when the attribute is too short. */
export function readU32(value: Uint8Array): number {
  if (value.length < 4) return 0;
  return new DataView(value.buffer, value.byteOffset, value.byteLength).getUint32(0, true);
}
