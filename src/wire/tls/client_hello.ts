/**
 * The name that a TLS client asks for (RFC 6066 §3), read from the first bytes of its connection without ending TLS.
 *
 *   record    type(1)=22 version(2) length(2) fragment…              RFC 8446 §5.1
 *   handshake type(1)=1  length(3)  ClientHello                      §4.1.2
 *   hello     version(2) random(32) session<1> suites<2> compression<1> extensions<2>
 *   extension type(2)    length(2)  data; 0 is server_name: list<2> of type(1)=0 name<2>
 */

/** Longest ClientHello that is read, bytes with its records: post-quantum keys and many extensions take a few KiB. */
export const MAX_CLIENT_HELLO = 16 * 1024;

const HANDSHAKE = 22;
const CLIENT_HELLO = 1;
const SERVER_NAME = 0;
const HOST_NAME = 0;
const RECORD_HEADER = 5;
const MESSAGE_HEADER = 4;

/**
 * The name in lower case, "" when there is none or the bytes are not a ClientHello, null when more bytes are needed.
 *
 * @param bytes all that the client has sent so far
 */
export function serverName(bytes: Uint8Array): string | null {
  const hello = helloOf(bytes);
  if (typeof hello === "string" || hello === null) return hello;
  return nameIn(hello);
}

/** The message without its header, gathered from its records. */
function helloOf(bytes: Uint8Array): Uint8Array | "" | null {
  const fragments: Uint8Array[] = [];
  let gathered = 0;
  let wanted = MESSAGE_HEADER;
  for (let at = 0; gathered < wanted;) {
    if (at > 0 && at >= MAX_CLIENT_HELLO) return "";
    if (at < bytes.length && bytes[at] !== HANDSHAKE) return "";
    if (at + RECORD_HEADER > bytes.length) return bytes.length >= MAX_CLIENT_HELLO ? "" : null;
    const length = uint16(bytes, at + 3);
    if (bytes[at + 1] !== 3 || length === 0 || length > MAX_CLIENT_HELLO) return "";
    const start = at + RECORD_HEADER;
    const fragment = bytes.subarray(start, Math.min(bytes.length, start + length));
    fragments.push(fragment);
    gathered += fragment.length;
    at = start + length;
    if (wanted === MESSAGE_HEADER && gathered >= MESSAGE_HEADER) {
      const header = joined(fragments);
      if (header[0] !== CLIENT_HELLO) return "";
      wanted = MESSAGE_HEADER + (uint16(header, 1) << 8) + (header[3] as number); // MESSAGE_HEADER bytes are there
      if (wanted > MAX_CLIENT_HELLO) return "";
    }
    if (fragment.length < length && gathered < wanted) return null;
  }
  return joined(fragments).subarray(MESSAGE_HEADER, wanted);
}

function joined(fragments: readonly Uint8Array[]): Uint8Array {
  if (fragments.length === 1) return fragments[0] as Uint8Array; // just said
  const all = new Uint8Array(fragments.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const fragment of fragments) {
    all.set(fragment, at);
    at += fragment.length;
  }
  return all;
}

/** Lengths that lead past the end of what holds them end the search. */
function nameIn(hello: Uint8Array): string {
  let at = 34; // version and random
  at += 1 + (hello[at] ?? 0); // session
  at += 2 + uint16(hello, at); // cipher suites
  at += 1 + (hello[at] ?? 0); // compression
  const end = at + 2 + uint16(hello, at);
  if (end > hello.length) return "";
  for (at += 2; at + 4 <= end;) {
    const length = uint16(hello, at + 2);
    const start = at + 4;
    if (start + length > end) return "";
    if (uint16(hello, at) === SERVER_NAME) return hostIn(hello, start, start + length);
    at = start + length;
  }
  return "";
}

/** The first host name of the list; clients send one (RFC 6066 §3). */
function hostIn(hello: Uint8Array, start: number, end: number): string {
  const at = start + 2;
  const stop = at + 3 + uint16(hello, at + 1);
  if (hello[at] !== HOST_NAME || stop > end) return "";
  let name = "";
  for (let i = at + 3; i < stop; i++) {
    const c = hello[i] as number; // before the end
    if (c <= 0x20 || c >= 0x7f) return ""; // an A-label is ASCII
    name += String.fromCharCode(c);
  }
  return name.toLowerCase();
}

function uint16(bytes: Uint8Array, at: number): number {
  return ((bytes[at] ?? 0) << 8) | (bytes[at + 1] ?? 0);
}
