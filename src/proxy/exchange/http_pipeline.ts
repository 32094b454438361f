import type { HeaderBlock } from "../../wire/header_block.ts";
import type { Exchange } from "./exchange.ts";
import type { Failure } from "../upstream/failure.ts";

/** What inbound and outbound do differently. */
export interface HttpPipeline {
  /** Decides about a new request: `exchange.dispatch` or `exchange.fail`, before it returns. */
  route(exchange: Exchange): void;
  /** An attempt failed before the response began: dispatches again, now or later, and returns true; or returns false. */
  retry(exchange: Exchange, failure: Failure): boolean;
  /** A pause is over: dispatches again, or fails the exchange. */
  resume(exchange: Exchange): void;
  /** The final head has arrived; returns what the client gets, or null to drop it because there will be another attempt. */
  responseHead(exchange: Exchange, head: HeaderBlock): HeaderBlock | null;
  /** What the client gets of an interim response. */
  interimHead(exchange: Exchange, head: HeaderBlock): HeaderBlock;
  /** The exchange is over. */
  finished(exchange: Exchange): void;
}
