/** Decoder of BackendPolicy (policy.tulle.dev/v1alpha1). */
import { DURATION_FORM, parseDuration } from "../../src/base/duration.ts";
import type { Reader } from "./_reader.ts";
import {
  type BackendPolicy,
  type BackendSettings,
  BALANCE_FACTOR,
  type HashSettings,
  MAX_FAILURES,
  MAX_METHODS,
  MAX_REQUESTS,
} from "./backend_policy.ts";
import { readMeta } from "./_meta.ts";
import { readTypedRef } from "./_policy_kinds.ts";

/** Shortest window: its tenth must not be less than a turn of a busy proxy. */
const LEAST_WINDOW_MS = 100;

export function readBackendPolicy(root: Reader): BackendPolicy {
  const meta = readMeta(root, true);
  root.ignore("status");
  const spec = root.object("spec");
  const targetRef = spec.object("targetRef");
  const target = readTypedRef(targetRef, ["Service"]);
  targetRef.done();
  const policy: BackendPolicy = {
    kind: "BackendPolicy",
    meta,
    target,
    ejection: within(spec, "ejection", readEjection),
    slowStartMs: readMs(spec, "slowStart"),
    retryBudget: within(spec, "retryBudget", (reader) => ({
      percent: reader.intOr("percent", null, 0, 100),
      minPerSecond: reader.intOr("minPerSecond", null, 0, MAX_REQUESTS),
    })),
    hedging: within(spec, "hedging", (reader) => {
      if (!reader.has("delay")) reader.bad("delay", DURATION_FORM);
      const form = "a method such as POST";
      const methods = reader.texts("methods", MAX_METHODS, form, (text) => /^[A-Z]{1,32}$/.test(text));
      return { delayMs: readMs(reader, "delay") ?? 0, methods };
    }),
    concurrency: within(spec, "concurrency", readConcurrency),
    zone: within(spec, "zone", (reader) => ({ spillOver: reader.int("spillOver", 1, MAX_REQUESTS) })),
    hash: within(spec, "loadBalancing", (reader) => {
      if (!reader.has("consistentHash")) reader.bad("consistentHash", "a mapping");
      return within(reader, "consistentHash", readHash);
    }),
  };
  spec.done();
  return policy;
}

function readEjection(reader: Reader): BackendSettings["ejection"] {
  const percent = (key: string) => reader.intOr(key, null, 0, 100);
  const ejection = {
    consecutiveFailures: reader.intOr("consecutiveFailures", null, 0, MAX_FAILURES),
    minSuccessPercent: percent("minSuccessPercent"),
    windowMs: readMs(reader, "window", LEAST_WINDOW_MS),
    minRequests: reader.intOr("minRequests", null, 1, MAX_REQUESTS),
    slowAfterMs: readMs(reader, "slowAfter", 1),
    maxSlowPercent: percent("maxSlowPercent"),
    minPenaltyMs: readMs(reader, "minPenalty", 1),
    maxPenaltyMs: readMs(reader, "maxPenalty", 1),
    maxEjectedPercent: percent("maxEjectedPercent"),
  };
  const { minPenaltyMs: min, maxPenaltyMs: max } = ejection;
  if (min !== null && max !== null && max < min) reader.bad("maxPenalty", "at least minPenalty");
  return ejection;
}

function readConcurrency(reader: Reader): BackendSettings["concurrency"] {
  const limit = reader.intOr("limit", null, 1, MAX_REQUESTS);
  const adaptive = within(reader, "adaptive", (inner) => {
    const bounds = { min: inner.intOr("min", 1, 1, MAX_REQUESTS), max: inner.intOr("max", 1000, 1, MAX_REQUESTS) };
    if (bounds.max < bounds.min) inner.bad("max", `at least min, ${bounds.min}`);
    if (limit !== null && (limit < bounds.min || limit > bounds.max)) {
      reader.bad("limit", `${bounds.min}–${bounds.max}, as adaptive says`);
    }
    return bounds;
  });
  if (limit === null && adaptive === null) reader.fail(reader.path, "found neither, want limit or adaptive");
  return { limit, adaptive };
}

function readHash(reader: Reader): HashSettings {
  const named = ([["header", "header"], ["cookie", "cookie"], ["queryParam", "query"]] as const)
    .filter(([key]) => reader.has(key))
    .map(([key, by]) => ({ by, name: reader.text(key, KEY_FORM[key], (text) => KEY_NAME[key].test(text)) }));
  const own = ([["sourceIP", "source_ip"], ["identity", "identity"]] as const)
    .filter(([key]) => reader.boolOr(key, false))
    .map(([, by]) => ({ by, name: "" }));
  const keys = [...named, ...own];
  const [key] = keys;
  const balanceFactor = reader.intOr("balanceFactor", null, 0, BALANCE_FACTOR.most);
  if (balanceFactor !== null && balanceFactor !== 0 && balanceFactor < BALANCE_FACTOR.least) {
    reader.bad("balanceFactor", `0 for no bound, or ${BALANCE_FACTOR.least}–${BALANCE_FACTOR.most}`);
  }
  if (keys.length !== 1 || key === undefined) {
    const found = keys.length === 0 ? "none" : keys.map(({ by }) => by).join(" and ");
    reader.fail(reader.path, `found ${found}, want one of header, cookie, queryParam, sourceIP: true, identity: true`);
    return { by: "source_ip", name: "", balanceFactor };
  }
  return { by: key.by, name: key.by === "header" ? key.name.toLowerCase() : key.name, balanceFactor };
}

/** Tokens, as RFC 9110 §5.6.2 has them for headers and RFC 6265 §4.1.1 for cookies; parameters are compared decoded. */
const TOKEN = /^[A-Za-z0-9!#$%&'*+\-.^_`|~]{1,256}$/;
const KEY_NAME = { header: TOKEN, cookie: TOKEN, queryParam: /^.{1,256}$/s };
const KEY_FORM = {
  header: "the name of a header",
  cookie: "the name of a cookie",
  queryParam: "the name of a parameter",
};

function within<T>(parent: Reader, key: string, read: (reader: Reader) => T): T | null {
  const reader = parent.objectOr(key);
  if (reader === null) return null;
  const value = read(reader);
  reader.done();
  return value;
}

function readMs(parent: Reader, key: string, least = 0): number | null {
  const form = least > 1 ? `${DURATION_FORM}, at least ${least}ms` : DURATION_FORM;
  const text = parent.textOr(key, null, form, (value) => (parseDuration(value) ?? -1) >= least);
  return text === null ? null : parseDuration(text);
}
