/** TransportHeader and TransportReply on the wire: each preceded by its length as an unsigned 16-bit number. */
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import {
  type Code,
  Protocol,
  type TransportHeader,
  TransportHeaderSchema,
  type TransportReply,
  TransportReplySchema,
} from "../../../proto/gen/tulle/transport/v1/transport_pb.ts";

/** ALPN of the mesh port, in wire format. */
export const MESH_ALPN: Uint8Array = new TextEncoder().encode("\x07tulle/1");
/** Longest message: a header is a port and a name; a longer one is not from a sidecar. */
export const MAX_TRANSPORT_MESSAGE_BYTES = 1024;
/** Reasons are cut to this length, so that a reply always fits. */
const MAX_REASON_CHARS = 300;

/** Writes the header of a new connection. */
export function encodeTransportHeader(port: number, target: string): Uint8Array {
  return framed(toBinary(
    TransportHeaderSchema,
    create(TransportHeaderSchema, { port, protocol: Protocol.HTTP2, target: target.slice(0, 253) }),
  ));
}

/** Writes the answer. */
export function encodeTransportReply(code: Code, reason: string, retryable: boolean): Uint8Array {
  const message = create(TransportReplySchema, { code, reason: reason.slice(0, MAX_REASON_CHARS), retryable });
  return framed(toBinary(TransportReplySchema, message));
}

/** A message and the index behind it; null while it is not complete, a text when it can never be one. */
export type Decoded<T> = { readonly message: T; readonly next: number } | null | string;

/** Reads a header from the first `length` bytes. */
export function decodeTransportHeader(buffer: Uint8Array, length: number): Decoded<TransportHeader> {
  return decode(buffer, length, (bytes) => fromBinary(TransportHeaderSchema, bytes));
}

/** Reads a reply from the first `length` bytes. */
export function decodeTransportReply(buffer: Uint8Array, length: number): Decoded<TransportReply> {
  return decode(buffer, length, (bytes) => fromBinary(TransportReplySchema, bytes));
}

function decode<T>(buffer: Uint8Array, length: number, parse: (bytes: Uint8Array) => T): Decoded<T> {
  if (length < 2) return null;
  const size = ((buffer[0] as number) << 8) | (buffer[1] as number); // length ≥ 2
  if (size > MAX_TRANSPORT_MESSAGE_BYTES) {
    return `message of ${size} bytes, want at most ${MAX_TRANSPORT_MESSAGE_BYTES}`;
  }
  if (length < 2 + size) return null;
  try {
    return { message: parse(buffer.subarray(2, 2 + size)), next: 2 + size };
  } catch (error) {
    return `message is not valid protobuf: ${error instanceof Error ? error.message : String(error)}`;
  }
}

function framed(message: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(2 + message.length);
  bytes[0] = message.length >> 8;
  bytes[1] = message.length;
  bytes.set(message, 2);
  return bytes;
}
