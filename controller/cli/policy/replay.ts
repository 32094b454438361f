/** What has been seen, decided about again under other policies. Pure; the decisions are the proxy's own. */
import { type FlowFact, flowRequest } from "../../../src/proxy/explain.ts";
import type { WorkloadFlows } from "./flow_source.ts";
import type { MeshView } from "./mesh_view.ts";
import { columns, refText } from "./refs.ts";

/** A caller and request whose verdict would change. */
export interface Change {
  readonly workload: string;
  readonly port: number;
  /** SPIFFE ID, or the address of a caller without one. */
  readonly caller: string;
  /** "GET /items/*", or "connection". */
  readonly request: string;
  readonly count: number;
  readonly lastSeen: string;
  readonly before: Outcome;
  readonly after: Outcome;
}

export interface Outcome {
  readonly verdict: "permit" | "deny";
  readonly policy: string;
  readonly reason: string;
}

export interface Replay {
  readonly changes: readonly Change[];
  /** Seen, and the same under both. */
  readonly same: number;
  /** Seen, but not told apart well enough: why, for each. */
  readonly open: readonly {
    readonly workload: string;
    readonly caller: string;
    readonly request: string;
    readonly why: string;
  }[];
  /** Of how many requests and connections nothing was kept. */
  readonly dropped: number;
  /** Objects of the manifests that decide about nobody at a server: their other effects are not told. */
  readonly ignored: readonly string[];
}

/** @param before the mesh as it is @param after with the new objects */
export function replay(
  before: MeshView,
  after: MeshView,
  seen: readonly WorkloadFlows[],
): Omit<Replay, "ignored"> {
  // Facts are kept apart by what decided then, which is of no interest now.
  const changes = new Map<string, Change>();
  const open = new Map<string, Replay["open"][number]>();
  const same = new Set<string>();
  for (const { workload, flows } of seen) {
    for (const flow of flows) {
      const shared = { workload, caller: callerText(flow), request: requestText(flow) };
      const [old, now] = [outcome(before, workload, flow), outcome(after, workload, flow)];
      const key = JSON.stringify([shared, flow.port]);
      if (typeof old === "string" || typeof now === "string") {
        open.set(key, { ...shared, why: typeof old === "string" ? old : String(now) });
      } else if (old.verdict === now.verdict) same.add(key);
      else {
        const known = changes.get(key);
        const count = flow.count + (known?.count ?? 0);
        const lastSeen = known === undefined || flow.lastSeen > known.lastSeen ? flow.lastSeen : known.lastSeen;
        changes.set(key, { ...shared, port: flow.port, count, lastSeen, before: old, after: now });
      }
    }
  }
  const sorted = [...changes.values()].sort((a, b) =>
    a.after.verdict.localeCompare(b.after.verdict) || a.workload.localeCompare(b.workload) || b.count - a.count
  );
  const dropped = seen.reduce((sum, { dropped }) => sum + dropped, 0);
  return { changes: sorted, same: same.size, open: [...open.values()], dropped };
}

/** What a workload's sidecar would decide about a fact. @returns why it cannot be told, otherwise the outcome */
export function outcome(view: MeshView, workload: string, flow: FlowFact): Outcome | string {
  const [namespace = "", name = ""] = workload.split("/");
  const judge = view.judge(namespace, name);
  if (judge === null) return "the workload is not there any more";
  const routes = judge.policy.ports.get(flow.port)?.routes ?? [];
  const request = flowRequest(flow);
  if (request === null && flow.protocol === "http" && routes.length > 0) return "the path was not kept";
  if (routes.some(({ matches }) => matches.some(({ headers, query }) => headers.length + query.length > 0))) {
    return "it depends on headers or a query, which are not kept";
  }
  const caller = { identity: flow.identity === "" ? null : flow.identity, ip: flow.ip };
  const verdict = flow.protocol === "http" && request === null
    ? judge.connection(flow.port, caller)
    : judge.judge(flow.port, caller, request);
  return { verdict: verdict.kind, policy: refText(verdict.policy), reason: verdict.reason };
}

function callerText({ identity, ip }: FlowFact): string {
  return identity === "" ? `${ip} (no identity)` : identity;
}

function requestText({ protocol, method, authority, path }: FlowFact): string {
  return protocol === "tcp" ? "connection" : `${method} ${path}${authority === "" ? "" : ` (${authority})`}`;
}

/** For a terminal: what would be refused first. */
export function replayText({ changes, same, open, dropped, ignored }: Replay): string {
  const rows = changes.map(({ workload, port, caller, request, count, before, after }) => [
    `${before.verdict} → ${after.verdict}`,
    `${workload}:${port}`,
    caller,
    request,
    `${count}×`,
    `${before.policy} → ${after.policy}: ${after.reason}`,
  ]);
  const lines = [rows.length === 0 ? "" : columns([["CHANGE", "SERVER", "CALLER", "REQUEST", "SEEN", "WHY"], ...rows])];
  for (const { workload, caller, request, why } of open) {
    lines.push(`cannot tell  ${workload}  ${caller}  ${request}: ${why}\n`);
  }
  const refused = changes.filter(({ after }) => after.verdict === "deny").length;
  lines.push(
    `${refused} would be refused, ${changes.length - refused} admitted that are not now; ${same} stay as they are\n`,
  );
  if (dropped > 0) lines.push(`of ${dropped} more requests and connections nothing was kept\n`);
  if (ignored.length > 0) {
    lines.push(`not looked at, as it decides about no access: ${ignored.join(", ")}\n`);
  }
  return lines.join("");
}
