/** Snapshots of the domain to messages of the protocol, and their versions. */
import { createHash } from "node:crypto";
import { BinaryWriter, WireType } from "@bufbuild/protobuf/wire";
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import type { MessageInitShape } from "@bufbuild/protobuf";
import * as pb from "../../proto/gen/tulle/discovery/v1/discovery_pb.ts";
import { ipBytes } from "../../src/base/ip.ts";
import type * as core from "../core/snapshot.ts";
import { frameOf } from "./stream_call.ts";
import { duration, headerEdit, routePlan, weightedBackend } from "./_encode_plan.ts";

/** A resource ready to be sent. */
export interface Encoded {
  /** Hash of the content: equal versions are equal snapshots, also over restarts and between controllers. */
  readonly version: string;
  readonly kind: "outbound" | "inbound";
  /** The OutboundTarget or InboundWorkload. */
  readonly bytes: Uint8Array;
}

/** Characters of a version: 128 bits of a hash. */
const VERSION_LENGTH = 32;
/** Field numbers of SubscribeResponse.resource. */
const FIELD = { outbound: 3, inbound: 4 } as const;

const encoded = new WeakMap<core.OutboundTarget | core.InboundWorkload, Encoded>();

/** Encodes a target; the same object is encoded once, however many proxies watch it. */
export function encodeOutbound(target: core.OutboundTarget): Encoded {
  let found = encoded.get(target);
  if (found === undefined) {
    const bytes = toBinary(pb.OutboundTargetSchema, create(pb.OutboundTargetSchema, outboundTarget(target)));
    found = { version: versionOf(bytes), kind: "outbound", bytes };
    encoded.set(target, found);
  }
  return found;
}

/** Encodes the inbound policy of a workload. */
export function encodeInbound(workload: core.InboundWorkload): Encoded {
  let found = encoded.get(workload);
  if (found === undefined) {
    const bytes = toBinary(pb.InboundWorkloadSchema, create(pb.InboundWorkloadSchema, inboundWorkload(workload)));
    found = { version: versionOf(bytes), kind: "inbound", bytes };
    encoded.set(workload, found);
  }
  return found;
}

/**
 * The message that carries a resource.
 * @param isBinary the resource goes as the bytes it has, which is what makes a push to a thousand proxies cheap; JSON needs it
 * as a message
 */
export function responseOf(name: string, { version, kind, bytes }: Encoded, isBinary: boolean): pb.SubscribeResponse {
  const response = create(pb.SubscribeResponseSchema, { name, version });
  if (isBinary) {
    // To the codec a field that it does not know, and passes on as it is.
    const data = new BinaryWriter().bytes(bytes).finish();
    response.$unknown = [{ no: FIELD[kind], wireType: WireType.LengthDelimited, data }];
  } else if (kind === "outbound") {
    response.resource = { case: kind, value: fromBinary(pb.OutboundTargetSchema, bytes) };
  } else response.resource = { case: kind, value: fromBinary(pb.InboundWorkloadSchema, bytes) };
  return response;
}

/** The frame that was made last of a resource. */
const frames = new WeakMap<Uint8Array, { readonly name: string; readonly frame: Uint8Array }>();

/** `responseOf` as it goes over the wire; a target's is made once, however many proxies are sent it by the same name. */
export function frameOfPush(push: Encoded & { readonly name: string }): Uint8Array {
  const found = frames.get(push.bytes);
  if (found?.name === push.name) return found.frame;
  const frame = frameOf(toBinary(pb.SubscribeResponseSchema, responseOf(push.name, push, true)));
  if (push.kind === "outbound") frames.set(push.bytes, { name: push.name, frame }); // a workload's is for its proxy alone
  return frame;
}

function versionOf(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex").slice(0, VERSION_LENGTH);
}

const PROTOCOL: Readonly<Record<core.Protocol, pb.Protocol>> = {
  detect: pb.Protocol.UNSPECIFIED,
  http1: pb.Protocol.HTTP1,
  http2: pb.Protocol.HTTP2,
  grpc: pb.Protocol.GRPC,
  opaque: pb.Protocol.OPAQUE,
};

const DEFAULT_POLICY: Readonly<Record<core.DefaultPolicy, pb.DefaultPolicy>> = {
  "all-unauthenticated": pb.DefaultPolicy.ALL_UNAUTHENTICATED,
  "all-authenticated": pb.DefaultPolicy.ALL_AUTHENTICATED,
  "cluster-unauthenticated": pb.DefaultPolicy.CLUSTER_UNAUTHENTICATED,
  "cluster-authenticated": pb.DefaultPolicy.CLUSTER_AUTHENTICATED,
  deny: pb.DefaultPolicy.DENY,
  audit: pb.DefaultPolicy.AUDIT,
};

type Init<S extends Parameters<typeof create>[0]> = MessageInitShape<S>;

function outboundTarget(target: core.OutboundTarget): Init<typeof pb.OutboundTargetSchema> {
  return {
    known: target.known,
    parent: target.parent,
    authority: target.authority,
    port: target.port,
    protocol: PROTOCOL[target.protocol],
    routes: target.routes.map(outboundRoute),
    backends: target.backends.map(backend),
    streamRoutes: target.streamRoutes.map(outboundRoute),
    ...(target.egress === null ? {} : {
      egress: {
        allow: target.egress.allow,
        fallback: target.egress.fallback,
        rules: target.egress.rules.map(({ network, allow, hosts }) => ({ network, allow, hosts: [...hosts] })),
      },
    }),
  };
}

function outboundRoute(route: core.OutboundRoute): Init<typeof pb.OutboundRouteSchema> {
  return {
    route: route.route,
    hostnames: [...route.hostnames],
    matches: route.matches.map(httpMatch),
    faults: (route.faults ?? []).map(({ untilMs, delayMs, identities, ...rest }) => ({
      ...rest,
      identities: [...identities],
      untilMs: BigInt(untilMs),
      ...(delayMs === null ? {} : { delay: duration(delayMs) }),
    })),
    backends: route.backends.map(weightedBackend),
    ...(route.requestTimeoutMs === null ? {} : { requestTimeout: duration(route.requestTimeoutMs) }),
    ...(route.backendTimeoutMs === null ? {} : { backendTimeout: duration(route.backendTimeoutMs) }),
    ...(route.retry === null ? {} : { retry: retry(route.retry) }),
    ...(route.requestHeaders === null ? {} : { requestHeaders: headerEdit(route.requestHeaders) }),
    ...(route.responseHeaders === null ? {} : { responseHeaders: headerEdit(route.responseHeaders) }),
    ...(route.plan === null ? {} : routePlan(route.plan)),
  };
}

function retry({ limit, statusCodes, grpcCodes, connectionError, backoffMs }: core.Retry): Init<typeof pb.RetrySchema> {
  const backoff = backoffMs === null ? {} : { backoff: duration(backoffMs) };
  return { limit, statusCodes: [...statusCodes], grpcCodes: [...grpcCodes], connectionError, ...backoff };
}

function httpMatch(match: core.HttpMatch): Init<typeof pb.HttpMatchSchema> {
  const { path } = match;
  return {
    ...(path === null ? {} : { path: { kind: { case: path.kind, value: path.value } } }),
    headers: match.headers.map(valueMatch),
    query: match.query.map(valueMatch),
    method: match.method ?? "",
  };
}

function valueMatch({ name, match }: core.ValueMatch): Init<typeof pb.ValueMatchSchema> {
  return { name, kind: { case: match.kind, value: match.value } };
}

function backend(value: core.Backend): Init<typeof pb.BackendSchema> {
  const { breaker, resilience: policy } = value;
  return {
    backend: value.backend,
    port: value.port,
    protocol: PROTOCOL[value.protocol],
    endpoints: value.endpoints.map(endpoint),
    ...(breaker === null ? {} : {
      breaker: {
        consecutiveFailures: breaker.consecutiveFailures,
        minPenalty: duration(breaker.minPenaltyMs),
        maxPenalty: duration(breaker.maxPenaltyMs),
      },
    }),
    ...(policy === null ? {} : { resilience: resilience(policy) }),
  };
}

function resilience(value: core.Resilience): Init<typeof pb.ResilienceSchema> {
  const { ejection, slowStartMs, retryBudget, hedging, concurrency, zone, hash } = value;
  return {
    policy: value.policy,
    ...(ejection === null ? {} : {
      ejection: {
        minSuccessPercent: ejection.minSuccessPercent,
        window: duration(ejection.windowMs),
        minRequests: ejection.minRequests,
        ...(ejection.slowAfterMs === null ? {} : { slowAfter: duration(ejection.slowAfterMs) }),
        maxSlowPercent: ejection.maxSlowPercent,
        maxEjectedPercent: ejection.maxEjectedPercent,
      },
    }),
    ...(slowStartMs === null ? {} : { slowStart: duration(slowStartMs) }),
    ...(retryBudget === null ? {} : { retryBudget }),
    ...(hedging === null ? {} : { hedging: { delay: duration(hedging.delayMs), methods: [...hedging.methods] } }),
    ...(concurrency === null ? {} : { concurrency }),
    ...(zone === null ? {} : { zone }),
    ...(hash === null ? {} : { hash: consistentHash(hash) }),
  };
}

function consistentHash(value: core.ConsistentHash): Init<typeof pb.ConsistentHashSchema> {
  const { by, name, balancePercent, affinityMs } = value;
  const key: NonNullable<Init<typeof pb.ConsistentHashSchema>["key"]> = by === "source_ip"
    ? { case: "sourceIp", value: true }
    : by === "identity"
    ? { case: "identity", value: true }
    : { case: by, value: name };
  return { key, balancePercent, ...(affinityMs === null ? {} : { affinity: duration(affinityMs) }) };
}

function endpoint(value: core.Endpoint): Init<typeof pb.EndpointSchema> {
  const { port, identity, meshPort, zone, workload } = value;
  const ip = ipBytes(value.ip) ?? new Uint8Array(); // canonical by type; empty bytes would be refused by the proxy
  return { ip, port, identity, meshPort, zone, ...(workload === null ? {} : { workload }) };
}

function inboundWorkload(value: core.InboundWorkload): Init<typeof pb.InboundWorkloadSchema> {
  return {
    workload: value.workload,
    identity: value.identity,
    ports: value.ports.map((port) => ({
      port: port.port,
      protocol: PROTOCOL[port.protocol],
      ...(port.server === null ? {} : { server: port.server }),
      authorizations: port.authorizations.map(authorization),
      routes: port.routes.map((route) => ({
        route: route.route,
        hostnames: [...route.hostnames],
        matches: route.matches.map(httpMatch),
        authorizations: route.authorizations.map(authorization),
        ...(route.rateLimit === null ? {} : { rateLimit: rateLimit(route.rateLimit) }),
      })),
      defaultPolicy: DEFAULT_POLICY[port.defaultPolicy],
      probePaths: [...port.probePaths],
      ...(port.rateLimit === null ? {} : { rateLimit: rateLimit(port.rateLimit) }),
    })),
    defaultPolicy: DEFAULT_POLICY[value.defaultPolicy],
    clusterNetworks: [...value.clusterNetworks],
    probeNetworks: [...value.probeNetworks],
    zone: value.zone,
    denials: (value.denials ?? []).map(authorization),
  };
}

function rateLimit({ policy, total, identity, overrides, header }: core.RateLimit): Init<typeof pb.RateLimitSchema> {
  return {
    policy,
    ...(total === null ? {} : { total }),
    ...(identity === null ? {} : { identity }),
    overrides: overrides.map(({ rate, identities }) => ({ rate, identities: [...identities] })),
    ...(header === null ? {} : { header }),
  };
}

function authorization(value: core.Authorization): Init<typeof pb.AuthorizationSchema> {
  return {
    policy: value.policy,
    action: value.action === "allow" ? pb.Action.ALLOW : pb.Action.DENY,
    mode: value.mode === "enforce" ? pb.Mode.ENFORCE : pb.Mode.AUDIT,
    authentications: value.authentications.map((authentication) => ({
      source: authentication.source,
      kind: authentication.kind === "mesh_tls"
        ? { case: "meshTls" as const, value: { identities: [...authentication.identities] } }
        : {
          case: "networks" as const,
          value: { networks: authentication.networks.map(({ cidr, except }) => ({ cidr, except: [...except] })) },
        },
    })),
  };
}
