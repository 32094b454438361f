/** Resilience of tulle/discovery/v1/discovery.proto → model. Field numbers are the proto's. */
import type {
  Concurrency,
  ConsistentHash,
  Ejection,
  Hedging,
  Resilience,
  RetryBudgetPolicy,
  ZonePreference,
} from "../model/resilience.ts";
import { NO_RESOURCE } from "../model/resource.ts";
import type { ProtoReader } from "../wire/protobuf/reader.ts";
import { type Check, nested } from "./check.ts";
import { readDurationMs, readMethod, readResource } from "./decode_common.ts";

/** Most requests under way that a limit may name; also most retries a second. */
const MAX_REQUESTS = 1_000_000;

/** Ten times the mean: beyond it a bound would never act. */
const MAX_BALANCE_PERCENT = 1000;

/** Resilience. */
export function readResilience(r: ProtoReader, path: string, check: Check): Resilience {
  let policy = NO_RESOURCE;
  let ejection: Ejection | null = null;
  let slowStartMs = 0;
  let retryBudget: RetryBudgetPolicy | null = null;
  let hedging: Hedging | null = null;
  let concurrency: Concurrency | null = null;
  let zone: ZonePreference | null = null;
  let hash: ConsistentHash | null = null;
  while (r.next()) {
    if (r.field === 1) policy = nested(r, readResource);
    else if (r.field === 2) ejection = nested(r, (m) => readEjection(m, `${path}.ejection`, check));
    else if (r.field === 3) slowStartMs = nested(r, (m) => readDurationMs(m, `${path}.slow_start`, check));
    else if (r.field === 4) retryBudget = nested(r, (m) => readBudget(m, `${path}.retry_budget`, check));
    else if (r.field === 5) hedging = nested(r, (m) => readHedging(m, `${path}.hedging`, check));
    else if (r.field === 6) concurrency = nested(r, (m) => readConcurrency(m, `${path}.concurrency`, check));
    else if (r.field === 7) zone = nested(r, (m) => readZone(m, `${path}.zone`, check));
    else if (r.field === 8) hash = nested(r, (m) => readHash(m, `${path}.hash`, check));
    else r.skip();
  }
  return { policy, ejection, slowStartMs, retryBudget, hedging, concurrency, zone, hash };
}

function readEjection(r: ProtoReader, path: string, check: Check): Ejection {
  const percent = (name: string) => check.range(`${path}.${name}`, r.number(), 0, 100);
  let minSuccessPercent = 0;
  let windowMs = 0;
  let minRequests = 0;
  let slowAfterMs = 0;
  let maxSlowPercent = 0;
  let maxEjectedPercent = 0;
  while (r.next()) {
    if (r.field === 1) minSuccessPercent = percent("min_success_percent");
    else if (r.field === 2) windowMs = nested(r, (m) => readDurationMs(m, `${path}.window`, check));
    else if (r.field === 3) minRequests = r.number();
    else if (r.field === 4) slowAfterMs = nested(r, (m) => readDurationMs(m, `${path}.slow_after`, check));
    else if (r.field === 5) maxSlowPercent = percent("max_slow_percent");
    else if (r.field === 6) maxEjectedPercent = percent("max_ejected_percent");
    else r.skip();
  }
  if (windowMs < 10) check.fail(`${path}.window`, `${windowMs} ms`, "at least 10 ms");
  return { minSuccessPercent, windowMs, minRequests, slowAfterMs, maxSlowPercent, maxEjectedPercent };
}

function readBudget(r: ProtoReader, path: string, check: Check): RetryBudgetPolicy {
  let percent = 0;
  let minPerSecond = 0;
  while (r.next()) {
    if (r.field === 1) percent = check.range(`${path}.percent`, r.number(), 0, 100);
    else if (r.field === 2) minPerSecond = check.range(`${path}.min_per_second`, r.number(), 0, MAX_REQUESTS);
    else r.skip();
  }
  return { percent, minPerSecond };
}

function readHedging(r: ProtoReader, path: string, check: Check): Hedging {
  let delayMs = 0;
  const methods = new Set<string>();
  while (r.next()) {
    if (r.field === 1) delayMs = nested(r, (m) => readDurationMs(m, `${path}.delay`, check));
    else if (r.field === 2) methods.add(readMethod(r, `${path}.methods[${methods.size}]`, check));
    else r.skip();
  }
  return { delayMs, methods };
}

function readConcurrency(r: ProtoReader, path: string, check: Check): Concurrency {
  let limit = 0;
  let min = 0;
  let max = 0;
  while (r.next()) {
    if (r.field === 1) limit = check.range(`${path}.limit`, r.number(), 1, MAX_REQUESTS);
    else if (r.field === 2) min = check.range(`${path}.min`, r.number(), 0, MAX_REQUESTS);
    else if (r.field === 3) max = check.range(`${path}.max`, r.number(), 0, MAX_REQUESTS);
    else r.skip();
  }
  check.range(`${path}.limit`, limit, 1, MAX_REQUESTS);
  if (max > 0 && (min < 1 || limit < min || limit > max)) {
    check.fail(path, `limit ${limit}, min ${min}, max ${max}`, "1 ≤ min ≤ limit ≤ max");
  }
  return { limit, min, max };
}

function readZone(r: ProtoReader, path: string, check: Check): ZonePreference {
  let spillOver = 0;
  while (r.next()) {
    if (r.field === 1) spillOver = check.range(`${path}.spill_over`, r.number(), 1, MAX_REQUESTS);
    else r.skip();
  }
  check.range(`${path}.spill_over`, spillOver, 1, MAX_REQUESTS);
  return { spillOver };
}

const HASH_KEYS: Readonly<Record<number, ConsistentHash["by"]>> = {
  1: "header",
  2: "cookie",
  3: "query",
  4: "source_ip",
  5: "identity",
};

/** A key that this version does not know leaves requests without one: they go to any endpoint. */
function readHash(r: ProtoReader, path: string, check: Check): ConsistentHash | null {
  let by: ConsistentHash["by"] | null = null;
  let name = "";
  let balancePercent = 0;
  let affinityMs = 0;
  while (r.next()) {
    const key = HASH_KEYS[r.field];
    if (key !== undefined) {
      by = key;
      if (r.field <= 3) name = readHashName(r, `${path}.${key}`, check);
      else r.skip();
    } else if (r.field === 6) balancePercent = readBalance(r, path, check);
    else if (r.field === 7) affinityMs = nested(r, (m) => readDurationMs(m, `${path}.affinity`, check));
    else r.skip();
  }
  return by === null ? null : { by, name, balancePercent, affinityMs };
}

function readHashName(r: ProtoReader, path: string, check: Check): string {
  const name = r.text();
  if (name === "") check.fail(path, '""', "a name");
  return name;
}

/** Less than the mean cannot hold for all. */
function readBalance(r: ProtoReader, path: string, check: Check): number {
  const percent = r.number();
  return percent === 0 ? 0 : check.range(`${path}.balance_percent`, percent, 101, MAX_BALANCE_PERCENT);
}
