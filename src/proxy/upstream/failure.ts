/** Why a request or connection could not be served: a closed list, rendered to the wire by proxy/respond.ts alone. */

import { Http2Stream } from "../../http/http2_stream.ts";
import type { Leg } from "../../http/leg.ts";
import { REFUSED_STREAM } from "../../wire/http2/error_code.ts";

/** What went wrong. The comment says whose fault it is and what helps. */
export type FailureCode =
  /** The endpoint does not accept TCP connections: it is down, or a NetworkPolicy is in the way. */
  | "connect_failed"
  /** … or does not answer in time. */
  | "connect_timeout"
  /** TLS with the peer's sidecar failed. */
  | "tls_failed"
  /** The peer proved another identity than the one it should have: its address was given to another workload. */
  | "identity_mismatch"
  /** The peer's sidecar refused the connection by policy. */
  | "denied"
  /** The peer's sidecar could not reach its application. */
  | "unreachable"
  /** The peer is shutting down, or has reached a limit. */
  | "overloaded"
  /** This proxy may open no more files (ulimit -n): for its operator, not for the peer's. Others may have room. */
  | "no_descriptors"
  /** This host has no local port left for a connection to that address (net.ipv4.ip_local_port_range). */
  | "no_local_ports"
  /** The target has no endpoint. */
  | "no_endpoints"
  /** A route refers to a backend that does not exist. */
  | "invalid_backend"
  /** No rule of the routes matches. */
  | "no_route"
  /** As many requests wait as may. */
  | "queue_full"
  /** The upstream closed or reset before it answered. */
  | "upstream_reset"
  /** A reused connection was closed before a byte of the answer: most likely it had been idle for too long. */
  | "upstream_closed"
  /** The client went away. */
  | "cancelled"
  /** The upstream broke its protocol. */
  | "upstream_protocol"
  /** Time is up. */
  | "timeout"
  /** The time that the client itself gave (grpc-timeout) is over. */
  | "deadline"
  /** No endpoint could be reached for a while: requests fail at once until one can. The detail says why. */
  | "fail_fast"
  /** Authorization does not admit the request. */
  | "forbidden"
  /** Authorization does not admit any more what it had admitted: it was ended while it was under way. */
  | "revoked"
  /** The bytes could not be classified on a port whose policy needs to. */
  | "unclassified"
  /** The controller could not be asked what the target is. */
  | "no_discovery"
  /** An application that was asked in HTTP/2 does not speak it. */
  | "not_http2"
  /** The application does not switch to the protocol that the request asks for. */
  | "no_upgrade"
  /** The request asks for what only the proxies themselves may send. */
  | "bad_request"
  /** An EgressNetwork, or the namespace's default, does not let it leave the mesh. */
  | "egress_denied"
  /** An EgressNetwork allows the name, but the workload's nameserver has not given that address for it. */
  | "not_resolved"
  /** A FaultInjection wants it so. */
  | "fault_injected"
  /** As many requests are under way to the endpoints as a BackendPolicy lets. */
  | "concurrency_limited"
  /** The client sends faster than a RateLimitPolicy lets it; the answer says when to come again. */
  | "rate_limited";

/** A failure as a value. */
export interface Failure {
  readonly code: FailureCode;
  /** For people: what was found, what helps. */
  readonly detail: string;
  /** The peer certainly did not act on the request: it may be sent elsewhere. */
  readonly unprocessed: boolean;
  /** Its connection ended, or ends, for all requests: a new one may do better. Otherwise it was this request that was refused. */
  readonly isLeaving?: boolean;
  /** When the client may come again, milliseconds from now. */
  readonly retryAfterMs?: number;
  /** Statuses in place of the code's own. */
  readonly status?: number;
  readonly grpc?: number;
  /** The client gets no answer but a reset. */
  readonly isReset?: boolean;
}

/** The peer's sidecar has refused: the same holds at each endpoint, and none is at fault. */
export function isByPolicy({ code }: Failure): boolean {
  return code === "denied" || code === "unclassified";
}

/** Makes a failure of which the peer saw nothing. */
export function unsent(code: FailureCode, detail: string): Failure {
  return { code, detail, unprocessed: true };
}

/** Makes a failure after which nobody knows whether the peer acted. */
export function failure(code: FailureCode, detail: string): Failure {
  return { code, detail, unprocessed: false };
}

/**
 * What the end of an attempt says that was under way.
 *
 * @param leg what it was sent on
 * @param h2Code REFUSED_STREAM with `unprocessed`: certainly unseen; others: only most likely, so that it must be idempotent
 */
export function brokenOff(leg: Leg, h2Code: number, unprocessed: boolean, detail: string): Failure {
  const isLikely = unprocessed && h2Code !== REFUSED_STREAM;
  const isLeaving = !(leg instanceof Http2Stream) || leg.connection.draining;
  return { code: isLikely ? "upstream_closed" : "upstream_reset", detail, unprocessed, isLeaving };
}

/** What a failed connect says of this host, not of the peer; null when it is the peer's or nobody knows. */
export function ownFailure(error: Error, ip: string): Failure | null {
  const { code } = error as { code?: unknown }; // present on errors of the system
  if (code === "EADDRNOTAVAIL") {
    const range = "widen net.ipv4.ip_local_port_range, or have clients keep their connections";
    return unsent("no_local_ports", `this host has no local port left for a connection to ${ip}: ${range}`);
  }
  if (code !== "EMFILE" && code !== "ENFILE") return null;
  return unsent("no_descriptors", `no file descriptor is left for a connection to ${ip} (${code})`);
}
