/** TransportHeader and TransportReply on the wire: each preceded by its length as an unsigned 16-bit number. */
import { ProtoReader } from "../../wire/protobuf/reader.ts";
import { ProtoWriter } from "../../wire/protobuf/writer.ts";

/** tulle.transport.v1.Protocol: the only one there is. */
export const PROTOCOL_HTTP2 = 1;

/** tulle.transport.v1.Code. */
export const CODE_OK = 1;
export const CODE_BAD_HEADER = 2;
export const CODE_DENIED = 3;
export const CODE_UNREACHABLE = 4;
export const CODE_OVERLOADED = 5;
export type TransportCode = 1 | 2 | 3 | 4 | 5;

/** Names of the codes, for metrics. */
export const CODE_NAMES: Readonly<Record<TransportCode, string>> = {
  1: "ok",
  2: "bad_header",
  3: "denied",
  4: "unreachable",
  5: "overloaded",
};

/** tulle.transport.v1.TransportHeader. */
export interface TransportHeader {
  readonly port: number;
  readonly protocol: number;
  readonly target: string;
}

/** tulle.transport.v1.TransportReply. */
export interface TransportReply {
  readonly code: number;
  readonly reason: string;
  readonly retryable: boolean;
}

/** ALPN of the mesh port, in wire format. */
export const MESH_ALPN: Uint8Array = new TextEncoder().encode("\x07tulle/1");
/** Longest message: a header is a port and a name; a longer one is not from a sidecar. */
export const MAX_TRANSPORT_MESSAGE_BYTES = 1024;
/** Reasons are cut to this length, so that a reply always fits. */
const MAX_REASON_CHARS = 300;
/** A DNS name has 253 characters at most, and a port follows. */
const MAX_TARGET_CHARS = 260;

/** Writes the header of a new connection. */
export function encodeTransportHeader(port: number, target: string): Uint8Array {
  const writer = new ProtoWriter();
  writer.number(1, port);
  writer.number(2, PROTOCOL_HTTP2);
  writer.text(3, target.slice(0, MAX_TARGET_CHARS));
  return framed(writer.finish());
}

/** Writes the answer. */
export function encodeTransportReply(code: TransportCode, reason: string, retryable: boolean): Uint8Array {
  const writer = new ProtoWriter();
  writer.number(1, code);
  writer.text(2, reason.slice(0, MAX_REASON_CHARS));
  writer.number(3, retryable ? 1 : 0);
  return framed(writer.finish());
}

/** A message and the index behind it; null while it is not complete, a text when it can never be one. */
export type Decoded<T> = { readonly message: T; readonly next: number } | null | string;

/** Reads a header from the first `length` bytes. */
export function decodeTransportHeader(buffer: Uint8Array, length: number): Decoded<TransportHeader> {
  return decode(buffer, length, readHeader);
}

/** Reads a reply from the first `length` bytes. */
export function decodeTransportReply(buffer: Uint8Array, length: number): Decoded<TransportReply> {
  return decode(buffer, length, readReply);
}

function decode<T>(buffer: Uint8Array, length: number, read: (reader: ProtoReader) => T): Decoded<T> {
  if (length < 2) return null;
  const size = ((buffer[0] as number) << 8) | (buffer[1] as number); // length ≥ 2
  if (size > MAX_TRANSPORT_MESSAGE_BYTES) {
    return `message of ${size} bytes, want at most ${MAX_TRANSPORT_MESSAGE_BYTES}`;
  }
  if (length < 2 + size) return null;
  const reader = new ProtoReader(buffer, 2, 2 + size);
  const message = read(reader);
  return reader.failed ? "message is not valid protobuf" : { message, next: 2 + size };
}

function readHeader(reader: ProtoReader): TransportHeader {
  let port = 0;
  let protocol = 0;
  let target = "";
  while (reader.next()) {
    if (reader.field === 1) port = reader.number();
    else if (reader.field === 2) protocol = reader.number();
    else if (reader.field === 3) target = reader.text();
    else reader.skip();
  }
  return { port, protocol, target };
}

function readReply(reader: ProtoReader): TransportReply {
  let code = 0;
  let reason = "";
  let retryable = false;
  while (reader.next()) {
    if (reader.field === 1) code = reader.number();
    else if (reader.field === 2) reason = reader.text();
    else if (reader.field === 3) retryable = reader.number() !== 0;
    else reader.skip();
  }
  return { code, reason, retryable };
}

function framed(message: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(2 + message.length);
  bytes[0] = message.length >> 8;
  bytes[1] = message.length;
  bytes.set(message, 2);
  return bytes;
}
