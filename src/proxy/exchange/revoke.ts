/**
 * A new policy holds for what is under way, too: connections, tunnels and streams that it does not permit are ended.
 *
 * That happens a moment after it has come. A change often consists of several objects (a Server, then the policy that
 * admits to it), and what the whole of it permits must not be cut because a part of it did not.
 */
import { Timer, type TimerOwner } from "../../base/timer_wheel.ts";
import { Http1Server } from "../../http/http1_server.ts";
import { Http2Connection } from "../../http/http2_connection.ts";
import { Http2Stream } from "../../http/http2_stream.ts";
import type { Leg, LegListener } from "../../http/leg.ts";
import { TcpLeg } from "../../http/tcp_leg.ts";
import type { SocketOwner } from "../../net/socket.ts";
import { arm } from "../../net/ticker.ts";
import { type HeaderBlock, IS_GRPC } from "../../wire/header_block.ts";
import { CANCEL, NO_ERROR } from "../../wire/http2/error_code.ts";
import type { Live } from "./live.ts";
import { errorTrailers } from "./respond.ts";
import type { Failure, FailureCode } from "../upstream/failure.ts";

/** From the first change to the look at what is under way: longer than a change of several objects takes to arrive. */
export const SETTLE_MS = 500;

/** Looks at all connections once a change of policy has settled. */
export class Revocation implements TimerOwner {
  readonly #live: Live;
  readonly #timer = new Timer(this, 0);

  constructor(live: Live) {
    this.#live = live;
  }

  /** The policy has changed. Later changes do not put the look off. */
  changed(): void {
    if (this.#timer.tick < 0) arm(this.#timer, SETTLE_MS);
  }

  onTimer(_kind: number): void {
    this.#live.rejudge();
  }
}

/** What is under way on a connection: exchanges and tunnels. @param owner of its socket */
export function underWay(owner: SocketOwner): LegListener[] {
  const found: LegListener[] = [];
  if (owner instanceof Http2Connection) {
    for (const { listener } of owner.streams.values()) if (listener !== null) found.push(listener);
  } else if ((owner instanceof Http1Server || owner instanceof TcpLeg) && owner.listener !== null) {
    found.push(owner.listener);
  }
  return found;
}

/** What a gRPC client should be told by its status: PERMISSION_DENIED, DEADLINE_EXCEEDED. */
const SAID_AT_THE_END: ReadonlySet<FailureCode> = new Set(["revoked", "timeout", "deadline"] as const);

/**
 * Ends a response that has begun: too late for a status, so the client must see that it is not complete. A gRPC stream
 * has its status at the end, unless messages wait to be sent before it, which its client may never read.
 */
export function endBegun(down: Leg, request: HeaderBlock, error: Failure): void {
  const saysWhy = SAID_AT_THE_END.has(error.code) && hasTrailers(request);
  if (!saysWhy || !(down instanceof Http2Stream) || down.queued > 0) return down.abort(CANCEL);
  down.sendTrailers(errorTrailers(error));
  down.abort(NO_ERROR);
}

/** Whether the status of a call is in trailers: that of gRPC-Web is in its body, where the message before may be cut off. */
function hasTrailers(request: HeaderBlock): boolean {
  return (request.flags & IS_GRPC) !== 0 && request.get("content-type")?.startsWith("application/grpc-web") !== true;
}
