/**
 * What the main thread and a worker say to each other, as structured clones. Both are of the same build, so there are no
 * versions. A worker speaks first ("up"): what is sent before it listens would be lost.
 */
import type { ProxyConfig } from "../../../config/proxy_config.ts";
import type { Identity } from "../../../identity/identity.ts";
import type { AccessEntry } from "../../../telemetry/access_log.ts";
import type { MetricsDump } from "../../../telemetry/metrics_sum.ts";
import type { GivenSockets } from "../../connection/listeners.ts";
import type { PathReport } from "../../path_report.ts";
import type { Trip } from "../../upstream/breaker.ts";

/** From the main thread. */
export type ToWorker =
  /** First message. `counts`: memory of AcceptCounts. */
  | {
    readonly type: "start";
    readonly thread: number;
    readonly config: ProxyConfig;
    readonly counts: SharedArrayBuffer;
  }
  /** Sockets to listen on; the descriptors are the worker's from here on. */
  | { readonly type: "listen"; readonly sockets: GivenSockets }
  /** Another process has the sockets: listens no longer. */
  | { readonly type: "release" }
  | { readonly type: "identity"; readonly identity: Identity }
  /** A snapshot that is in force: the workload's policy, or a target that the worker follows. A SubscribeResponse. */
  | { readonly type: "snapshot"; readonly message: Uint8Array }
  /** Answer to "want" when there is none. */
  | { readonly type: "no_target"; readonly key: string; readonly reason: string }
  /** Another thread has stepped back for this one: see AcceptShare. */
  | { readonly type: "accept"; readonly socket: number }
  /** A breaker has tripped or closed in another thread. */
  | { readonly type: "breaker"; readonly trip: Trip }
  /** Events are wanted, or no longer. */
  | { readonly type: "tap"; readonly isWatched: boolean }
  /** The access log takes more. */
  | { readonly type: "log_written"; readonly lost: number }
  | { readonly type: "trim" }
  | { readonly type: "ask"; readonly id: number; readonly what: "metrics" | "report" | "drain" | "retire" }
  /** Cuts off what is left, for this reason. The last request: answered when the access log is out. */
  | { readonly type: "ask"; readonly id: number; readonly what: "end"; readonly reason: string };

/** Answers to "ask". */
export interface Answers {
  readonly metrics: MetricsDump;
  readonly report: PathReport;
  /** Sent when the last connection has ended. */
  readonly drain: null;
  readonly retire: null;
  /** Connections that were cut off. */
  readonly end: number;
}

/** From a worker. */
export type FromWorker =
  /** It listens to messages. */
  | { readonly type: "up" }
  /** It serves: connections come to it from now on. */
  | { readonly type: "serving" }
  /** It has stepped back for another thread, which has to listen again. */
  | { readonly type: "wake"; readonly thread: number; readonly socket: number }
  /** It needs a target, and follows it once it has it. */
  | { readonly type: "want"; readonly key: string; readonly timeoutMs: number }
  | { readonly type: "forget"; readonly key: string }
  | { readonly type: "breaker"; readonly trip: Trip }
  | { readonly type: "events"; readonly entries: readonly AccessEntry[] }
  | { readonly type: "write_log"; readonly text: string }
  /** The connection that proves capture has come to this thread. */
  | { readonly type: "capture_works" }
  | { readonly type: "answer"; readonly id: number; readonly value: Answers[keyof Answers] }
  /** Last words of a worker that cannot go on. */
  | { readonly type: "failed"; readonly error: string; readonly metrics: MetricsDump };
