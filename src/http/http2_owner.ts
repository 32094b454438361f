/** What the owner of an HTTP/2 connection is told. */
import type { HeaderBlock } from "../wire/header_block.ts";
import type { Http2Connection } from "./http2_connection.ts";
import type { Http2Stream } from "./http2_stream.ts";
import type { Refusal } from "./refusal.ts";

/** Gets what concerns the connection as a whole. */
export interface Http2Owner {
  /** Server role: a request began; the owner sets `stream.listener` before it returns, or aborts the stream. */
  onRequest(connection: Http2Connection, stream: Http2Stream, head: HeaderBlock, end: boolean): void;
  /** Server role: a message that breaks RFC 9113 §8 was answered; nobody else heard of it, and the connection goes on. */
  onBadRequest(connection: Http2Connection, status: number, detail: string): void;
  /** No new streams: GOAWAY was received, or ids ran out. */
  onDraining(connection: Http2Connection): void;
  /** The last stream has ended. */
  onIdle(connection: Http2Connection): void;
  /** A stream may be opened again, or for the first time (the peer's SETTINGS are there). */
  onReady(connection: Http2Connection): void;
  /** The connection is ended because of what its peer did; `onClosed` follows. */
  onRefused(connection: Http2Connection, reason: Refusal, detail: string): void;
  /** The connection is gone, and all its streams have been told. */
  onClosed(connection: Http2Connection, detail: string): void;
}
