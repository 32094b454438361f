/**
 * One side of an exchange, whatever protocol it speaks: a stream of an HTTP/2 connection, an HTTP/1.1 connection while
 * it serves one request, or a plain TCP connection of a tunnel. What arrives on one leg is sent on the other.
 *
 * Flow control: a leg that receives body bytes may let its peer send more only for bytes that `consumed` was called for.
 * A leg that is given bytes says `onConsumed` for them once they are on their way. So at most one window per stream is
 * held in between, however slow the receiver is.
 */
import type { HeaderBlock } from "../wire/header_block.ts";

export interface Leg {
  /** Reason phrase that came with the last head, "" when it is the usual one (HTTP/1 only). */
  readonly reason: string;
  /** Sends the head of the request or the final response. `end`: no body follows. */
  sendHead(head: HeaderBlock, end: boolean, reason: string): void;
  /** Sends an interim response (1xx other than 101). */
  sendInterim(head: HeaderBlock): void;
  /** Sends body bytes; they are copied or written before it returns. `fin`: they are the last. */
  sendData(buffer: Uint8Array, start: number, end: number, fin: boolean): void;
  /** Sends trailers, which end the message. */
  sendTrailers(trailers: HeaderBlock): void;
  /** Gives the exchange up on this leg: RST_STREAM with the code, or the connection is closed. No event follows. */
  abort(h2Code: number): void;
  /** `bytes` of what this leg received have gone on: its peer may send as many again. */
  consumed(bytes: number): void;
}

/** Gets what arrives on a leg. After `onAbort`, or after both directions have ended, nothing follows. */
export interface LegListener {
  onHead(leg: Leg, head: HeaderBlock, end: boolean): void;
  onInterim(leg: Leg, head: HeaderBlock): void;
  /** Body bytes, valid until it returns. With `fin` the range may be empty. */
  onData(leg: Leg, buffer: Uint8Array, start: number, end: number, fin: boolean): void;
  onTrailers(leg: Leg, trailers: HeaderBlock): void;
  /** The leg is dead. `unprocessed`: the peer certainly did not act on it, so it can be sent elsewhere. */
  onAbort(leg: Leg, h2Code: number, unprocessed: boolean, detail: string): void;
  /** `bytes` given to `leg.sendData` have left for the socket. */
  onConsumed(leg: Leg, bytes: number): void;
}
