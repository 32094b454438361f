/** DestinationRule (networking.istio.io): subsets become Services of their own, what is said of traffic BackendPolicies. */
import { backendPolicy } from "./istio_traffic.ts";
import { asMapping, type Migration, slug, type Source, textMap } from "./migration.ts";
import { type NamedService, selectorOf, serviceOf } from "./services.ts";
import { type Json, View } from "./view.ts";

const NETWORKING = "networking.istio.io";

/** Writes Services for subsets, and BackendPolicies; lists the rest of each DestinationRule. */
export function translateDestinationRules(migration: Migration): void {
  for (const source of migration.list(NETWORKING, "DestinationRule")) destinationRule(migration, source);
}

function destinationRule(migration: Migration, source: Source): void {
  const spec = View.spec(migration, source);
  const host = spec.text("host") ?? "";
  const service = serviceOf(migration, host, source.namespace);
  const exportTo = spec.texts("exportTo");
  if (exportTo.length > 0 && !exportTo.includes("*")) {
    spec.say(
      "lost",
      "exportTo",
      `it holds for clients of all namespaces, not for those of ${exportTo.join(", ")} alone`,
    );
  } else if (exportTo.length > 0) spec.say("note", "exportTo", "it holds for clients of all namespaces, always");
  const policy = spec.view("trafficPolicy");
  const subsets = spec.views("subsets");
  if (service === null) {
    return spec.say("lost", "", `${host} is no Service of the cluster: it is left out`);
  }
  const whole = policy === null ? {} : backendPolicy(migration, policy, service, source);
  for (const subset of subsets) {
    const name = subset.text("name") ?? "";
    subset.skip("labels");
    const made = subsetService(migration, service, name, source);
    if (made === null) {
      subset.say(
        "lost",
        "",
        `the Service ${service.name} is not among the manifests, or ${name} has no labels: give its Service, too`,
      );
    }
    const own = subset.view("trafficPolicy");
    if (made !== null) backendPolicy(migration, own, made, source, whole);
    subset.done("lost");
  }
  spec.done("lost");
}

/** The Service of a subset, made when it is first asked for: selector and labels together. */
export function subsetService(
  migration: Migration,
  service: NamedService,
  subset: string,
  because: Source,
): NamedService | null {
  const base = service.source;
  if (base === null) return null;
  const rule = migration.list(NETWORKING, "DestinationRule").find((each) => {
    const host = asMapping(each.value["spec"])["host"];
    const meant = typeof host === "string" ? serviceOf(migration, host, each.namespace) : null;
    return meant?.name === service.name && meant.namespace === service.namespace && subsetLabels(each, subset) !== null;
  });
  const labels = rule === undefined ? null : subsetLabels(rule, subset);
  if (labels === null || rule === undefined) return null;
  const name = slug(`${service.name}-${subset}`);
  const known = made.get(migration)?.get(`${service.namespace}/${name}`);
  if (known !== undefined) return known;
  const existing = migration.find("", "Service", service.namespace, name);
  if (existing !== null) {
    migration.say("note", because, "spec", `the Service ${name} exists: it is taken for the subset ${subset}`);
    return { namespace: service.namespace, name, source: existing };
  }
  const spec = asMapping(base.value["spec"]);
  const value: Json = {
    apiVersion: "v1",
    kind: "Service",
    metadata: {
      name,
      namespace: service.namespace,
      ...(Object.keys(base.labels).length > 0 ? { labels: { ...base.labels } } : {}),
    },
    spec: { selector: { ...selectorOf(base), ...labels }, ports: stripNodePorts(spec["ports"]) },
  };
  migration.emit(rule, value);
  const result: NamedService = { namespace: service.namespace, name, source: { ...base, name, value } };
  const all = made.get(migration) ?? new Map<string, NamedService>();
  all.set(`${service.namespace}/${name}`, result);
  made.set(migration, all);
  return result;
}

/** Services made of subsets, so that each is made once. */
const made = new WeakMap<Migration, Map<string, NamedService>>();

function stripNodePorts(ports: unknown): unknown {
  if (!Array.isArray(ports)) return [];
  return ports.map((port) => {
    const { nodePort: _, ...rest } = asMapping(port);
    return rest;
  });
}

function subsetLabels(rule: Source, subset: string): Record<string, string> | null {
  const subsets = asMapping(rule.value["spec"])["subsets"];
  if (!Array.isArray(subsets)) return null;
  const found = subsets.map(asMapping).find(({ name }) => name === subset);
  const labels = textMap(found?.["labels"]);
  return Object.keys(labels).length > 0 ? labels : null;
}
