/** Least privilege from what was seen: who called which port with which requests, and nothing else. Pure. */
import { stringify } from "yaml";
import { ANY_SEGMENT, type FlowFact, OTHER_PATH } from "../../../src/proxy/explain.ts";
import type { WorkloadFlows } from "./flow_source.ts";
import type { Subject } from "./mesh_view.ts";

/** Most matches of a suggested route, and routes of a port: beyond that the port as a whole is admitted. */
const MAX_MATCHES = 16;
const MAX_ROUTES = 8;

const POLICY_VERSION = "policy.tulle.dev/v1alpha1";
const POLICY_GROUP = "policy.tulle.dev";
const GATEWAY_GROUP = "gateway.networking.k8s.io";
/** Labels that change with each rollout. */
const ROLLOUT_LABELS =
  /^(pod-template-hash|controller-revision-hash|pod-template-generation|statefulset\.kubernetes\.io\/|apps\.kubernetes\.io\/|batch\.kubernetes\.io\/|job-name$|controller-uid$|tulle\.dev\/)/;

type Json = Record<string, unknown>;

export interface Suggestion {
  readonly objects: readonly { readonly value: Json; readonly comment: string }[];
  /** What was refused when it was seen. */
  readonly refused: readonly Refused[];
}

/** A fact with the instance that saw it, "shop/web-0". */
export interface Refused {
  readonly workload: string;
  readonly flow: FlowFact;
}

/**
 * @param subjects instances of one workload
 * @param seen what sidecars have kept; of others it is passed over
 * @param isProbe of the kubelet, which is let in without a policy
 */
export function suggest(
  subjects: readonly Subject[],
  seen: readonly WorkloadFlows[],
  isProbe: (flow: FlowFact, subject: Subject) => boolean,
): Suggestion {
  const [subject] = subjects;
  if (subject === undefined) return { objects: [], refused: [] };
  const names = new Set(subjects.map(({ namespace, name }) => `${namespace}/${name}`));
  const own = seen.filter(({ workload }) => names.has(workload));
  const all = own.flatMap(({ flows }) => flows);
  const permitted = all.filter((flow) => flow.verdict === "permit" && !isProbe(flow, subject));
  const objects: Suggestion["objects"][number][] = [];
  const ports = [...new Set(permitted.map(({ port }) => port))].sort((a, b) => a - b);
  for (const port of ports) objects.push(...suggestPort(subject, port, permitted.filter((flow) => flow.port === port)));
  const refused = own.flatMap(({ workload, flows }) =>
    flows.flatMap((flow) => flow.verdict === "deny" ? [{ workload, flow }] : [])
  );
  return { objects, refused };
}

function suggestPort(subject: Subject, port: number, flows: readonly FlowFact[]): Suggestion["objects"][number][] {
  const { namespace } = subject;
  const base = `${subject.workload}-${port}`;
  const objects: Suggestion["objects"][number][] = [];
  const emit = (kind: string, name: string, spec: Json, comment: string, apiVersion = POLICY_VERSION) => {
    objects.push({ value: { apiVersion, kind, metadata: { name, namespace }, spec }, comment });
  };
  const labels = Object.fromEntries(Object.entries(subject.labels).filter(([key]) => !ROLLOUT_LABELS.test(key)));
  const isHttp = flows.every(({ protocol }) => protocol === "http");
  emit(
    "Server",
    base,
    {
      [subject.kind === "ExternalWorkload" ? "externalWorkloadSelector" : "podSelector"]:
        Object.keys(labels).length === 0 ? {} : { matchLabels: labels },
      port,
      accessPolicy: "deny",
    },
    `port ${port}: ${flows.reduce((sum, { count }) => sum + count, 0)} ${
      isHttp ? "requests" : "connections and requests"
    } seen`,
  );
  const groups = isHttp && flows.every(({ path }) => path !== OTHER_PATH) ? groupByCallers(flows) : null;
  if (groups === null) {
    admit(emit, base, { group: POLICY_GROUP, kind: "Server", name: base }, flows);
    return objects;
  }
  groups.forEach((group, i) => {
    const name = groups.length === 1 ? `${base}-seen` : `${base}-seen-${i + 1}`;
    const matches = requestsOf(group).map(matchOf);
    emit(
      "HTTPRoute",
      name,
      {
        parentRefs: [{ group: POLICY_GROUP, kind: "Server", name: base }],
        rules: [{ matches }],
      },
      `${group.reduce((sum, { count }) => sum + count, 0)} requests of ${callersOf(group).length} callers`,
      `${GATEWAY_GROUP}/v1`,
    );
    admit(emit, name, { group: GATEWAY_GROUP, kind: "HTTPRoute", name }, group);
  });
  return objects;
}

type Emit = (kind: string, name: string, spec: Json, comment: string) => void;

/** Writes the callers of some flows as authentications, and a policy for each sort of them. */
function admit(emit: Emit, name: string, targetRef: Json, flows: readonly FlowFact[]): void {
  const identities = [...new Set(flows.flatMap(({ identity }) => identity === "" ? [] : [identity]))].sort();
  const addresses = [...new Set(flows.flatMap(({ identity, ip }) => identity === "" ? [ip] : []))].sort();
  if (identities.length > 0) {
    emit("MeshTLSAuthentication", name, { identities }, "callers with an identity");
    const ref = { group: POLICY_GROUP, kind: "MeshTLSAuthentication", name };
    emit("AuthorizationPolicy", name, { targetRef, requiredAuthenticationRefs: [ref] }, "admits them");
  }
  if (addresses.length === 0) return;
  const plain = `${name}-plaintext`;
  const networks = addresses.map((ip) => ({ cidr: `${ip}/${ip.includes(":") ? 128 : 32}` }));
  emit(
    "NetworkAuthentication",
    plain,
    { networks },
    "callers without an identity: their addresses are all that is known, and may pass to others",
  );
  const ref = { group: POLICY_GROUP, kind: "NetworkAuthentication", name: plain };
  emit("AuthorizationPolicy", plain, { targetRef, requiredAuthenticationRefs: [ref] }, "admits them");
}

/** Requests with the same callers go into one route; null when there would be too many. */
function groupByCallers(flows: readonly FlowFact[]): FlowFact[][] | null {
  const byRequest = new Map<string, FlowFact[]>();
  for (const flow of flows) {
    const key = `${flow.method} ${flow.path}`;
    byRequest.set(key, [...byRequest.get(key) ?? [], flow]);
  }
  const groups = new Map<string, FlowFact[]>();
  for (const same of byRequest.values()) {
    const key = callersOf(same).join(" ");
    groups.set(key, [...groups.get(key) ?? [], ...same]);
  }
  const list = [...groups.values()];
  return list.length > MAX_ROUTES || list.some((group) => requestsOf(group).length > MAX_MATCHES) ? null : list;
}

function callersOf(flows: readonly FlowFact[]): string[] {
  return [...new Set(flows.map(({ identity, ip }) => identity === "" ? ip : identity))].sort();
}

function requestsOf(flows: readonly FlowFact[]): { method: string; path: string }[] {
  const seen = new Map(flows.map(({ method, path }) => [`${method} ${path}`, { method, path }]));
  return [...seen.keys()].sort().flatMap((key) => seen.get(key) ?? []);
}

const METHODS = /^(GET|HEAD|POST|PUT|DELETE|CONNECT|OPTIONS|TRACE|PATCH)$/;

function matchOf({ method, path }: { method: string; path: string }): Json {
  const parts = path.split("/");
  const match = parts.includes(ANY_SEGMENT)
    ? {
      type: "RegularExpression",
      value: parts.map((part) => part === ANY_SEGMENT ? "[^/]+" : part.replace(/[\\^$.*+?()[\]{}|]/g, "\\$&")).join(
        "/",
      ),
    }
    : { type: "Exact", value: path };
  return { path: match, ...(METHODS.test(method) ? { method } : {}) };
}

/** Most refusals that are listed, of those that came most often: a scan of ports or paths makes hundreds. */
const MAX_REFUSED = 20;

/**
 * As YAML, with what was seen as comments.
 * @param refused then, and by these objects as well
 * @param rivals Servers that have the same ports today
 */
export function suggestionText(
  { objects }: Suggestion,
  refused: readonly Refused[],
  rivals: readonly string[],
): string {
  const notes = rivals.map((key) =>
    `# ${key} has one of these ports today, and goes before what is newer: delete it with its policies, or this does not hold\n`
  );
  const documents = objects.map(({ value, comment }) => `---\n# ${comment}\n${stringify(value, { lineWidth: 0 })}`);
  const counts = new Map<string, number>();
  for (const { flow: { identity, ip, port, protocol, method, path, count } } of refused) {
    const what = protocol === "tcp" ? "a connection" : `${method} ${path}`;
    const line = `${identity || ip} ${what} at port ${port}`.replace(/[\x00-\x1f\x7f]/g, "?");
    counts.set(line, (counts.get(line) ?? 0) + count);
  }
  const lines = [...counts].sort(([a, m], [b, n]) => n - m || a.localeCompare(b));
  const left = lines.slice(0, MAX_REFUSED).map(([line, count]) => `# refused then and now: ${line}, ${count}×\n`);
  if (lines.length > MAX_REFUSED) {
    left.push(`# and ${lines.length - MAX_REFUSED} more: see \`tulle policy flows\`\n`);
  }
  return notes.join("") + documents.join("") + left.join("");
}
