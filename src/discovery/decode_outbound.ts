/** OutboundTarget of tulle/discovery/v1/discovery.proto → model. Field numbers are the proto's. */
import type { HeaderEdit, HttpMatch } from "../model/http_match.ts";
import { hostPort } from "../base/ip.ts";
import { formatIp, ipFromBytes } from "../model/ip.ts";
import {
  type Backend,
  type Breaker,
  DEFAULT_DECAY_MS,
  DEFAULT_RTT_MS,
  type Endpoint,
  type OutboundTarget,
  type RetryPolicy,
  type RouteRule,
  type WeightedBackend,
} from "../model/outbound.ts";
import type { Egress } from "../model/egress.ts";
import type { Resilience } from "../model/resilience.ts";
import { NO_RESOURCE, resourceKey } from "../model/resource.ts";
import type { Result } from "../base/result.ts";
import { parseSpiffeId } from "../model/spiffe_id.ts";
import { ProtoReader } from "../wire/protobuf/reader.ts";
import { Check, nested } from "./check.ts";
import {
  protocolOf,
  readDurationMs,
  readEdit,
  readHostname,
  readMatch,
  readPort,
  readResource,
  readWorkload,
} from "./decode_common.ts";
import type { Fault } from "../model/fault.ts";
import { readFault } from "./decode_fault.ts";
import { readEgress } from "./decode_egress.ts";
import { PlanReader, ShareReader } from "./decode_plan.ts";
import { readResilience } from "./decode_resilience.ts";

/** Most further tries of a request: more only multiplies an outage. */
const MAX_RETRIES = 10;
/** Largest weight the Gateway API allows. */
const MAX_WEIGHT = 1_000_000;

/** A rule whose backends are still numbers. */
interface UnlinkedRule {
  readonly rule: Omit<RouteRule, "backends" | "totalWeight" | "plan">;
  readonly shares: readonly UnlinkedShare[];
  readonly plan: PlanReader;
}

interface UnlinkedShare {
  readonly index: number;
  readonly weight: number;
  readonly filters: ShareReader;
}

/**
 * Decodes and validates a snapshot of a destination.
 *
 * @param key what was asked for
 * @param version of the snapshot
 * @param bytes the OutboundTarget message
 */
export function decodeOutbound(key: string, version: string, bytes: Uint8Array): Result<OutboundTarget> {
  const check = new Check();
  const r = new ProtoReader(bytes);
  const rules: UnlinkedRule[] = [];
  const streamRules: UnlinkedRule[] = [];
  const backends: Backend[] = [];
  let known = false;
  let parent = NO_RESOURCE;
  let authority = "";
  let port = 0;
  let protocol = 0;
  let egress: Egress | null = null;
  while (r.next()) {
    if (r.field === 1) known = r.number() !== 0;
    else if (r.field === 2) parent = nested(r, readResource);
    else if (r.field === 3) authority = r.text();
    else if (r.field === 4) port = check.range("outbound.port", r.number(), 0, 65_535);
    else if (r.field === 5) protocol = r.number();
    else if (r.field === 6) rules.push(nested(r, (m) => readRoute(m, `outbound.routes[${rules.length}]`, check)));
    else if (r.field === 7) {
      backends.push(nested(r, (m) => readBackend(m, `outbound.backends[${backends.length}]`, check)));
    } else if (r.field === 20) egress = nested(r, (m) => readEgress(m, "outbound.egress", check));
    else if (r.field === 30) {
      streamRules.push(nested(r, (m) => readRoute(m, `outbound.stream_routes[${streamRules.length}]`, check)));
    } else r.skip();
  }
  if (known && port === 0) check.fail("outbound.port", "0", "1–65535 for a known target");
  const routes = rules.map((rule) => link(rule, backends));
  const streamRoutes = streamRules.map((rule) => link(rule, backends));
  const head = { key, version, known, parent, authority, port, protocol: protocolOf(protocol) };
  return check.result({ ...head, routes, backends, streamRoutes, egress }, r, "outbound");
}

/** An index past the end stands for a reference that does not resolve. */
function link(unlinked: UnlinkedRule, backends: readonly Backend[]): RouteRule {
  const matched = matchedPrefix(unlinked.rule.matches);
  const shares = unlinked.shares.map(({ index, weight, filters }): WeightedBackend => ({
    backend: backends[index] ?? null,
    weight,
    filters: filters.filters(backends, matched),
  }));
  return {
    ...unlinked.rule,
    backends: shares,
    totalWeight: shares.reduce((sum, share) => sum + share.weight, 0),
    plan: unlinked.plan.plan(backends, matched),
  };
}

/** What an edit of the prefix replaces: controllers send one match with each rule. */
function matchedPrefix(matches: readonly HttpMatch[]): string {
  const path = matches.length === 1 ? matches[0]?.path ?? null : null;
  return path?.kind === "prefix" ? path.value : "";
}

function readRoute(r: ProtoReader, path: string, check: Check): UnlinkedRule {
  let ref = NO_RESOURCE;
  const hostnames: string[] = [];
  const matches: HttpMatch[] = [];
  const shares: UnlinkedShare[] = [];
  const plan = new PlanReader();
  let requestTimeoutMs = 0;
  let backendTimeoutMs = 0;
  let retry: RetryPolicy | null = null;
  let requestHeaders: HeaderEdit | null = null;
  let responseHeaders: HeaderEdit | null = null;
  const faults: Fault[] = [];
  while (r.next()) {
    if (r.field === 1) ref = nested(r, readResource);
    else if (r.field === 2) hostnames.push(readHostname(r, `${path}.hostnames[${hostnames.length}]`, check));
    else if (r.field === 3) matches.push(nested(r, (m) => readMatch(m, `${path}.matches[${matches.length}]`, check)));
    else if (r.field === 4) shares.push(nested(r, (m) => readShare(m, `${path}.backends[${shares.length}]`, check)));
    else if (r.field === 5) requestTimeoutMs = nested(r, (m) => readDurationMs(m, `${path}.request_timeout`, check));
    else if (r.field === 6) backendTimeoutMs = nested(r, (m) => readDurationMs(m, `${path}.backend_timeout`, check));
    else if (r.field === 7) retry = nested(r, (m) => readRetry(m, `${path}.retry`, check));
    else if (r.field === 8) requestHeaders = nested(r, (m) => readEdit(m, `${path}.request_headers`, check));
    else if (r.field === 9) responseHeaders = nested(r, (m) => readEdit(m, `${path}.response_headers`, check));
    else if (r.field === 20) faults.push(nested(r, (m) => readFault(m, `${path}.faults[${faults.length}]`, check)));
    else if (!plan.read(r, path, check)) r.skip();
  }
  const spoilt = faults.length === 0 ? {} : { faults };
  const timeouts = { requestTimeoutMs, backendTimeoutMs };
  return {
    rule: { ref, hostnames, matches, ...timeouts, retry, requestHeaders, responseHeaders, ...spoilt },
    shares,
    plan,
  };
}

function readShare(r: ProtoReader, path: string, check: Check): UnlinkedShare {
  const filters = new ShareReader();
  let index = 0;
  let weight = 0;
  while (r.next()) {
    if (r.field === 1) index = r.number();
    else if (r.field === 2) weight = check.range(`${path}.weight`, r.number(), 0, MAX_WEIGHT);
    else if (!filters.read(r, path, check)) r.skip();
  }
  return { index, weight, filters };
}

function readRetry(r: ProtoReader, path: string, check: Check): RetryPolicy {
  let limit = 0;
  const codes: number[] = [];
  const grpcCodes: number[] = [];
  let connectionError = false;
  let backoffMs = 0;
  while (r.next()) {
    if (r.field === 1) limit = check.range(`${path}.limit`, r.number(), 0, MAX_RETRIES);
    else if (r.field === 2) r.numbers(codes);
    else if (r.field === 3) connectionError = r.number() !== 0;
    else if (r.field === 4) r.numbers(grpcCodes);
    else if (r.field === 5) backoffMs = nested(r, (m) => readDurationMs(m, `${path}.backoff`, check));
    else r.skip();
  }
  codes.forEach((code, i) => check.range(`${path}.status_codes[${i}]`, code, 400, 599));
  grpcCodes.forEach((code, i) => check.range(`${path}.grpc_codes[${i}]`, code, 1, 16));
  const grpcStatuses = grpcCodes.reduce((set, code) => set | (1 << code), 0);
  return { limit, statusCodes: new Set(codes), grpcStatuses, connectionError, backoffMs };
}

function readBackend(r: ProtoReader, path: string, check: Check): Backend {
  let ref = NO_RESOURCE;
  let port = 0;
  let protocol = 0;
  const endpoints: Endpoint[] = [];
  let balancer = { defaultRttMs: DEFAULT_RTT_MS, decayMs: DEFAULT_DECAY_MS };
  let breaker: Breaker = { consecutiveFailures: 0, minPenaltyMs: 0, maxPenaltyMs: 0 };
  let resilience: Resilience | null = null;
  while (r.next()) {
    if (r.field === 1) ref = nested(r, readResource);
    else if (r.field === 2) port = check.range(`${path}.port`, r.number(), 0, 65_535);
    else if (r.field === 3) protocol = r.number();
    else if (r.field === 4) {
      endpoints.push(nested(r, (m) => readEndpoint(m, `${path}.endpoints[${endpoints.length}]`, check)));
    } else if (r.field === 5) balancer = nested(r, (m) => readBalancer(m, `${path}.load_balancer`, check));
    else if (r.field === 6) breaker = nested(r, (m) => readBreaker(m, `${path}.breaker`, check));
    else if (r.field === 20) resilience = nested(r, (m) => readResilience(m, `${path}.resilience`, check));
    else r.skip();
  }
  return {
    ref,
    port,
    protocol: protocolOf(protocol),
    endpoints,
    ...balancer,
    breaker,
    resilience,
    key: `${resourceKey(ref)}:${port}`,
  };
}

function readEndpoint(r: ProtoReader, path: string, check: Check): Endpoint {
  let address: Uint8Array = new Uint8Array(0);
  let port = 0;
  let identity = "";
  let meshPort = 0;
  let zone = "";
  let weight = 0;
  let workload = "";
  while (r.next()) {
    if (r.field === 1) address = r.view();
    else if (r.field === 2) port = readPort(r, `${path}.port`, check);
    else if (r.field === 3) identity = r.text();
    else if (r.field === 4) meshPort = check.range(`${path}.mesh_port`, r.number(), 0, 65_535);
    else if (r.field === 5) zone = r.text();
    else if (r.field === 6) weight = check.range(`${path}.weight`, r.number(), 0, MAX_WEIGHT);
    else if (r.field === 7) workload = nested(r, readWorkload);
    else r.skip();
  }
  const parsed = ipFromBytes(address);
  if (parsed === null) check.fail(`${path}.ip`, `${address.length} bytes`, "4 bytes for IPv4 or 16 for IPv6");
  if (port === 0) check.fail(`${path}.port`, "0", "1–65535");
  if (identity !== "") checkIdentity(path, identity, meshPort, check);
  const ip = parsed === null ? "" : formatIp(parsed);
  return { ip, port, key: hostPort(ip, port), identity, meshPort, zone, weight: Math.max(1, weight), workload };
}

/** An endpoint that has an identity must be reachable as one: plaintext instead would be a silent downgrade. */
function checkIdentity(path: string, identity: string, meshPort: number, check: Check): void {
  if (parseSpiffeId(identity) === null) check.fail(`${path}.identity`, JSON.stringify(identity), "a SPIFFE ID");
  if (meshPort === 0) check.fail(`${path}.mesh_port`, "0", "the port of its sidecar, since it has an identity");
}

function readBalancer(r: ProtoReader, path: string, check: Check): { defaultRttMs: number; decayMs: number } {
  let defaultRttMs = DEFAULT_RTT_MS;
  let decayMs = DEFAULT_DECAY_MS;
  while (r.next()) {
    if (r.field === 1) defaultRttMs = nested(r, (m) => readDurationMs(m, `${path}.default_rtt`, check));
    else if (r.field === 2) decayMs = nested(r, (m) => readDurationMs(m, `${path}.decay`, check));
    else r.skip();
  }
  if (decayMs <= 0) check.fail(`${path}.decay`, `${decayMs} ms`, "more than 0");
  return { defaultRttMs, decayMs };
}

function readBreaker(r: ProtoReader, path: string, check: Check): Breaker {
  let consecutiveFailures = 0;
  let minPenaltyMs = 1000;
  let maxPenaltyMs = 60_000;
  while (r.next()) {
    if (r.field === 1) consecutiveFailures = r.number();
    else if (r.field === 2) minPenaltyMs = nested(r, (m) => readDurationMs(m, `${path}.min_penalty`, check));
    else if (r.field === 3) maxPenaltyMs = nested(r, (m) => readDurationMs(m, `${path}.max_penalty`, check));
    else r.skip();
  }
  if (maxPenaltyMs < minPenaltyMs) {
    check.fail(`${path}.max_penalty`, `${maxPenaltyMs} ms`, `at least min_penalty, ${minPenaltyMs} ms`);
  }
  return { consecutiveFailures, minPenaltyMs, maxPenaltyMs };
}
