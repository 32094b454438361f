/** TCP segments in Ethernet frames (RFC 791, RFC 8200, RFC 9293), as far as a watcher needs them. */

/** One segment; the payload is a view on the frame. */
export interface Segment {
  readonly source: string;
  readonly sourcePort: number;
  readonly target: string;
  readonly targetPort: number;
  readonly sequence: number;
  readonly syn: boolean;
  readonly ack: boolean;
  readonly payload: Uint8Array;
}

const ETHERNET_BYTES = 14;
const TYPE_IPV4 = 0x0800;
const TYPE_IPV6 = 0x86dd;
const PROTOCOL_TCP = 6;
const FLAG_SYN = 2;
const FLAG_ACK = 16;

/** @returns the segment, or null when the frame carries none (or one that is cut short) */
export function readSegment(frame: Uint8Array): Segment | null {
  if (frame.length < ETHERNET_BYTES + 20) return null;
  const view = new DataView(frame.buffer, frame.byteOffset, frame.byteLength);
  const type = view.getUint16(12);
  if (type === TYPE_IPV4) return readIpv4(frame, view);
  if (type === TYPE_IPV6) return readIpv6(frame, view);
  return null;
}

function readIpv4(frame: Uint8Array, view: DataView): Segment | null {
  const at = ETHERNET_BYTES;
  const headerBytes = (view.getUint8(at) & 15) * 4;
  const total = view.getUint16(at + 2);
  const fragment = view.getUint16(at + 6) & 0x3fff;
  if (headerBytes < 20 || view.getUint8(at + 9) !== PROTOCOL_TCP || (fragment & 0x1fff) !== 0) return null;
  const end = at + total;
  if (end > frame.length) return null;
  const [source, target] = [frame.subarray(at + 12, at + 16).join("."), frame.subarray(at + 16, at + 20).join(".")];
  return readTcp(frame, view, at + headerBytes, end, source, target);
}

function readIpv6(frame: Uint8Array, view: DataView): Segment | null {
  const at = ETHERNET_BYTES;
  if (frame.length < at + 40 || view.getUint8(at + 6) !== PROTOCOL_TCP) return null;
  const end = at + 40 + view.getUint16(at + 4);
  if (end > frame.length) return null;
  const groups = (from: number) =>
    Array.from({ length: 8 }, (_, i) => view.getUint16(from + 2 * i).toString(16)).join(":");
  return readTcp(frame, view, at + 40, end, groups(at + 8), groups(at + 24));
}

function readTcp(
  frame: Uint8Array,
  view: DataView,
  at: number,
  end: number,
  source: string,
  target: string,
): Segment | null {
  if (at + 20 > end) return null;
  const headerBytes = (view.getUint8(at + 12) >> 4) * 4;
  if (headerBytes < 20 || at + headerBytes > end) return null;
  const flags = view.getUint8(at + 13);
  return {
    source,
    sourcePort: view.getUint16(at),
    target,
    targetPort: view.getUint16(at + 2),
    sequence: view.getUint32(at + 4),
    syn: (flags & FLAG_SYN) !== 0,
    ack: (flags & FLAG_ACK) !== 0,
    payload: frame.subarray(at + headerBytes, end),
  };
}
