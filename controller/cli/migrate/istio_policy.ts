/**
 * PeerAuthentication and AuthorizationPolicy (security.istio.io) → Servers, authentications, policies and defaults.
 *
 * Istio decides for a workload: a denial that holds refuses; where there is an admission for the workload, one must hold. Ours
 * decides for a port of some pods. So each workload that a policy selects gets a Server for each of its ports, and what its
 * other ports admit is said by its default.
 */
import { DEFAULT_POLICY, setDefault, setNamespaceDefault } from "./inbound_defaults.ts";
import { emitServer, type PortPolicy } from "./istio_servers.ts";
import { ANYONE, type Clause, readClauses } from "./istio_rules.ts";
import { EVERY_REQUEST } from "./istio_paths.ts";
import { type Mode, modeFor, type Peer, portModesFor, readPeer } from "./istio_peers.ts";
import { type Subject, unknownSubject, workloadsOf } from "./istio_subjects.ts";
import { asMapping, meets, type Migration, type Source, textMap } from "./migration.ts";
import { selectorOf } from "./services.ts";
import { View } from "./view.ts";

const SECURITY = "security.istio.io";

/** A policy of Istio as far as we follow it. */
export interface Policy {
  readonly source: Source;
  /** Empty: the whole namespace, or mesh. */
  readonly selector: Readonly<Record<string, string>>;
  readonly isDeny: boolean;
  readonly clauses: readonly Clause[];
}

/** Translates all of security.istio.io; lists what becomes stricter or, where nothing stands in for it, wider. */
export function translateIstioPolicy(migration: Migration): void {
  const root = migration.options.rootNamespace;
  const sources = migration.list(SECURITY, "AuthorizationPolicy");
  const peerSources = migration.list(SECURITY, "PeerAuthentication");
  for (const source of migration.list(SECURITY, "RequestAuthentication")) {
    migration.say(
      "wider",
      source,
      "",
      "tokens are not read: requests with a bad one pass until the program refuses them",
    );
  }
  if (sources.length + peerSources.length === 0) return;
  const peers = peerSources.flatMap((source) => readPeer(migration, source));
  const namespaces = new Set([...sources, ...peerSources].map(({ namespace }) => namespace));
  namespaces.delete(root);
  const rooted = [...sources, ...peers.map(({ source }) => source)].filter(({ namespace }) => namespace === root);
  if (rooted.length > 0) {
    for (const { namespace, kind, name } of migration.sources) {
      namespaces.add(kind === "Namespace" ? name : namespace);
    }
    for (const each of ["", root, "kube-system"]) namespaces.delete(each);
    for (const source of rooted) {
      const where = namespaces.size === 0 ? "no namespace" : [...namespaces].sort().join(", ");
      migration.say(
        "wider",
        source,
        "metadata.namespace",
        `it held for every namespace: it is written for those of the manifests (${where})`,
      );
    }
  }
  for (const namespace of [...namespaces].sort()) {
    const policies = sources.filter((source) => source.namespace === namespace || source.namespace === root)
      .flatMap((source) => readPolicy(migration, source));
    translateNamespace(
      migration,
      namespace,
      policies,
      peers.filter(({ source }) => [namespace, root].includes(source.namespace)),
    );
  }
}

function translateNamespace(
  migration: Migration,
  namespace: string,
  policies: readonly Policy[],
  peers: readonly Peer[],
): void {
  const wide = policies.filter(({ selector }) => Object.keys(selector).length === 0);
  const wideMode = modeFor(peers, {}, namespace);
  const first = wide[0]?.source ?? peers[0]?.source;
  if (first !== undefined) {
    const isClosed = wide.some(({ isDeny }) => !isDeny);
    if (isClosed) setNamespaceDefault(migration, namespace, "deny", first);
    else if (wideMode === "STRICT") setNamespaceDefault(migration, namespace, "all-authenticated", first);
  }
  for (const subject of subjectsOf(migration, namespace, policies, peers)) {
    const own = policies.filter(({ selector }) => meets(subject.labels, selector));
    const mode = modeFor(peers, subject.labels, namespace);
    const portModes = portModesFor(peers, subject.labels, wideMode);
    const because = own[0]?.source ?? peers[0]?.source;
    if (because === undefined) continue;
    translateSubject(migration, subject, { policies: own, mode, portModes, wideMode, because });
  }
}

interface Orders {
  readonly policies: readonly Policy[];
  readonly mode: Mode;
  readonly portModes: ReadonlyMap<number, Mode>;
  readonly wideMode: Mode;
  readonly because: Source;
}

function translateSubject(
  migration: Migration,
  subject: Subject,
  { policies, mode, portModes, wideMode, because }: Orders,
): void {
  const clauses = policies.flatMap((policy) => policy.clauses.map((clause) => ({ policy, clause })));
  const isClosed = policies.some(({ isDeny }) => !isDeny);
  const isOwn = policies.some(({ selector }) => Object.keys(selector).length > 0);
  if ((isClosed && isOwn) || mode !== wideMode) {
    setDefault(
      migration,
      subject,
      isClosed ? "deny" : mode === "STRICT" ? "all-authenticated" : "all-unauthenticated",
      because,
    );
  }
  if (clauses.length === 0 && !isClosed && portModes.size === 0) return; // a default says it all
  const named = clauses.flatMap(({ clause }) => clause.ports ?? []);
  const ports = [...new Set([...subject.ports, ...named, ...portModes.keys()])].filter((port) =>
    port >= 1 && port <= 65535
  ).sort((a, b) => a - b);
  if (ports.length === 0) {
    const effect = policies.some(({ isDeny }) => isDeny) ? "wider" : "stricter";
    return migration.say(
      effect,
      because,
      "spec.selector",
      `no port of ${subject.name} is known: give its workload or Service, too`,
    );
  }
  if (!isClosed) tellOtherPorts(migration, subject, ports, clauses);
  for (const port of ports) {
    const here = clauses.filter(({ clause }) =>
      (clause.ports === null || clause.ports.includes(port)) && !clause.notPorts.includes(port)
    );
    const policy: PortPolicy = {
      clauses: here,
      isClosed,
      isStrict: (portModes.get(port) ?? mode) === "STRICT",
      because,
    };
    emitServer(migration, subject, port, policy);
  }
}

/** Without an admission the ports that nobody declares stay open; denials held on them, too. */
function tellOtherPorts(
  migration: Migration,
  { name }: Subject,
  ports: readonly number[],
  clauses: readonly { readonly policy: Policy; readonly clause: Clause }[],
): void {
  for (const { policy, clause } of clauses) {
    if (!policy.isDeny || clause.ports !== null) continue;
    const reason =
      `of ${name} the ports ${ports.join(", ")} are known: on others nothing is denied; declare them, or ` +
      `annotate its workload with ${DEFAULT_POLICY}: deny`;
    migration.say("wider", policy.source, "spec.rules", reason);
  }
}

/** Workloads that need Servers; those under the same policies share one where a policy's selector finds them all. */
function subjectsOf(
  migration: Migration,
  namespace: string,
  policies: readonly Policy[],
  peers: readonly Peer[],
): Subject[] {
  const workloads = workloadsOf(migration, namespace);
  const selectors = [...policies, ...peers].map(({ selector, source }) => ({ selector, source }));
  const groups = new Map<string, Subject[]>();
  for (const workload of workloads) {
    const own = selectors.filter(({ selector }) => meets(workload.labels, selector));
    if (own.length === 0) continue;
    const key = own.map(({ source }) => `${source.kind}/${source.namespace}/${source.name}`).join(" ");
    groups.set(key, [...groups.get(key) ?? [], workload]);
  }
  const out = [...groups.values()].flatMap((group) =>
    mergeGroup(group, workloads, selectors.map(({ selector }) => selector))
  );
  for (const { selector, source } of selectors) {
    if (workloads.some(({ labels }) => meets(labels, selector))) continue;
    const isWide = Object.keys(selector).length === 0;
    const key = JSON.stringify(selector);
    if (out.some((subject) => JSON.stringify(subject.selector) === key)) continue;
    const name = isWide ? namespace : Object.values(selector).join("-");
    out.push(unknownSubject(migration, namespace, name, selector));
    if (!isWide) {
      migration.say(
        "note",
        source,
        "spec.selector",
        "no workload among the manifests is meant: its ports are those of Services and rules",
      );
    }
  }
  return out;
}

function mergeGroup(
  group: readonly Subject[],
  all: readonly Subject[],
  selectors: readonly Readonly<Record<string, string>>[],
): Subject[] {
  const [first] = group;
  if (first === undefined || group.length === 1) return [...group];
  const shared = selectors.find((selector) => {
    const found = all.filter(({ labels }) => meets(labels, selector));
    return found.length === group.length && group.every((subject) => found.includes(subject));
  });
  if (shared === undefined) return [...group];
  const ports = [...new Set(group.flatMap(({ ports }) => ports))].sort((a, b) => a - b);
  const name = Object.keys(shared).length === 0 ? first.namespace : Object.values(shared).join("-");
  return [{
    ...first,
    name,
    labels: Object.keys(shared).length === 0 ? first.labels : shared,
    selector: shared,
    ports,
    sources: group.flatMap(({ sources }) => sources),
  }];
}

function readPolicy(migration: Migration, source: Source): Policy[] {
  const spec = View.spec(migration, source);
  const action = spec.text("action") ?? "ALLOW";
  if (action === "AUDIT") {
    migration.say(
      "lost",
      source,
      "spec",
      "action AUDIT: requests are not logged for being wanted in a log: see tulle tap",
    );
    return [];
  }
  if (isDryRun(source)) {
    const reason = "it was a dry run and decided nothing: it is left out; ours do that with mode: audit";
    migration.say("note", source, "", reason);
    return [];
  }
  if (action !== "ALLOW" && action !== "DENY") {
    migration.say("wider", source, "spec", `action ${action} asks an authorizer outside: nothing stands in for it`);
    return [];
  }
  const selector = readSelector(migration, spec, source);
  if (selector === null) return [];
  const isDeny = action === "DENY";
  const clauses = spec.views("rules").flatMap((rule): Clause[] => {
    // A rule without anything holds for every request.
    if (rule.keys().length === 0) {
      return [{ callers: ANYONE, butThese: false, ports: null, notPorts: [], requests: EVERY_REQUEST, except: [] }];
    }
    return readClauses(migration, rule, isDeny, source.namespace);
  });
  spec.done(isDeny ? "wider" : "stricter");
  return [{ source, selector, isDeny, clauses }];
}

/** A policy that is only counted: to take its admission for one would let callers in. */
function isDryRun({ value }: Source): boolean {
  return textMap(asMapping(value["metadata"])["annotations"])["istio.io/dry-run"] === "true";
}

/** @returns null when what it selects cannot be said */
function readSelector(migration: Migration, spec: View, source: Source): Record<string, string> | null {
  const targets = [...spec.views("targetRefs"), ...(spec.has("targetRef") ? [spec.view("targetRef")] : [])];
  const selector = spec.view("selector");
  const labels = selector?.map("matchLabels") ?? {};
  selector?.done("wider");
  if (targets.length === 0) return labels;
  const [target] = targets;
  const name = target?.text("name") ?? "";
  const service = target?.text("kind") === "Service" ? migration.find("", "Service", source.namespace, name) : null;
  if (targets.length === 1 && service !== null) return selectorOf(service);
  spec.say(
    "wider",
    "",
    "it is aimed at targetRefs; gateways and waypoints have no counterpart: write it for the workloads behind them",
  );
  return null;
}
