/**
 * Where calls wait that anybody may make, before the protocol's library hears of them: a request with its bytes costs some
 * 5 KB there, and 15 as a call (measured), which would be old to the collector by the time of its turn.
 */
import type { IncomingMessage, ServerResponse } from "node:http";
import type { Http2ServerRequest, Http2ServerResponse } from "node:http2";
import { Shares } from "./_shares.ts";
import { Turns } from "./_turns.ts";

export type Request = IncomingMessage | Http2ServerRequest;
export type Response = ServerResponse | Http2ServerResponse;

export interface WaitingRoomOptions {
  /** How many calls are under way at a time. */
  readonly atOnce: number;
  /** How many may be read, wait or be under way, shared by callers (base/fair_share.ts). */
  readonly most: number;
  /** What is read of a request, bytes. */
  readonly maxBytes: number;
  /** How long a request may take to be there, milliseconds. */
  readonly readMs: number;
}

export interface Visit {
  readonly request: Request;
  readonly response: Response;
  /** For whom it is counted. */
  readonly caller: string;
  /** Ends the call without a word. */
  readonly cut: () => void;
}

export class WaitingRoom {
  readonly #options: WaitingRoomOptions;
  readonly #places: Shares;
  readonly #turns: Turns;

  constructor(options: WaitingRoomOptions) {
    this.#options = options;
    this.#places = new Shares(options.most);
    this.#turns = new Turns(options.atOnce);
  }

  /** How many have a place. */
  get used(): number {
    return this.#places.used;
  }

  /**
   * Reads a request whole and makes the call when it is the caller's turn, unless the caller has gone by then, or was cut off
   * because its request did not come.
   * @param call gets the body: all of it, or so much that it is seen to be too large
   * @returns false, and nothing is read, when the caller has its share of places
   */
  visit(visit: Visit, call: (body: Uint8Array, signal: AbortSignal) => Promise<void>): boolean {
    if (!this.#places.enter(visit.caller)) return false;
    void this.#stay(visit, call).finally(() => this.#places.leave(visit.caller));
    return true;
  }

  async #stay(visit: Visit, call: (body: Uint8Array, signal: AbortSignal) => Promise<void>): Promise<void> {
    const { request, response, caller, cut } = visit;
    // A request of HTTP/1.1 closes when it has been read.
    const closing = "stream" in request ? request : response;
    let isGone = false;
    closing.once("close", () => isGone = true);
    const body = await read(request, closing, this.#options);
    if (body === null) return cut();
    await this.#turns.run(caller, async () => {
      if (isGone) return;
      const abort = new AbortController();
      const onClose = () => abort.abort();
      closing.once("close", onClose);
      await call(body, abort.signal).finally(() => closing.off("close", onClose));
    });
  }
}

/** @returns the body, its beginning when it is too large; null when it did not come in time, or its sender has gone */
function read(
  request: Request,
  closing: Request | Response,
  { maxBytes, readMs }: WaitingRoomOptions,
): Promise<Uint8Array | null> {
  return new Promise((resolve) => {
    const pieces: Uint8Array[] = [];
    let length = 0;
    const end = (body: Uint8Array | null) => {
      clearTimeout(timer);
      request.off("data", onData);
      resolve(body);
    };
    const onData = (piece: Uint8Array) => {
      pieces.push(new Uint8Array(piece)); // a copy: the piece is part of a larger buffer
      length += piece.length;
      if (length <= maxBytes) return;
      request.pause();
      end(Buffer.concat(pieces));
    };
    const timer = setTimeout(() => end(null), readMs);
    request.on("data", onData);
    request.once("end", () => end(Buffer.concat(pieces)));
    request.on("error", () => end(null));
    closing.once("close", () => end(null));
  });
}
