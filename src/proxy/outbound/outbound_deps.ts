/** What the outbound pipeline works with. */
import type { SocketAddress } from "../../net/orig_dst.ts";
import type { SelfTest } from "../connection/self_test.ts";
import type { Exchange, HttpPipeline } from "../exchange/exchange.ts";
import type { Live } from "../exchange/live.ts";
import type { OutboundObserver } from "../observe/observe.ts";
import type { Upstreams } from "../upstream/upstreams.ts";
import type { EgressGate } from "./egress_gate.ts";
import type { OutboundTargets, TargetEntry } from "./outbound_targets.ts";

/** What becomes of requests. */
export interface OutboundPipeline extends HttpPipeline {
  /** Ends what may not leave the mesh any more. */
  rejudge(exchange: Exchange): void;
}

export interface OutboundDeps {
  readonly targets: OutboundTargets;
  readonly upstreams: Upstreams;
  readonly pipeline: OutboundPipeline;
  readonly gate: EgressGate;
  readonly observer: OutboundObserver;
  readonly live: Live;
  readonly selfTest: SelfTest;
  /** Asks the controller for a target; resolves to an entry, or to the reason why there is none. */
  discover(key: string, timeoutMs: number): Promise<TargetEntry | string>;
  /** True for this proxy's own listeners, which must never be dialled from here. */
  isLoop(address: SocketAddress): boolean;
  clock(): number;
  random(): number;
}
