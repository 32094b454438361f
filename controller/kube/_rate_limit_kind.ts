/** Decoder of RateLimitPolicy (policy.tulle.dev/v1alpha1). */
import type { Reader } from "./_reader.ts";
import { readMeta } from "./_meta.ts";
import { readTypedRef } from "./_policy_kinds.ts";
import { MAX_OVERRIDES, MAX_RATE, type Rate, type RateLimitPolicy } from "./rate_limits.ts";

const HEADER_NAME = /^[A-Za-z0-9!#$%&'*+\-.^_|~]{1,256}$/;

export function readRateLimitPolicy(root: Reader): RateLimitPolicy {
  const meta = readMeta(root, true);
  root.ignore("status");
  const spec = root.object("spec");
  const targetRef = spec.object("targetRef");
  const target = readTypedRef(targetRef, ["Server", "HTTPRoute", "GRPCRoute"]);
  targetRef.done();
  const header = spec.objectOr("header");
  const policy: RateLimitPolicy = {
    kind: "RateLimitPolicy",
    meta,
    target,
    total: readRateAt(spec, "total"),
    identity: readRateAt(spec, "identity"),
    overrides: spec.objects("overrides", MAX_OVERRIDES, readOverride),
    header: header === null ? null : {
      name: header.text("name", "the name of a header", (text) => HEADER_NAME.test(text)).toLowerCase(),
      rate: readRate(header),
    },
  };
  header?.done();
  spec.done();
  if (policy.total === null && policy.identity === null && policy.header === null && policy.overrides.length === 0) {
    spec.fail(spec.path, "found no rate, want total, identity, overrides or header");
  }
  return policy;
}

function readOverride(item: Reader): RateLimitPolicy["overrides"][number] {
  const clients = item.objects("clientRefs", MAX_OVERRIDES, (ref) => {
    const client = readTypedRef(ref, ["ServiceAccount"]);
    ref.done();
    return client;
  });
  if (clients.length === 0) item.bad("clientRefs", "at least one ServiceAccount");
  const rate = readRate(item);
  item.done();
  return { rate, clients };
}

function readRateAt(spec: Reader, key: string): Rate | null {
  const reader = spec.objectOr(key);
  if (reader === null) return null;
  const rate = readRate(reader);
  reader.done();
  return rate;
}

/** A burst is a second's worth of requests where nothing is said. */
function readRate(reader: Reader): Rate {
  const requestsPerSecond = reader.int("requestsPerSecond", 1, MAX_RATE);
  return { requestsPerSecond, burst: reader.intOr("burst", requestsPerSecond, 1, MAX_RATE) };
}
