/**
 * Closed list of what can be wrong with an HTTP/1.1 message, as negative numbers that parsers return beside results ≥ 0.
 *
 * A code says what was wrong with the bytes, not whose they were: the side that sent the message is at fault, and sending the
 * same bytes again gives the same refusal, so none may be retried. After any of them the connection's framing is unknown:
 * answer (to a client) and close.
 */
import {
  MAX_CHUNK_EXTENSION_BYTES,
  MAX_CHUNK_SIZE_DIGITS,
  MAX_CONNECTION_OPTIONS,
  MAX_EXTENSION_DEBT_BYTES,
  MAX_FIELDS,
  MAX_HEAD_BYTES,
  MAX_METHOD_BYTES,
  MAX_TARGET_BYTES,
  MAX_TRAILER_BYTES,
} from "./limits.ts";

export const BAD_LINE_END = -1;
export const CONTROL_BYTE = -2;
export const HEAD_TOO_LONG = -3;
export const BAD_METHOD = -4;
export const METHOD_TOO_LONG = -5;
export const BAD_TARGET = -6;
export const TARGET_TOO_LONG = -7;
export const BAD_VERSION = -8;
export const UNSUPPORTED_VERSION = -9;
export const MISSING_HOST = -10;
export const DUPLICATE_HOST = -11;
export const BAD_HOST = -12;
export const OBS_FOLD = -13;
export const SPACE_BEFORE_COLON = -14;
export const BAD_FIELD_NAME = -15;
export const BAD_FIELD_VALUE = -16;
export const TOO_MANY_FIELDS = -17;
export const BAD_CONTENT_LENGTH = -18;
export const DUPLICATE_CONTENT_LENGTH = -19;
export const BAD_TRANSFER_ENCODING = -20;
export const UNKNOWN_TRANSFER_CODING = -21;
export const TRANSFER_ENCODING_IN_1_0 = -22;
export const FRAMING_CONFLICT = -23;
export const TOO_MANY_CONNECTION_OPTIONS = -24;
export const BAD_STATUS_LINE = -25;
export const BAD_CHUNK_SIZE = -26;
export const BAD_CHUNK_EXTENSION = -27;
export const CHUNK_EXTENSION_TOO_LONG = -28;
export const BAD_CHUNK_END = -29;
export const TRAILERS_TOO_LONG = -30;
export const CONNECTION_FIELD = -31;
export const NOT_HTTP1 = -32;
export const CONNECT_WITH_BODY = -33;
export const INTERIM_WITH_BODY = -34;

interface CodeInfo {
  readonly name: string;
  readonly status: number;
  readonly text: string;
}

/** Indexed by -code. */
const CODES: readonly CodeInfo[] = [
  { name: "ok", status: 200, text: "no error" },
  { name: "bad_line_end", status: 400, text: "a line ends in a bare CR or LF; every line must end in CR LF" },
  { name: "control_byte", status: 400, text: "the head contains a NUL byte" },
  {
    name: "head_too_long",
    status: 431,
    text: `start line and fields are longer than ${MAX_HEAD_BYTES} bytes; send fewer or smaller fields`,
  },
  { name: "bad_method", status: 400, text: "the request does not start with a method followed by one space" },
  { name: "method_too_long", status: 501, text: `the method is longer than ${MAX_METHOD_BYTES} bytes` },
  {
    name: "bad_target",
    status: 400,
    text:
      "the request target is not a path, an http URL, * for OPTIONS or host:port for CONNECT, in visible ASCII without a fragment",
  },
  {
    name: "target_too_long",
    status: 414,
    text: `the request target is longer than ${MAX_TARGET_BYTES} bytes; move data into the body`,
  },
  {
    name: "bad_version",
    status: 400,
    text: "the start line does not carry HTTP/1.1 or HTTP/1.0 where the version belongs",
  },
  { name: "unsupported_version", status: 505, text: "the HTTP version is not 1.0 or 1.1" },
  { name: "missing_host", status: 400, text: "an HTTP/1.1 request must carry a Host field" },
  { name: "duplicate_host", status: 400, text: "the request carries more than one Host field" },
  { name: "bad_host", status: 400, text: "the host is not a name or address with an optional port" },
  { name: "obs_fold", status: 400, text: "a field line starts with white space (obsolete line folding)" },
  { name: "space_before_colon", status: 400, text: "white space stands between a field name and its colon" },
  {
    name: "bad_field_name",
    status: 400,
    text: "a field name is empty or has a character that is not allowed in a token",
  },
  { name: "bad_field_value", status: 400, text: "a field value has a control character" },
  { name: "too_many_fields", status: 431, text: `the message has more than ${MAX_FIELDS} fields` },
  { name: "bad_content_length", status: 400, text: "Content-Length is not one plain decimal number up to 2^53-1" },
  {
    name: "duplicate_content_length",
    status: 400,
    text:
      "Content-Length is given more than once; even equal values are refused, because recipients differ on which one counts",
  },
  { name: "bad_transfer_encoding", status: 400, text: "Transfer-Encoding must be exactly one final chunked" },
  { name: "unknown_transfer_coding", status: 501, text: "Transfer-Encoding names a coding other than chunked" },
  { name: "transfer_encoding_in_1_0", status: 400, text: "HTTP/1.0 has no Transfer-Encoding" },
  { name: "framing_conflict", status: 400, text: "Content-Length and Transfer-Encoding exclude each other" },
  {
    name: "too_many_connection_options",
    status: 400,
    text: `the Connection fields name more than ${MAX_CONNECTION_OPTIONS} options`,
  },
  {
    name: "bad_status_line",
    status: 502,
    text: "the response does not start with HTTP/1.x and a status code of 100 to 999",
  },
  { name: "bad_chunk_size", status: 400, text: `a chunk size is not 1 to ${MAX_CHUNK_SIZE_DIGITS} hexadecimal digits` },
  {
    name: "bad_chunk_extension",
    status: 400,
    text: "a chunk extension has a control character or does not start with ;",
  },
  {
    name: "chunk_extension_too_long",
    status: 400,
    text:
      `chunk extensions are longer than ${MAX_CHUNK_EXTENSION_BYTES} bytes, or outweigh the data by ${MAX_EXTENSION_DEBT_BYTES}`,
  },
  { name: "bad_chunk_end", status: 400, text: "the data of a chunk is not followed by CR LF" },
  { name: "trailers_too_long", status: 431, text: `the trailer section is longer than ${MAX_TRAILER_BYTES} bytes` },
  { name: "connection_field", status: 502, text: "a field that belongs to one connection only cannot be passed on" },
  { name: "not_http1", status: 502, text: "the message has parts that HTTP/1.1 cannot express" },
  {
    name: "connect_with_body",
    status: 400,
    text: "a CONNECT request has no body; what follows it belongs to the tunnel",
  },
  { name: "interim_with_body", status: 502, text: "an interim response (1xx) announces a body, which it cannot have" },
];

/** Status to answer a client whose request had this code; a server's response with any code is answered 502 to the client. */
export function statusForCode(code: number): number {
  return infoOf(code).status;
}

/** One sentence without a final stop: what was wrong and what was wanted; free of data from the message. */
export function textForCode(code: number): string {
  return infoOf(code).text;
}

/** Stable name of a code for logs and metric labels, such as `bad_target`. */
export function nameForCode(code: number): string {
  return infoOf(code).name;
}

function infoOf(code: number): CodeInfo {
  return CODES[-code] ?? { name: "unknown", status: 400, text: "the message is malformed" };
}
