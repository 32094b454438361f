/** What is counted and said about decisions of policy: made once per verdict and client, kept as long as the policy. */
import type { Logger } from "../../base/log.ts";
import type { ResourceRef } from "../../model/resource.ts";
import type { HeaderBlock } from "../../wire/header_block.ts";
import { turnMs } from "../../net/turn_clock.ts";
import type { PolicyLabels } from "../../telemetry/proxy_labels.ts";
import type { AuthzKind, ProxyMetrics } from "../../telemetry/proxy_metrics.ts";
import type { CounterSeries } from "../../telemetry/series.ts";
import type { InboundClient } from "../inbound/inbound_client.ts";
import { Occasional } from "./occasional.ts";
import type { Verdict } from "../policy/verdict.ts";

/** Most of a path in a line, characters. */
const MAX_PATH = 200;

/** What the metrics of a client's view of a verdict are told apart by. */
export function labelsOf(client: InboundClient, verdict: Verdict): PolicyLabels {
  return {
    tls: client.isMesh ? "true" : "no_identity",
    clientId: client.peer.identity ?? "",
    targetAddr: client.application.endpoint.key,
    server: verdict.server,
    authz: verdict.policy,
    ...(verdict.route === null ? {} : { route: verdict.route }),
  };
}

/** Counters and lines of one client's view of one verdict. */
export class VerdictSeries {
  readonly #verdict: Verdict;
  readonly #decision: CounterSeries;
  /** Null where audit would have changed nothing. */
  readonly #audit: CounterSeries | null;
  /** Null where there is nothing to say. */
  readonly #line: Occasional | null;
  readonly #kind: AuthzKind;

  constructor(metrics: ProxyMetrics, kind: AuthzKind, client: InboundClient, verdict: Verdict) {
    const labels = labelsOf(client, verdict);
    const isPermit = verdict.kind === "permit";
    this.#kind = kind;
    this.#verdict = verdict;
    this.#decision = isPermit
      ? metrics.authzAllow(kind, labels)
      : kind === "http" && verdict.cause === "no_route"
      ? metrics.routeNotFound(labels)
      : metrics.authzDeny(kind, labels);
    const audited = verdict.auditPolicy === null ? null : { ...labels, authz: verdict.auditPolicy };
    this.#audit = audited === null
      ? null
      : isPermit
      ? metrics.auditWouldDeny(kind, audited)
      : metrics.auditWouldAllow(kind, audited);
    this.#line = isPermit && audited === null ? null : new Occasional();
  }

  /** It was decided so. @param request null for a connection */
  decided(client: InboundClient, request: HeaderBlock | null, log: Logger): void {
    this.#decision.add(1);
    this.#audit?.add(1);
    if (this.#line === null) return;
    const times = this.#line.happened(turnMs());
    if (times > 0) this.#say(client, request, log, times);
  }

  #say(client: InboundClient, request: HeaderBlock | null, log: Logger, times: number): void {
    const verdict = this.#verdict;
    const what = this.#kind === "http" ? "request" : "connection";
    const { auditPolicy } = verdict;
    const fields = { ...whoAndWhere(client, verdict), ...(request === null ? {} : askedFor(request)), times };
    if (verdict.kind === "deny") log.warn(`${what} refused by policy`, fields);
    if (auditPolicy === null) return;
    const would = verdict.kind === "permit" ? "would-deny" : "would-allow";
    log.info(`${what} audited: ${would}`, { ...fields, audit: would, audit_policy: nameOf(auditPolicy) });
  }
}

/** Fields of lines about a verdict. */
export function whoAndWhere(client: InboundClient, verdict: Verdict) {
  return {
    client: client.peer.ip,
    client_id: client.peer.identity ?? "",
    port: client.port,
    server: nameOf(verdict.server),
    ...(verdict.route === null ? {} : { route: nameOf(verdict.route) }),
    policy: nameOf(verdict.policy),
    cause: verdict.cause,
    reason: verdict.reason,
  };
}

/** One request of those that a line stands for; without its query, which may hold secrets. */
function askedFor({ method, path }: HeaderBlock) {
  const query = path.indexOf("?");
  return { method, path: (query < 0 ? path : path.slice(0, query)).slice(0, MAX_PATH) };
}

function nameOf({ kind, namespace, name }: ResourceRef): string {
  return namespace === "" ? `${kind} ${name}` : `${kind} ${namespace}/${name}`;
}
