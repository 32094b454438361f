/** What the owner of an HTTP/1.1 connection is told. */
import type { RequestHead } from "../wire/http1/request_head.ts";
import type { Http1Server } from "./http1_server.ts";

/** Gets the requests of the connection. */
export interface Http1ServerOwner {
  /** A request began; the owner sets `connection.listener` before it returns. */
  onRequest(connection: Http1Server, request: RequestHead): void;
  /** A message that breaks RFC 9112 was answered and the connection is being closed. */
  onBadRequest(connection: Http1Server, status: number, detail: string): void;
  /** The connection is gone. */
  onClosed(connection: Http1Server): void;
}
