/**
 * Bytes behind the head of a request for a tunnel (CONNECT, upgrade): its body goes on, what follows waits until the
 * server has agreed. A server that does not would read it as another request, which no policy has seen.
 */
import type { Leg } from "../../http/leg.ts";
import { PartialBytes } from "../../http/partial_bytes.ts";

const EMPTY = new Uint8Array(0);

export class TunnelRequest {
  /** Bytes of the body that are still to come. */
  bodyLeft: number;
  readonly #early = new PartialBytes();

  /** @param contentLength -1 for none */
  constructor(contentLength: number) {
    this.bodyLeft = Math.max(0, contentLength);
  }

  /** Takes bytes in; returns how many of them, from the start, are the body's. */
  take(buffer: Uint8Array, start: number, end: number): number {
    const body = Math.min(this.bodyLeft, end - start);
    this.bodyLeft -= body;
    if (body < end - start) this.#early.append(buffer, start + body, end);
    return body;
  }

  /** The server has agreed: sends what waited. `ends`: the client has sent its end behind it. */
  open(up: Leg, ends: boolean): void {
    const { buffer, length } = this.#early;
    this.#early.clear();
    if (length > 0) up.sendData(buffer, 0, length, ends);
    else if (ends) up.sendData(EMPTY, 0, 0, true);
  }
}
