/**
 * One opaque connection between two legs: bytes both ways, half-close and reset kept.
 *
 * The upstream may be connected before the downstream leg is there: while the client's protocol is still unknown, the
 * server may speak first, and then it is decided (`onServerFirst`).
 */
import type { Leg } from "../../http/leg.ts";
import type { HeaderBlock } from "../../wire/header_block.ts";
import { CANCEL } from "../../wire/http2/error_code.ts";
import type { Http1Request } from "../../http/http1_client.ts";
import { PartialBytes } from "../../http/partial_bytes.ts";
import type { EndpointState } from "../upstream/endpoint_state.ts";
import type { Failure } from "../upstream/failure.ts";
import { failure, isByPolicy } from "../upstream/failure.ts";
import { HEAVY, type Waiter } from "../upstream/waiter.ts";

/** What inbound and outbound do differently. */
export interface TunnelOwner {
  /** An endpoint could not be connected: dispatches again and returns true, or returns false. */
  retry(tunnel: Tunnel, error: Failure): boolean;
  /** The server has spoken although the downstream leg is not there yet: attach it now. */
  onServerFirst(tunnel: Tunnel): void;
  /** The peer has accepted the connection. */
  opened(tunnel: Tunnel): void;
  /** No endpoint could be connected: tells the client, in the way its leg allows. */
  refused(tunnel: Tunnel, error: Failure): void;
  /** The tunnel is over; `error` is null when both sides ended in order. */
  finished(tunnel: Tunnel, error: Failure | null): void;
}

export class Tunnel implements Waiter {
  readonly http1: Http1Request = { minorVersion: 1, upgrade: "" };
  readonly isRepeatable = true; // it gets a connection of its own
  readonly owner: TunnelOwner;
  readonly origin = HEAVY;
  endpoint: EndpointState | null = null;
  /** Endpoints that could not be connected. */
  tried: EndpointState[] | null = null;
  attempts = 0;
  cancelled = false;
  down: Leg | null = null;
  up: Leg | null = null;
  /** Bytes from the client and from the server. */
  sentBytes = 0;
  receivedBytes = 0;
  readonly openedMs: number;
  /** Slot for what the owner wants to find again. */
  context: unknown = null;
  readonly #connect: HeaderBlock;
  readonly #clock: () => number;
  readonly #random: () => number;
  readonly #early = new PartialBytes();
  #downDone = false;
  #upDone = false;
  #finished = false;
  #accepted = false;

  /** @param connect head that opens the stream to a sidecar (extended CONNECT); plain connections ignore it */
  constructor(owner: TunnelOwner, connect: HeaderBlock, clock: () => number, random: () => number) {
    this.owner = owner;
    this.#connect = connect;
    this.#clock = clock;
    this.#random = random;
    this.openedMs = clock();
  }

  /** Connects to an endpoint. What the client sends is kept until the peer accepts: it can be sent only once. */
  dispatch(endpoint: EndpointState): void {
    this.attempts++;
    this.endpoint = endpoint;
    endpoint.pending++;
    endpoint.breaker.onRequest(this.#clock());
    endpoint.acquireTunnel(this);
  }

  /** Attaches the downstream leg; what the tunnel holds for it flows from here on. */
  attach(down: Leg): void {
    this.down = down;
  }

  /** Gives the tunnel up (the client turned out to speak HTTP, or must be refused). Not reported to the owner. */
  cancel(): void {
    if (this.#finished) return;
    this.#finished = true;
    this.cancelled = true;
    this.up?.abort(CANCEL);
    this.#leave(true);
  }

  /** Refuses the client. */
  fail(error: Failure): void {
    if (this.#finished) return;
    this.cancelled = true;
    this.up?.abort(CANCEL);
    this.owner.refused(this, error);
    this.#finish(error);
  }

  /** Ends the tunnel, running or not. */
  end(error: Failure): void {
    if (!this.#accepted) return this.fail(error);
    if (this.#finished) return;
    this.up?.abort(CANCEL);
    this.down?.abort(CANCEL);
    this.#finish(error);
  }

  // --- events of the pool

  onUpstream(leg: Leg): void {
    this.up = leg;
    const isStream = "connection" in leg;
    leg.sendHead(this.#connect, false, "");
    // A plain connection has no answer to wait for.
    if (!isStream) this.#open();
  }

  onUpstreamFailed(error: Failure): void {
    const { endpoint } = this;
    this.endpoint = null;
    if (endpoint !== null) {
      endpoint.pending--;
      if (isByPolicy(error)) endpoint.breaker.onCancelled(); // it works, and the same holds at any other
      else endpoint.breaker.onFailure(this.#clock(), this.#random());
      endpoint.onUnreached(error, this.#clock(), this.#random());
      (this.tried ??= []).push(endpoint);
    }
    if (this.cancelled || this.#finished) return;
    if (!this.owner.retry(this, error)) this.fail(error);
  }

  // --- events of legs

  onHead(leg: Leg, head: HeaderBlock, end: boolean): void {
    if (leg !== this.up || this.#finished) return;
    if (head.status === 200 && !end) return this.#open();
    const isUnclassified = head.get("tulle-error") === "unclassified";
    const code = head.status !== 403 ? "unreachable" : isUnclassified ? "unclassified" : "denied";
    const detail = head.get("tulle-error-detail") ?? `peer answered ${head.status}`;
    const error: Failure = { code, detail, unprocessed: code === "unreachable" };
    this.up = null;
    if (!end) leg.abort(CANCEL);
    this.onUpstreamFailed(error);
  }

  onInterim(_leg: Leg, _head: HeaderBlock): void {}

  onData(leg: Leg, buffer: Uint8Array, start: number, end: number, fin: boolean): void {
    if (this.#finished) return;
    if (leg === this.up) return this.#fromServer(buffer, start, end, fin);
    if (leg !== this.down) return;
    this.sentBytes += end - start;
    if (fin) this.#downDone = true;
    if (this.#accepted) this.up?.sendData(buffer, start, end, fin);
    else this.#early.append(buffer, start, end);
    if (fin && this.#upDone) this.#finish(null);
  }

  onTrailers(leg: Leg, _trailers: HeaderBlock): void {
    this.onData(leg, EMPTY, 0, 0, true);
  }

  onConsumed(leg: Leg, bytes: number): void {
    if (leg === this.up) this.down?.consumed(bytes);
    else this.up?.consumed(bytes);
  }

  onAbort(leg: Leg, h2Code: number, unprocessed: boolean, detail: string): void {
    if (this.#finished) return;
    if (leg === this.up) {
      this.up = null;
      if (!this.#accepted) return this.onUpstreamFailed({ code: "upstream_reset", detail, unprocessed });
      this.down?.abort(h2Code === 0 ? CANCEL : h2Code);
      return this.#finish(failure("upstream_reset", detail));
    }
    this.cancelled = true;
    this.up?.abort(CANCEL);
    this.#finish(failure("cancelled", detail));
  }

  /** The peer has accepted: what the client sent meanwhile goes first. */
  #open(): void {
    this.#accepted = true;
    this.endpoint?.reachability.onReached();
    this.owner.opened(this);
    const { buffer, length } = this.#early;
    this.#early.clear();
    if (length > 0 || this.#downDone) this.up?.sendData(buffer, 0, length, this.#downDone);
  }

  #fromServer(buffer: Uint8Array, start: number, end: number, fin: boolean): void {
    if (this.down === null) this.owner.onServerFirst(this);
    this.receivedBytes += end - start;
    if (fin) this.#upDone = true;
    this.down?.sendData(buffer, start, end, fin);
    if (fin && this.#downDone) this.#finish(null);
  }

  #leave(cancelled: boolean): void {
    const { endpoint } = this;
    this.endpoint = null;
    if (endpoint === null) return;
    endpoint.pending--;
    if (cancelled || !this.#accepted) endpoint.breaker.onCancelled();
    else endpoint.breaker.onSuccess(this.#clock(), 0, this.#random());
  }

  #finish(error: Failure | null): void {
    if (this.#finished) return;
    this.#finished = true;
    this.#leave(error?.code === "cancelled");
    this.owner.finished(this, error);
  }
}

const EMPTY = new Uint8Array(0);
