/** Errors as the client sees them: the one table from failure to HTTP status and gRPC status. */
import { type HeaderBlock, headerBlock, IS_GRPC, NO_START } from "../../wire/header_block.ts";
import type { Failure, FailureCode } from "../upstream/failure.ts";

interface Rendering {
  readonly status: number;
  /** gRPC status code (grpc.io/grpc/core/md_doc_statuscodes). */
  readonly grpc: number;
}

const UNAVAILABLE = 14;
const RENDERINGS: Readonly<Record<FailureCode, Rendering>> = {
  connect_failed: { status: 502, grpc: UNAVAILABLE },
  connect_timeout: { status: 504, grpc: UNAVAILABLE },
  tls_failed: { status: 502, grpc: UNAVAILABLE },
  identity_mismatch: { status: 502, grpc: UNAVAILABLE },
  denied: { status: 403, grpc: 7 },
  unreachable: { status: 502, grpc: UNAVAILABLE },
  overloaded: { status: 503, grpc: UNAVAILABLE },
  no_descriptors: { status: 503, grpc: UNAVAILABLE },
  no_local_ports: { status: 503, grpc: UNAVAILABLE },
  no_endpoints: { status: 503, grpc: UNAVAILABLE },
  invalid_backend: { status: 500, grpc: UNAVAILABLE },
  no_route: { status: 404, grpc: 12 },
  queue_full: { status: 503, grpc: UNAVAILABLE },
  upstream_reset: { status: 502, grpc: UNAVAILABLE },
  upstream_closed: { status: 502, grpc: UNAVAILABLE },
  cancelled: { status: 499, grpc: 1 },
  upstream_protocol: { status: 502, grpc: 13 },
  timeout: { status: 504, grpc: 4 },
  deadline: { status: 504, grpc: 4 },
  fail_fast: { status: 503, grpc: UNAVAILABLE },
  forbidden: { status: 403, grpc: 7 },
  revoked: { status: 403, grpc: 7 },
  unclassified: { status: 403, grpc: 7 },
  no_discovery: { status: 503, grpc: UNAVAILABLE },
  not_http2: { status: 502, grpc: UNAVAILABLE },
  no_upgrade: { status: 501, grpc: 12 },
  bad_request: { status: 400, grpc: 3 },
  egress_denied: { status: 403, grpc: 7 },
  not_resolved: { status: 403, grpc: 7 },
  fault_injected: { status: 503, grpc: UNAVAILABLE },
  concurrency_limited: { status: 503, grpc: UNAVAILABLE },
  rate_limited: { status: 429, grpc: 8 },
};

/** All of them. */
export const CODES = Object.keys(RENDERINGS) as readonly FailureCode[]; // the table has each once

/** A response that the proxy makes: its head and its body, which may be empty. */
export interface ErrorResponse {
  readonly head: HeaderBlock;
  readonly body: Uint8Array;
}

/**
 * The response that tells a failure: `tulle-error` holds the code, `tulle-error-detail` and the body the sentence; for
 * gRPC it is a trailers-only response.
 *
 * @param toSidecar the client is a sidecar, which may send the request elsewhere
 */
export function errorResponse(failure: Failure, isGrpc: boolean, toSidecar: boolean): ErrorResponse {
  const { status } = RENDERINGS[failure.code];
  const detail = headerText(failure.detail);
  const body = isGrpc ? EMPTY : new TextEncoder().encode(`${failure.code}: ${detail}\n`);
  const fields = isGrpc
    ? ["content-type", "application/grpc", ...grpcFields(failure)]
    : ["content-type", "text/plain; charset=utf-8", "content-length", String(body.length)];
  fields.push("tulle-error", failure.code, "tulle-error-detail", detail);
  if (failure.retryAfterMs !== undefined) {
    // RFC 9110 §10.2.3: whole seconds; a gRPC client is told in its own words (gRFC A6).
    if (isGrpc) fields.push("grpc-retry-pushback-ms", String(Math.ceil(failure.retryAfterMs)));
    else fields.push("retry-after", String(Math.ceil(failure.retryAfterMs / 1000)));
  }
  if (toSidecar && failure.unprocessed && (failure.isLeaving === true || ELSEWHERE.has(failure.code))) {
    fields.push(UNPROCESSED, "1");
  }
  return { head: headerBlock({ ...RESPONSE, status: isGrpc ? 200 : failure.status ?? status }, fields), body };
}

/** How a gRPC response that has begun tells of a failure. */
export function errorTrailers(failure: Failure): HeaderBlock {
  return headerBlock(NO_START, grpcFields(failure));
}

function grpcFields(failure: Failure): string[] {
  const status = String(failure.grpc ?? RENDERINGS[failure.code].grpc);
  return ["grpc-status", status, "grpc-message", percentEncoded(`${failure.code}: ${failure.detail}`)];
}

const EMPTY = new Uint8Array(0);

/** Tells a client's sidecar that the application has not seen the request. Never comes from an application. */
const UNPROCESSED = "tulle-unprocessed";

/**
 * What may be different at another endpoint, or soon. A stream that the application refuses while it keeps the connection
 * (RST_STREAM with REFUSED_STREAM) is not: it sheds load, and asking again and again would add to that.
 */
const ELSEWHERE: ReadonlySet<FailureCode> = new Set(
  [
    "connect_failed",
    "connect_timeout",
    "unreachable",
    "overloaded",
    "queue_full",
    "upstream_closed",
    "no_descriptors",
    "no_local_ports",
  ] as const,
);

/** The failure that a server's sidecar told of; null for a response that is the application's. */
export function toldFailure(head: HeaderBlock): Failure | null {
  const told = head.get("tulle-error");
  if (told === null) return null;
  const detail = head.get("tulle-error-detail") ?? "";
  const isUnprocessed = head.get(UNPROCESSED) !== null;
  // A newer sidecar may have codes that are not known here.
  const code = Object.hasOwn(RENDERINGS, told)
    ? told as FailureCode
    : isUnprocessed
    ? "unreachable"
    : "upstream_protocol";
  return { code, detail, unprocessed: isUnprocessed };
}

/** The gRPC status that a head or trailers carry; -1 without one, or where the request is not gRPC. */
export function grpcStatusIn(request: HeaderBlock, block: HeaderBlock): number {
  const status = (request.flags & IS_GRPC) === 0 ? null : block.get("grpc-status");
  return status === null ? -1 : Number.parseInt(status, 10);
}

/** The gRPC status that a failure is rendered as. */
export function grpcStatusOf(code: FailureCode): number {
  return RENDERINGS[code].grpc;
}

/** The same head with another status (101 ↔ 200 when an upgrade crosses versions of HTTP). */
export function withStatus(head: HeaderBlock, status: number): HeaderBlock {
  return headerBlock({ ...RESPONSE, status, protocol: head.protocol }, head.fields);
}

const RESPONSE = { method: "", scheme: "", authority: "", path: "", protocol: "", status: 0 };

/** Visible ASCII only, bounded: details may quote what peers sent. */
function headerText(text: string): string {
  return text.slice(0, 300).replace(/[^\x20-\x7e]/g, "?").trim();
}

/** grpc-message is percent-encoded UTF-8 (gRPC over HTTP/2, "Status-Message"). */
function percentEncoded(text: string): string {
  let out = "";
  for (const byte of new TextEncoder().encode(text.slice(0, 300))) {
    out += byte >= 0x20 && byte <= 0x7e && byte !== 0x25
      ? String.fromCharCode(byte)
      : `%${byte.toString(16).toUpperCase().padStart(2, "0")}`;
  }
  return out;
}
