import type { PeerShare } from "../../http/waiting_budget.ts";
import type { Origin } from "../upstream/waiter.ts";

/** What an exchange may ask about the connection it came on, and the sources of time and chance. */
export interface HttpContext {
  /** Monotonic milliseconds. */
  clock(): number;
  /** Uniform in [0, 1). */
  random(): number;
  /** Counts what waits of the client's, and for it. */
  readonly share: PeerShare;
  /** Address of the client, "ip:port". */
  readonly client: string;
  /** Verified SPIFFE ID of the client, null in plaintext. */
  readonly clientId: string | null;
  /** Whether the client has many requests under way. */
  readonly origin: Origin;
  /** One of the client's requests is over. */
  requestEnded(): void;
}
