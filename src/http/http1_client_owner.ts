/** What the owner of an HTTP/1.1 connection to a server is told. */
import type { Http1Client } from "./http1_client.ts";

/** Gets what concerns the connection as a whole. */
export interface Http1ClientOwner {
  /** Request and response are complete, and the connection can serve another. */
  onReusable(connection: Http1Client): void;
  /** The connection is gone or must not be used again. */
  onClosed(connection: Http1Client): void;
}
