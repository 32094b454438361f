/** Why the engine ended what a peer began: the reason codes of `tulle_refusals_total` and of the log. A closed list. */

export type Refusal =
  /** It broke HTTP (malformed messages, frames out of order). */
  | "protocol_error"
  /** More frames without data than honest peers send. */
  | "flood"
  /** A head beyond the limits on bytes, fields or frames. */
  | "head_too_large"
  /** A head that was not complete in time. */
  | "head_timeout"
  /** Answers pile up that no flow control bounds, and it does not read them. */
  | "answers_unread"
  /** More bytes wait for it than its share of the memory; see waiting_budget.ts. */
  | "memory_share"
  /** More connections than its share of the descriptors. */
  | "connection_share"
  /** Idle for longest, when there was no room for a further connection of the same client. */
  | "idle_closed"
  /** More handshakes under way than its share. */
  | "handshake_share"
  /** More of its requests are under way than its share. */
  | "request_share"
  /** It takes nothing of what waits for it. */
  | "write_idle";

/** The reason behind a status with which a message was refused. */
export function refusalOf(status: number): Refusal {
  if (status === 408) return "head_timeout";
  return status === 431 || status === 414 ? "head_too_large" : "protocol_error";
}
