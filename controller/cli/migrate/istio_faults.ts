/** Faults of a VirtualService's rule (networking.istio.io) → specs of FaultInjections, which end. */
import { formatDuration } from "../../../src/base/duration.ts";
import { goDuration } from "./durations.ts";
import type { Json, View } from "./view.ts";

const GRPC_STATUSES = [
  "OK",
  "CANCELLED",
  "UNKNOWN",
  "INVALID_ARGUMENT",
  "DEADLINE_EXCEEDED",
  "NOT_FOUND",
  "ALREADY_EXISTS",
  "PERMISSION_DENIED",
  "RESOURCE_EXHAUSTED",
  "FAILED_PRECONDITION",
  "ABORTED",
  "OUT_OF_RANGE",
  "UNIMPLEMENTED",
  "INTERNAL",
  "UNAVAILABLE",
  "DATA_LOSS",
  "UNAUTHENTICATED",
];

/** One of the two faults that a rule may have; each is drawn for by itself. */
interface Drawn {
  readonly percent: number;
  readonly spec: Json;
}

/**
 * Reads `fault` of a rule. What cannot be said exactly is listed and left out: a fault more would be one that nobody meant.
 *
 * @param until when they end, RFC 3339: Istio's never do, ours must
 * @returns specs without a target, in the order in which a request draws for them: the first that it draws is the one it gets
 */
export function readFaults(rule: View, until: string): Json[] {
  const view = rule.view("fault");
  if (view === null) return [];
  const [delay, abort] = [readDelay(view.view("delay")), readAbort(view.view("abort"))];
  const hasMore = view.done("lost");
  if (hasMore || delay === "refused" || abort === "refused") {
    view.say("lost", "", "one part cannot be said, and the rest would be another fault: no FaultInjection is written");
    return [];
  }
  const found = inOrder(delay, abort);
  if (found === null) {
    const reason = "a delay and an abort for shares of their own, drawn for apart, cannot be said: give one of them " +
      "100 percent, or write FaultInjections (policy.tulle.dev)";
    view.say("lost", "", reason);
    return [];
  }
  if (found.length > 0) view.say("note", "", `a fault must end: this does at ${until}, see --faults-until`);
  return found.map(({ percent, spec }) => ({ ...(percent === 100 ? {} : { percent }), ...spec, until }));
}

/** @returns null where independent draws are not the same as drawing for one after the other */
function inOrder(delay: Drawn | null, abort: Drawn | null): Drawn[] | null {
  const drawn = [delay, abort].flatMap((each) => each === null || each.percent === 0 ? [] : [each]);
  const [first, second] = drawn;
  if (first === undefined || second === undefined) return drawn;
  const both = { ...first.spec, ...second.spec };
  if (first.percent === 100) return after(both, second.percent, first);
  return second.percent === 100 ? after(both, first.percent, second) : null;
}

/** Both for a share; `always` for the rest. */
function after(both: Json, percent: number, always: Drawn): Drawn[] {
  return percent === 100 ? [{ percent, spec: both }] : [{ percent, spec: both }, always];
}

function readDelay(view: View | null): Drawn | "refused" | null {
  if (view === null) return null;
  const percent = readPercent(view);
  const text = view.text("fixedDelay");
  const ms = text === null ? null : goDuration(text);
  if (view.done("lost", "a delay is one time for all") || percent === null) return "refused";
  if (ms !== null && ms > 0) return { percent, spec: { delay: formatDuration(ms) } };
  view.say("lost", "fixedDelay", `found ${JSON.stringify(text)}, want a duration such as 2s`);
  return "refused";
}

function readAbort(view: View | null): Drawn | "refused" | null {
  if (view === null) return null;
  const percent = readPercent(view);
  const httpStatus = view.number("httpStatus");
  const text = view.text("grpcStatus");
  const grpcStatus = text === null ? null : /^\d+$/.test(text) ? Number(text) : GRPC_STATUSES.indexOf(text);
  if (view.done("lost", "an abort is a status of HTTP or gRPC") || percent === null) return "refused";
  const isKnown = grpcStatus === null || (grpcStatus >= 1 && grpcStatus < GRPC_STATUSES.length);
  if (!isKnown) view.say("lost", "grpcStatus", `found ${JSON.stringify(text)}, want the name of a failure`);
  const isHttp = httpStatus === null || (Number.isInteger(httpStatus) && httpStatus >= 200 && httpStatus <= 599);
  if (!isHttp) view.say("lost", "httpStatus", `found ${httpStatus}, want 200 to 599`);
  if (!isKnown || !isHttp) return "refused";
  if (httpStatus === null && grpcStatus === null) {
    view.say("lost", "", "found no status");
    return "refused";
  }
  const abort = {
    ...(httpStatus === null ? {} : { httpStatus }),
    ...(grpcStatus === null ? {} : { grpcStatus }),
  };
  return { percent, spec: { abort } };
}

/** @returns whole percents; null, told, for what is none */
function readPercent(view: View): number | null {
  const share = view.view("percentage");
  const percent = share?.number("value") ?? view.number("percent");
  view.skip("percent");
  share?.done("lost");
  if (percent === null) {
    view.say("note", "", "without a percentage no request had it");
    return 0;
  }
  if (Number.isInteger(percent) && percent >= 0 && percent <= 100) return percent;
  view.say("lost", view.has("percentage") ? "percentage" : "percent", `found ${percent}, want whole percents`);
  return null;
}
