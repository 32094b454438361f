/** What is told of DNS that passes the sidecar. */

export type Transport = "udp" | "tcp";

export type DnsFailure =
  /** The query is no message of DNS; nobody would answer it. */
  | "malformed"
  /** As many queries wait as may. */
  | "overloaded"
  /** No nameserver has answered in time. */
  | "timeout"
  /** None can be reached. */
  | "unreachable"
  /** Something that came from the nameserver's address answers no question that was asked: it was not believed. */
  | "mismatch"
  /** An answer was passed on and nothing learnt from it: its records cannot be read. */
  | "unreadable";

export interface DnsObserver {
  onQuery(transport: Transport): void;
  onAnswer(transport: Transport): void;
  onFailure(transport: Transport, reason: DnsFailure): void;
}
