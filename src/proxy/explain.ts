/**
 * What the data path would do, asked as a question: the very tables and decisions that it uses, over a snapshot as the
 * controller sends it. Nothing is sent, counted or remembered. The command line and tests ask; the data path does not.
 */
import type { RouteRule } from "../model/outbound.ts";
import type { OutboundTarget, WeightedBackend } from "../model/outbound.ts";
import type { Fault } from "../model/fault.ts";
import type { InboundPolicy, InboundRoute } from "../model/inbound.ts";
import { formatIp, type IpBlock, parseIp } from "../model/ip.ts";
import type { RateLimit } from "../model/rate_limit.ts";
import type { ResourceRef } from "../model/resource.ts";
import { decodeSnapshot } from "../discovery/decode_snapshot.ts";
import { type HeaderBlock, headerBlock } from "../wire/header_block.ts";
import { toWire } from "../base/wire_text.ts";
import { decidedRequest } from "./exchange/extended_connect.ts";
import { isFaultFor } from "./exchange/fault.ts";
import { ANY_SEGMENT, type FlowFact, OTHER_PATH } from "./observe/flows.ts";
import { compileInbound, type InboundView } from "./policy/authorize.ts";
import { decideEgress, dependsOnHost, type EgressVerdict } from "./policy/egress.ts";
import type { Verdict } from "./policy/verdict.ts";
import { answerOf, editedRequest } from "./outbound/route_filters.ts";
import { compileRoutes } from "./route/compile.ts";
import { hostOf } from "./route/host.ts";
import { streamRule } from "./route/pick.ts";

export { dependsOnHost };

/** A request that nobody has sent. */
export interface AskedRequest {
  readonly method: string;
  readonly authority: string;
  /** With its query. */
  readonly path: string;
  /** Names in any case. */
  readonly headers: readonly (readonly [string, string])[];
}

/** A share of the requests of a rule, and the request as this share's endpoints see it. */
export interface AskedShare {
  readonly share: WeightedBackend;
  readonly request: HeaderBlock;
}

/** What a client's sidecar would do. */
export interface OutboundAnswer {
  readonly target: OutboundTarget;
  /** Null: no route matches (404), or the bytes are not looked at. */
  readonly rule: RouteRule | null;
  /** The rule answers by itself: a redirect, or a preflight. */
  readonly answer: HeaderBlock | null;
  readonly shares: readonly AskedShare[];
  /** Whether it may leave the mesh; null for what is inside. */
  readonly egress: EgressVerdict | null;
}

/** @throws Error that names the field, for a message that a proxy would refuse */
export function readTarget(message: Uint8Array): OutboundTarget {
  const found = decodeSnapshot(message);
  if (!found.ok) throw new Error(`a proxy would refuse the snapshot: ${found.error}`);
  if (found.value.kind !== "outbound") throw new Error("want a snapshot of a target");
  return found.value.target;
}

/** @throws Error that names the field, for a message that a proxy would refuse */
export function readPolicy(message: Uint8Array): InboundPolicy {
  const found = decodeSnapshot(message);
  if (!found.ok) throw new Error(`a proxy would refuse the snapshot: ${found.error}`);
  if (found.value.kind !== "inbound") throw new Error("want the policy of a workload");
  return found.value.policy;
}

/** Where a request would go. @param request null for bytes that are not HTTP */
export function explainOutbound(target: OutboundTarget, request: AskedRequest | null): OutboundAnswer {
  const host = request === null ? "" : hostOf(request.authority);
  const egress = target.egress === null ? null : decideEgress(target.egress, host === "" ? null : host, true);
  return { ...routed(target, request), egress };
}

function routed(target: OutboundTarget, request: AskedRequest | null): Omit<OutboundAnswer, "egress"> {
  const isOpaque = request === null || target.protocol === "opaque";
  if (!target.known) return { target, rule: null, answer: null, shares: [] };
  if (isOpaque) {
    const rule = streamRule(target, ""); // names that TLS asks for are not asked about
    const nothing = blockOf(request ?? { method: "", authority: target.authority, path: "", headers: [] });
    return { target, rule, answer: null, shares: rule?.backends.map((share) => ({ share, request: nothing })) ?? [] };
  }
  const block = decidedRequest(blockOf(request));
  const rule = compileRoutes(target.routes).match(block);
  if (rule === null) return { target, rule, answer: null, shares: [] };
  const answer = rule.plan === null ? null : answerOf(rule, rule.plan, block, target);
  const shares = rule.backends.map((share) => ({ share, request: editedRequest(block, rule, share) }));
  return { target, rule, answer, shares };
}

/** What spoils requests of a rule on purpose. @param identity of the client @param wallMs milliseconds since 1970 */
export function explainFaults({ faults = [] }: RouteRule, identity: string, wallMs: number): readonly Fault[] {
  return faults.filter((fault) => isFaultFor(fault, identity, wallMs));
}

/** Who asks a workload. */
export interface AskedCaller {
  /** SPIFFE ID proven by mutual TLS; null without one. */
  readonly identity: string | null;
  readonly ip: string;
}

/** How fast a caller's requests may come. */
export interface AskedRates extends Pick<RateLimit, "policy" | "total" | "identity" | "header"> {
  /** `identity` is an override, which its callers share. */
  readonly isOwn: boolean;
}

/** The decisions of a workload's sidecar. */
export class InboundJudge {
  readonly policy: InboundPolicy;
  readonly #view: InboundView;

  constructor(policy: InboundPolicy) {
    this.policy = policy;
    this.#view = compileInbound(policy, compileRoutes);
  }

  /** The decision about a connection, before its bytes are known. */
  connection(port: number, caller: AskedCaller): Verdict {
    return this.#view.port(port).forClient(caller).connection;
  }

  /** @param request null for bytes that are not HTTP */
  judge(port: number, caller: AskedCaller, request: HeaderBlock | null): Verdict {
    const rules = this.#view.port(port);
    const client = rules.forClient(caller);
    if (client.connection.kind === "deny" && request === null) return client.connection;
    if (request === null) return rules.needsRequest ? rules.unclassified : client.connection;
    return client.request(decidedRequest(request));
  }

  /** The policy in audit mode that keeps the default of a port, or of one of its routes, from refusing; null for none. */
  trial(port: number, route: InboundRoute | null): ResourceRef | null {
    return this.#view.port(port).trialOf(route);
  }

  /** Whether a request is a kubelet's probe, which is let in whatever policies admit. */
  isProbe(port: number, { identity, ip }: AskedCaller, request: HeaderBlock): boolean {
    return this.#view.port(port).isProbe({ identity: identity ?? "", ip: parseIp(ip) }, request);
  }

  /** The rates that hold for a caller's requests to a port, and to a route there: all must admit a request. */
  rates(port: number, identity: string | null, route: ResourceRef | null): readonly AskedRates[] {
    const found = this.policy.ports.get(port);
    const ofRoute = route === null ? undefined : found?.routeLimits?.get(route);
    return [found?.rateLimit ?? undefined, ofRoute].filter((limit) => limit !== undefined).map((limit) => {
      const { policy, total, header } = limit;
      const own = limit.overrides.findLast(({ identities }) => identities.includes(identity ?? ""));
      return { policy, total, identity: own?.rate ?? limit.identity, isOwn: own !== undefined, header };
    });
  }
}

/** A request as the parsers make it. */
export function blockOf({ method, authority, path, headers }: AskedRequest): HeaderBlock {
  const fields = headers.flatMap(([name, value]) => [name.toLowerCase(), toWire(value)]);
  return headerBlock({ method, scheme: "http", authority, path: toWire(path), protocol: "", status: 0 }, fields);
}

/** Whether text is an address, as callers have them. */
export function isAddress(text: string): boolean {
  return parseIp(text) !== null;
}

/** "10.0.0.0/8" */
export function blockText({ v4, base, prefixBits }: IpBlock): string {
  return `${formatIp(base)}/${v4 ? prefixBits - 96 : prefixBits}`;
}

export type { FlowFact } from "./observe/flows.ts";
export { ANY_SEGMENT, OTHER_PATH } from "./observe/flows.ts";

/** The request that a fact stands for; null for connections, and where its path was not kept. */
export function flowRequest({ protocol, method, authority, path }: FlowFact): HeaderBlock | null {
  if (protocol === "tcp" || path === OTHER_PATH) return null;
  const concrete = path.split("/").map((part) => part === ANY_SEGMENT ? "0" : part).join("/");
  return blockOf({ method, authority, path: concrete, headers: [] });
}
