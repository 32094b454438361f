/** A fault that is injected on purpose, for tests. */
import type { ResourceRef } from "./resource.ts";

export interface Fault {
  readonly policy: ResourceRef;
  /** Share of the requests, in hundredths of a percent: 10000 are all. */
  readonly share: number;
  /** SPIFFE IDs of the callers it is for; none: all. */
  readonly identities: readonly string[];
  /** When it is over, milliseconds since 1970. */
  readonly untilMs: number;
  /** Before anything else; 0: none. */
  readonly delayMs: number;
  /** Status of an answer that is made here; 0: none. */
  readonly httpStatus: number;
  /** … of a gRPC one; 0: none. */
  readonly grpcStatus: number;
  /** The connection (HTTP/1) or the stream (HTTP/2) is reset. */
  readonly reset: boolean;
  /** Body bytes of a request that pass in a second; 0: no limit. */
  readonly requestBytesPerSecond: number;
  /** … of a response. */
  readonly responseBytesPerSecond: number;
}
