/**
 * SMI TrafficTarget (access.smi-spec.io): which accounts may call the pods of another, with which requests → Servers and
 * policies for the workloads of that account.
 *
 * Nothing may be called that no target names: namespaces of destinations refuse by default.
 */
import { setDefault, setNamespaceDefault } from "./inbound_defaults.ts";
import { ANYONE, type Callers, type Clause } from "./istio_rules.ts";
import { EVERY_REQUEST, isEverything, type RequestSet } from "./istio_paths.ts";
import type { Policy } from "./istio_policy.ts";
import { emitServer } from "./istio_servers.ts";
import { type Subject, workloadsOf } from "./istio_subjects.ts";
import { asMapping, meets, type Migration, type Source } from "./migration.ts";
import { templateOf } from "../../inject/workload.ts";
import { type SmiRoutes, specOf } from "./smi_routes.ts";
import type { View } from "./view.ts";

interface Target {
  readonly policy: Policy;
  readonly namespace: string;
  readonly account: string;
}

/** Writes what TrafficTargets admit; lists where that is less than it was. */
export function translateTargets(migration: Migration, routes: SmiRoutes): void {
  const sources = migration.list("access.smi-spec.io", "TrafficTarget");
  const targets = sources.flatMap((source) => readTarget(migration, source, routes));
  const namespaces = [...new Set(targets.map(({ namespace }) => namespace))].sort();
  for (const namespace of namespaces) {
    const here = targets.filter((target) => target.namespace === namespace);
    const [first] = here;
    if (first !== undefined) setNamespaceDefault(migration, namespace, "deny", first.policy.source);
    const workloads = workloadsOf(migration, namespace);
    for (const account of new Set(here.map((target) => target.account))) {
      const policies = here.filter((target) => target.account === account).map(({ policy }) => policy);
      const own = workloads.filter((subject) => accountOf(subject) === account);
      for (const { source } of own.length === 0 ? policies : []) {
        const reason = `no workload of ServiceAccount ${namespace}/${account} is among the manifests: give it, too`;
        migration.say("stricter", source, "", reason);
      }
      for (const subject of own) writeSubject(migration, subject, workloads, policies);
    }
  }
  tellOthers(migration, sources[0], namespaces);
}

function writeSubject(
  migration: Migration,
  subject: Subject,
  workloads: readonly Subject[],
  policies: readonly Policy[],
): void {
  const [first] = policies;
  if (first === undefined) return;
  const other = workloads.find((each) => {
    return accountOf(each) !== accountOf(subject) && meets(each.labels, subject.selector);
  });
  if (other !== undefined) {
    const reason = `labels of ${subject.name} find pods of ${other.name}, too, which has another account: nothing is ` +
      "admitted to it; give its pods a label of their own";
    return migration.say("stricter", first.source, "", reason);
  }
  setDefault(migration, subject, "deny", first.source);
  const clauses = policies.flatMap((policy) => policy.clauses.map((clause) => ({ policy, clause })));
  const ports = [...new Set([...subject.ports, ...clauses.flatMap(({ clause }) => clause.ports ?? [])])];
  if (ports.length === 0) {
    migration.say("stricter", first.source, "", `no port of ${subject.name} is known: give its Service, too`);
  }
  for (const port of ports.sort((a, b) => a - b)) {
    const here = clausesFor(migration, clauses, port);
    emitServer(migration, subject, port, { clauses: here, isClosed: true, isStrict: false, because: first.source });
  }
}

type Named = { readonly policy: Policy; readonly clause: Clause };

/** A port with routes takes no bytes that are not HTTP: where a TCPRoute names it, rules of HTTP do not count. */
function clausesFor(migration: Migration, clauses: readonly Named[], port: number): readonly Named[] {
  const here = clauses.filter(({ clause }) => clause.ports === null || clause.ports.includes(port));
  const opaque = here.filter(({ clause }) => clause.ports !== null && isEverything(clause.requests));
  if (opaque.length === 0) return here;
  for (const { policy } of here.filter((each) => !opaque.includes(each))) {
    const reason = `on port ${port}, which a TCPRoute names, its rules of HTTP admit nothing: it would take HTTP alone`;
    migration.say("stricter", policy.source, "", reason);
  }
  return opaque;
}

/** Where no target is, nothing could be called, either. */
function tellOthers(migration: Migration, first: Source | undefined, namespaces: readonly string[]): void {
  if (first === undefined) return;
  const others = new Set(
    migration.sources.filter(({ value, namespace }) => templateOf(value) !== null && !namespaces.includes(namespace))
      .map(({ namespace }) => namespace),
  );
  if (others.size === 0) return;
  const reason = `nothing could be called that no target names: annotate ${[...others].sort().join(", ")} with ` +
    "tulle.dev/default-inbound-policy: deny, if it was so there";
  migration.say("wider", first, "", reason);
}

function accountOf({ sources: [source] }: Subject): string {
  const template = source === undefined ? null : templateOf(source.value);
  const spec = asMapping(asMapping(template?.pod)["spec"]);
  const account = spec["serviceAccountName"] ?? spec["serviceAccount"];
  return typeof account === "string" ? account : "default";
}

function readTarget(migration: Migration, source: Source, routes: SmiRoutes): Target[] {
  const spec = specOf(migration, source);
  const destination = spec.view("destination");
  const kind = destination?.text("kind") ?? "ServiceAccount";
  const account = destination?.text("name") ?? "";
  const namespace = destination?.text("namespace") ?? source.namespace;
  const port = destination?.raw("port");
  destination?.done("stricter");
  const accounts = spec.views("sources").flatMap((view) => readAccount(view, source.namespace));
  const key = spec.has("rules") ? "rules" : "specs";
  const rules = spec.views(key);
  const isUnknown = spec.done("stricter", "is not known: it is left out");
  if (kind !== "ServiceAccount" || account === "") {
    const reason = "found no ServiceAccount as destination: it is left out";
    spec.say("stricter", "destination", reason);
    return [];
  }
  if (rules.length === 0) spec.say("stricter", key, "without rules nothing is admitted");
  if (accounts.length === 0) spec.say("stricter", "sources", "without sources nobody is admitted");
  const callers: Callers = { ...ANYONE, accounts };
  const said = isUnknown || accounts.length === 0 ? [] : rules.flatMap((rule) => readRule(rule, callers, routes));
  const only = port === undefined ? null : Number(port);
  const clauses = said.flatMap((clause): Clause[] => {
    if (only === null) return [clause];
    return clause.ports === null || clause.ports.includes(only) ? [{ ...clause, ports: [only] }] : [];
  });
  return [{ policy: { source, selector: {}, isDeny: false, clauses }, namespace, account }];
}

function readAccount(view: View, home: string): { namespace: string; name: string }[] {
  const kind = view.text("kind") ?? "ServiceAccount";
  const name = view.text("name");
  const namespace = view.text("namespace") ?? home;
  const isUnknown = view.done("stricter", "is not known: it is left out");
  if (kind === "ServiceAccount" && name !== null && !isUnknown) return [{ namespace, name }];
  view.say("stricter", "", "found no ServiceAccount: it is left out");
  return [];
}

function readRule(rule: View, callers: Callers, routes: SmiRoutes): Clause[] {
  const kind = rule.text("kind");
  const name = rule.text("name") ?? "";
  const names = rule.texts("matches");
  const isUnknown = rule.done("stricter", "is not known: the rule is left out");
  const { namespace } = rule.source;
  const clause = (requests: RequestSet, ports: readonly number[] | null): Clause => {
    return { callers, butThese: false, ports, notPorts: [], requests, except: [] };
  };
  if (isUnknown) return [];
  if (kind === "TCPRoute") {
    const ports = routes.ports(namespace, name);
    if (ports !== null) return [clause(EVERY_REQUEST, ports === "all" ? null : ports)];
  } else if (kind === "HTTPRouteGroup") {
    const sets = routes.requests(namespace, name, names);
    if (sets?.length === 0) rule.say("stricter", "matches", `${name} has none of them: nothing is admitted`);
    if (sets !== null) return sets.map((set) => clause(set, null));
  }
  rule.say(
    "stricter",
    "",
    `no ${kind ?? "kind"} ${namespace}/${name} is among the manifests: nothing is admitted by it`,
  );
  return [];
}
