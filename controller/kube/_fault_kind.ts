/** Decoder of FaultInjection (policy.tulle.dev/v1alpha1). */
import { DURATION_FORM, parseDuration } from "../../src/base/duration.ts";
import { type FaultInjection, MAX_BANDWIDTH } from "./fault_injection.ts";
import { readMeta } from "./_meta.ts";
import { readTypedRef } from "./_policy_kinds.ts";
import type { Reader } from "./_reader.ts";

const MAX_CLIENTS = 64;
const TIME_FORM = "a time such as 2026-01-31T12:00:00Z";

export function readFaultInjection(root: Reader): FaultInjection {
  const meta = readMeta(root, true);
  root.ignore("status");
  const spec = root.object("spec");
  const targetRef = spec.object("targetRef");
  const target = readTypedRef(targetRef, ["Service", "HTTPRoute", "GRPCRoute"]);
  targetRef.done();
  const until = spec.textOr(
    "until",
    null,
    TIME_FORM,
    (text) => /^\d{4}-\d\d-\d\dT/.test(text) && !Number.isNaN(Date.parse(text)),
  );
  const abort = spec.objectOr("abort");
  const bandwidth = spec.objectOr("bandwidth");
  const fault: FaultInjection = {
    kind: "FaultInjection",
    meta,
    target,
    percent: spec.intOr("percent", 100, 0, 100),
    clients: spec.objects("clientRefs", MAX_CLIENTS, (item) => {
      const ref = readTypedRef(item, ["ServiceAccount"]);
      item.done();
      return ref;
    }),
    untilMs: until === null ? null : Date.parse(until),
    forMs: readMs(spec, "for"),
    delayMs: readMs(spec, "delay"),
    abort: abort === null ? null : {
      httpStatus: abort.intOr("httpStatus", null, 200, 599),
      grpcStatus: abort.intOr("grpcStatus", null, 1, 16),
    },
    reset: spec.boolOr("reset", false),
    bandwidth: bandwidth === null ? null : {
      requestBytesPerSecond: bandwidth.intOr("requestBytesPerSecond", null, 1, MAX_BANDWIDTH),
      responseBytesPerSecond: bandwidth.intOr("responseBytesPerSecond", null, 1, MAX_BANDWIDTH),
    },
  };
  abort?.done();
  bandwidth?.done();
  spec.done();
  const { untilMs, forMs, delayMs, reset } = fault;
  if ((untilMs === null) === (forMs === null)) {
    spec.fail(spec.path, `found ${untilMs === null ? "neither" : "both"}, want either until or for: a fault must end`);
  }
  if (forMs !== null && meta.createdMs === null) {
    spec.bad("for", "until instead: an object of a file has no time at which it was made");
  }
  if (abort !== null && fault.abort?.httpStatus === null && fault.abort.grpcStatus === null) {
    spec.bad("abort", "httpStatus or grpcStatus");
  }
  if (
    bandwidth !== null && fault.bandwidth?.requestBytesPerSecond === null &&
    fault.bandwidth.responseBytesPerSecond === null
  ) spec.bad("bandwidth", "requestBytesPerSecond or responseBytesPerSecond");
  if (delayMs === null && abort === null && !reset && bandwidth === null) {
    spec.fail(spec.path, "found no fault, want delay, abort, reset or bandwidth");
  }
  return fault;
}

function readMs(parent: Reader, key: string): number | null {
  const text = parent.textOr(key, null, DURATION_FORM, (value) => parseDuration(value) !== null);
  return text === null ? null : parseDuration(text);
}
