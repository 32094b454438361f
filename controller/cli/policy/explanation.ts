/** The answer of `tulle explain`, as a value: the client's sidecar, then the sidecar of each endpoint. */
import { UsageError } from "../../../src/base/error.ts";
import { hostPort } from "../../../src/base/ip.ts";
import { blockOf, explainFaults, explainOutbound, type InboundJudge } from "../../../src/proxy/explain.ts";
import { faultText, ratesText, resilienceTexts } from "./limits.ts";
import type { MeshView, Subject, TargetSnapshot } from "./mesh_view.ts";
import { explainOutside } from "./outside.ts";
import { refText, routeText } from "./refs.ts";

export interface Question {
  /** null: nobody in particular, in `namespace`. */
  readonly from: Subject | null;
  /** "svc/web:80", "web", "10.1.2.3:80", "deploy/web:8080". */
  readonly to: string;
  readonly namespace: string;
  /** Who the server takes the caller for; null: as `from` is. */
  readonly caller: { readonly identity: string | null; readonly ip: string | null } | null;
  /** null: bytes that are not HTTP. */
  readonly request: {
    readonly method: string;
    readonly path: string;
    readonly headers: readonly (readonly [string, string])[];
  } | null;
  readonly authority: string | null;
}

export interface Explanation {
  readonly from: string;
  readonly to: string;
  /** Of the target, "web.shop.svc.cluster.local:80"; "" for what the mesh does not know. */
  readonly authority: string;
  /** Null: none matches, or it is not about requests. */
  readonly route: {
    readonly ref: string;
    readonly matches: string;
    readonly requestTimeoutMs: number;
    readonly tryTimeoutMs: number;
    readonly retry: string | null;
    readonly edits: readonly string[];
    /** FaultInjections that spoil this client's requests now. */
    readonly faults: readonly string[];
  } | null;
  /** Why it leads nowhere; "" when it does. */
  readonly trouble: string;
  readonly backends: readonly ExplainedBackend[];
  /** Whether the servers that may get it admit it. */
  readonly admitted: "all" | "some" | "none";
}

export interface ExplainedBackend {
  readonly ref: string;
  /** Of the requests of the rule. */
  readonly percent: number;
  readonly trouble: string;
  /** Breaker, and what its BackendPolicy or annotations say. */
  readonly limits: readonly string[];
  readonly servers: readonly ExplainedServer[];
}

export interface ExplainedServer {
  readonly workload: string;
  readonly address: string;
  readonly transport: "mutual TLS" | "plaintext";
  readonly verdict: "permit" | "deny";
  readonly cause: string;
  readonly reason: string;
  readonly policy: string;
  readonly server: string;
  readonly route: string;
  /** What a policy in audit mode would have done; "". */
  readonly audit: string;
  /** The RateLimitPolicy that holds for the request; "". */
  readonly rates: string;
}

/** @param wallMs milliseconds since 1970 @throws UsageError when the question names nothing */
export function explain(view: MeshView, question: Question, wallMs: number): Explanation {
  const from = fromText(question);
  const { key, subjects } = readTo(view, question);
  const client = question.from ?? { namespace: question.namespace, name: "" };
  const target = view.target(key, client);
  const base = { from, to: toText(target, key), authority: target.known ? target.authority : "" };
  const { request } = question;
  if (!target.known) {
    const { trouble, admitted } = explainOutside(view, question, key, target);
    const isOwn = subjects.length > 0 && admitted === "all"; // a workload without a sidecar: no surprise
    return { ...base, route: null, trouble: isOwn ? "" : trouble, backends: [], admitted };
  }
  const authority = question.authority ?? target.authority.replace(/:80$/, "");
  const found = explainOutbound(target, request === null ? null : { ...request, authority });
  if (found.rule === null) {
    const trouble = target.routes.length === 0
      ? "nothing listens on that port: connections are refused"
      : `no route matches: 404 (no_route)${callHint(target, request)}`;
    return { ...base, route: null, trouble, backends: [], admitted: "none" };
  }
  const clientId = question.from === null ? question.caller?.identity ?? "" : question.from.identity;
  const faults = request === null || question.from?.meshed === false
    ? []
    : explainFaults(found.rule, clientId, wallMs).map(faultText);
  const route = { ...routeOf(found.rule, request), faults };
  if (found.answer !== null) {
    const location = found.answer.get("location");
    const trouble = `the sidecar of the client answers ${found.answer.status}${
      location === null ? "" : ` ${location}`
    }`;
    return { ...base, route, trouble, backends: [], admitted: "all" };
  }
  const total = found.rule.totalWeight;
  const backends = found.shares.map(({ share, request: seen }): ExplainedBackend => {
    const percent = total === 0 ? 0 : Math.round(share.weight / total * 1000) / 10;
    if (share.backend === null) {
      return {
        ref: "nothing",
        percent,
        trouble: "its reference leads nowhere, or no backend has a weight: 500",
        limits: [],
        servers: [],
      };
    }
    const ref = `${refText(share.backend.ref)}:${share.backend.port}`;
    const trouble = share.backend.endpoints.length === 0 ? "it has no endpoints: 503" : "";
    const servers = share.backend.endpoints.map((endpoint) => {
      const isMesh = endpoint.identity !== "" && hasIdentity(question);
      return judgeServer(
        view,
        question,
        endpoint,
        isMesh,
        request === null || target.protocol === "opaque" ? null : seen,
      );
    });
    return { ref, percent, trouble, limits: resilienceTexts(share.backend), servers };
  });
  const verdicts = backends.filter(({ percent }) => percent > 0).flatMap(({ servers, trouble }) =>
    trouble !== "" ? ["deny"] : servers.map(({ verdict }) => verdict)
  );
  const admitted = verdicts.every((verdict) => verdict === "permit")
    ? "all"
    : verdicts.includes("permit")
    ? "some"
    : "none";
  return { ...base, route, trouble: "", backends, admitted };
}

/** Whether the caller has a certificate of the mesh. */
/** What the question lacks for a GRPCRoute of the target, if there is one. */
function callHint(target: TargetSnapshot, request: Question["request"]): string {
  const isCall = request?.headers.some(([name, value]) =>
    name.toLowerCase() === "content-type" && value.startsWith("application/grpc")
  );
  if (isCall === true || !target.routes.some(({ ref }) => ref.kind === "GRPCRoute")) return "";
  return "; a GRPCRoute is for calls: POST /service/method -H 'content-type: application/grpc'";
}

function hasIdentity({ from, caller }: Question): boolean {
  return caller === null ? from?.meshed === true : caller.identity !== null;
}

type Endpoint = TargetSnapshot["backends"][number]["endpoints"][number];
type Rule = TargetSnapshot["routes"][number];

function judgeServer(
  view: MeshView,
  question: Question,
  endpoint: Endpoint,
  isMesh: boolean,
  request: ReturnType<typeof blockOf> | null,
): ExplainedServer {
  const [namespace = "", name = ""] = endpoint.workload.split("/");
  const shared = {
    workload: endpoint.workload || "an address",
    address: endpoint.key,
    transport: isMesh ? "mutual TLS" as const : "plaintext" as const,
  };
  const judge: InboundJudge | null = endpoint.workload === "" || endpoint.identity === ""
    ? null
    : view.judge(namespace, name);
  if (judge === null) {
    const reason = "it has no sidecar: nothing decides";
    return {
      ...shared,
      verdict: "permit",
      cause: "no_sidecar",
      reason,
      policy: "none",
      server: "no Server",
      route: "",
      audit: "",
      rates: "",
    };
  }
  const said = question.caller;
  const identity = said === null ? isMesh ? question.from?.identity ?? null : null : said.identity;
  const ip = said?.ip ?? question.from?.address ?? "";
  const verdict = judge.judge(endpoint.port, { identity, ip: ip === "" ? "0.0.0.0" : ip }, request);
  const rates = request === null ? [] : judge.rates(endpoint.port, identity, verdict.route);
  return {
    ...shared,
    verdict: verdict.kind,
    cause: verdict.cause,
    reason: verdict.reason,
    policy: refText(verdict.policy),
    server: verdict.server.kind === "default" ? "no Server" : refText(verdict.server),
    route: verdict.route === null ? "" : refText(verdict.route, true),
    audit: verdict.auditPolicy === null
      ? ""
      : `were ${refText(verdict.auditPolicy)} enforced, it would be ${
        verdict.kind === "permit" ? "refused" : "admitted"
      }`,
    rates: rates.map(ratesText).join(" / "),
  };
}

function routeOf(rule: Rule, request: Question["request"]): Omit<NonNullable<Explanation["route"]>, "faults"> {
  const edits: string[] = [];
  if (rule.requestHeaders !== null) edits.push("request headers are edited");
  if (rule.responseHeaders !== null) edits.push("response headers are edited");
  if (rule.plan?.rewrite != null) edits.push("the request is rewritten");
  for (const mirror of rule.plan?.mirrors ?? []) {
    edits.push(
      `${Math.round(mirror.share * 1000) / 10} % are copied to ${
        mirror.backend === null ? "nothing" : refText(mirror.backend.ref)
      }`,
    );
  }
  const { retry } = rule;
  const codes = retry === null ? [] : [...retry.statusCodes];
  return {
    ref: refText(rule.ref, true),
    matches: request === null ? "" : routeText(rule),
    requestTimeoutMs: rule.requestTimeoutMs,
    tryTimeoutMs: rule.backendTimeoutMs,
    retry: retry === null
      ? null
      : `${retry.limit} more ${retry.limit === 1 ? "try" : "tries"} on ${rangesText(codes)}${
        retry.grpcStatuses === 0 ? "" : " and gRPC statuses"
      }`,
    edits,
  };
}

/** "500–599, 429" */
function rangesText(codes: readonly number[]): string {
  const sorted = [...codes].sort((a, b) => a - b);
  const ranges: string[] = [];
  for (let i = 0; i < sorted.length;) {
    let end = i;
    while (sorted[end + 1] === (sorted[end] ?? 0) + 1) end++;
    ranges.push(end === i ? String(sorted[i]) : `${sorted[i]}–${sorted[end]}`);
    i = end + 1;
  }
  return ranges.length === 0 ? "no status" : ranges.join(", ");
}

function fromText({ from, caller, namespace }: Question): string {
  const who = from === null ? `anybody in namespace ${namespace}` : `${from.namespace}/${from.name}`;
  if (caller !== null) return `${who} as ${caller.identity ?? "nobody (no mesh identity)"}`;
  if (from === null) return `${who}, without an identity (say one with --from)`;
  return `${who} ${from.meshed ? from.identity : "without a sidecar"}`;
}

function toText(target: TargetSnapshot, key: string): string {
  if (!target.known) return key;
  const protocol = target.protocol === "detect" ? "protocol found out" : target.protocol;
  return `${refText(target.parent)} ${target.authority} (${protocol})`;
}

/** What the client dials. */
function readTo(view: MeshView, { to, namespace }: Question): { key: string; subjects: readonly Subject[] } {
  const match = /^(?:([a-z]+)\/)?(.+?)(?::(\d{1,5}))?$/.exec(to);
  const [, kind, name = "", portText] = match ?? [];
  const port = portText === undefined ? null : Number(portText);
  const isService = kind === undefined || ["svc", "service", "services"].includes(kind);
  if (isService && !/^[\d.]+$|:/.test(name)) {
    const [host = "", where = namespace] = name.split(".");
    const service = view.set.get("Service", where, host);
    if (service !== null) {
      const first = service.ports.find(({ protocol }) => protocol === "TCP")?.port;
      if (port === null && first === undefined) {
        throw new UsageError(`Service ${where}/${host} has no TCP port: say which, as ${to}:80`);
      }
      return { key: `${host}.${where}:${port ?? first}`, subjects: [] };
    }
    if (kind !== undefined) {
      throw new UsageError(
        `no Service ${where}/${host} in ${view.state.where}; say its namespace with -n, or as ${host}.NAMESPACE`,
      );
    }
  }
  if (/^[\d.]+$|^\[/.test(name)) {
    if (port === null) throw new UsageError(`found "${to}", want an address with a port`);
    return { key: `${name}:${port}`, subjects: [] };
  }
  if (kind === undefined && name.includes(".") && port !== null) return { key: `${name}:${port}`, subjects: [] };
  const subjects = view.find(kind === undefined ? name : `${kind}/${name}`, namespace);
  const [subject] = subjects;
  const number = port ?? view.judge(subject?.namespace ?? "", subject?.name ?? "")?.policy.ports.keys().next().value ??
    null;
  if (subject === undefined || number === null) throw new UsageError(`say the port of ${to}, as ${to}:8080`);
  if (subject.address === "") throw new UsageError(`${to} has no address yet`);
  return {
    key: hostPort(subject.address, number),
    subjects,
  };
}
