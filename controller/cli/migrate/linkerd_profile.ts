/**
 * ServiceProfile (linkerd.io/v1alpha2) → HTTPRoutes.
 *
 * A profile takes its first route that matches; the Gateway API takes the closest match, and ties go to the older object, then
 * to its name, then to the order within it. So all paths get one form (exact where all are literal, else patterns), and
 * neighbours with the same retries and timeouts share an object, whose number keeps the order.
 */
import { formatDuration } from "../../../src/base/duration.ts";
import { goDuration } from "./durations.ts";
import { asMapping, type Migration, slug, type Source, textMap } from "./migration.ts";
import { type NamedService, portsOf, serviceOf } from "./services.ts";
import { type Json, View } from "./view.ts";

interface ProfileRoute {
  readonly name: string;
  readonly matches: readonly ProfileMatch[];
  readonly annotations: Readonly<Record<string, string>>;
}

interface ProfileMatch {
  readonly method: string | null;
  readonly path: string | null;
}

const METHODS = ["GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH"];
/** Most rules of an HTTPRoute. */
const MAX_RULES = 15;

/** Writes the HTTPRoutes of each ServiceProfile; lists what they cannot say. */
export function translateServiceProfiles(migration: Migration): void {
  for (const source of migration.list("linkerd.io", "ServiceProfile")) profile(migration, source);
}

function profile(migration: Migration, source: Source): void {
  const spec = View.spec(migration, source);
  const service = serviceOf(migration, source.name, source.namespace);
  if (service === null) {
    return migration.say("lost", source, "", "its name is not that of a Service of the cluster: it is left out");
  }
  const routes = spec.views("routes").flatMap((view) => readRoute(view));
  const splits = spec.views("dstOverrides").flatMap((view) => readOverride(migration, view, source.namespace));
  const budget = spec.view("retryBudget");
  const isForeign = service.namespace !== source.namespace;
  if (budget !== null && isForeign) {
    spec.say("lost", "retryBudget", `a BackendPolicy holds for all callers: write one in ${service.namespace}`);
  } else if (budget !== null) retryBudget(migration, budget, service, source);
  const opaque = opaquePorts(migration, spec, service);
  spec.done("lost");
  const isPlain = routes.every(({ matches }) => matches.every(({ path }) => path === null || literal(path) !== null));
  const ports = portsOf(service).map(({ port }) => port).filter((port) => !opaque.includes(port));
  if (ports.length === 0 && splits.length > 0) {
    return spec.say(
      "lost",
      "dstOverrides",
      `the ports of the Service ${service.name} are not among the manifests: give its Service, too`,
    );
  }
  const groups: ProfileRoute[][] = [];
  for (const route of routes) {
    const last = groups.at(-1);
    const same = last?.[0] !== undefined && JSON.stringify(last[0].annotations) === JSON.stringify(route.annotations);
    if (last !== undefined && same && last.length < MAX_RULES) last.push(route);
    else groups.push([route]);
  }
  // What no route matches went through: a rule for the rest, where a split or a route would keep it away.
  groups.push([{ name: "rest", matches: [], annotations: {} }]);
  if (routes.length === 0 && splits.length === 0) return spec.say("note", "", "no route is left: none is written");
  // Without backends a rule means the Service itself, on each of its ports.
  for (const port of splits.length > 0 ? ports : [null]) {
    groups.forEach((group, i) => {
      const suffix = groups.length > 1 ? `-${String(i + 1).padStart(2, "0")}` : "";
      emitGroup(
        migration,
        source,
        service,
        port,
        `${service.name}-profile${ports.length > 1 ? `-${port}` : ""}${suffix}`,
        group,
        { isPlain, splits },
      );
    });
  }
}

/** On opaque ports no request is seen: they are annotated, and get no routes. */
function opaquePorts(migration: Migration, spec: View, service: NamedService): number[] {
  const texts = spec.texts("opaquePorts");
  if (texts.length === 0) return [];
  const { source } = service;
  const own = portsOf(service).map(({ port }) => port);
  if (source === null || texts.some((text) => !own.includes(Number(text)))) {
    spec.say("lost", "opaquePorts", `annotate the Service ${service.name} with tulle.dev/opaque-ports`);
    return [];
  }
  const copy = migration.changed(source, spec.source);
  const metadata = asMapping(copy["metadata"]);
  const known = textMap(metadata["annotations"])["tulle.dev/opaque-ports"];
  const all = [...known === undefined ? [] : [known], ...texts].join(",");
  metadata["annotations"] = { ...asMapping(metadata["annotations"]), "tulle.dev/opaque-ports": all };
  return texts.map(Number);
}

function retryBudget(migration: Migration, view: View, service: NamedService, source: Source): void {
  const ratio = view.number("retryRatio");
  const least = view.number("minRetriesPerSecond");
  if (view.has("ttl")) view.say("lost", "ttl", "the window of the budget is ten seconds");
  view.skip("ttl");
  view.done("lost");
  const spec = {
    ...(ratio === null ? {} : { percent: Math.round(ratio * 100) }),
    ...(least === null ? {} : { minPerSecond: least }),
  };
  if (Object.keys(spec).length === 0) return;
  migration.emit(source, {
    apiVersion: "policy.tulle.dev/v1alpha1",
    kind: "BackendPolicy",
    metadata: { name: service.name, namespace: service.namespace },
    spec: { targetRef: { kind: "Service", name: service.name }, retryBudget: spec },
  });
}

interface Shared {
  readonly isPlain: boolean;
  readonly splits: readonly { readonly service: NamedService; readonly port: number | null; readonly weight: number }[];
}

function emitGroup(
  migration: Migration,
  source: Source,
  service: NamedService,
  port: number | null,
  name: string,
  group: readonly ProfileRoute[],
  { isPlain, splits }: Shared,
): void {
  const backendRefs = splits.length > 0
    ? splits.map((split) => ({
      ...refOf(split.service, source.namespace),
      port: split.port ?? port,
      weight: split.weight,
    }))
    : [];
  const annotations = group[0]?.annotations ?? {};
  migration.emit(source, {
    apiVersion: "gateway.networking.k8s.io/v1",
    kind: "HTTPRoute",
    // In another namespace than its Service's it is for the callers of that namespace, as the profile was.
    metadata: { name, namespace: source.namespace, ...(Object.keys(annotations).length > 0 ? { annotations } : {}) },
    spec: {
      parentRefs: [{
        group: "",
        kind: "Service",
        ...refOf(service, source.namespace),
        ...(port === null ? {} : { port }),
      }],
      rules: group.map((route) => {
        const matches = route.matches.map(({ method, path }): Json => ({
          ...(path === null ? {} : { path: pathMatch(path, isPlain) }),
          ...(method === null ? {} : { method }),
        }));
        return {
          name: slug(route.name.replace(/[./{}]+/g, "-")),
          ...(matches.length > 0 ? { matches } : {}),
          ...(backendRefs.length > 0 ? { backendRefs } : {}),
        };
      }),
    },
  });
}

function refOf({ name, namespace }: NamedService, own: string): Json {
  return namespace === own ? { name } : { name, namespace };
}

function pathMatch(path: string, isPlain: boolean): Json {
  return isPlain ? { type: "Exact", value: literal(path) } : { type: "RegularExpression", value: path };
}

/** The one path that a pattern matches; null when it matches several. */
function literal(pattern: string): string | null {
  const text = pattern.replace(/^\^|\$$/g, "").replace(/\\([./-])/g, "\0$1");
  if (/[\\^$*+?()[\]{}|]|(^|[^\0])\./.test(text)) return null;
  const plain = text.replaceAll("\0", "");
  return plain.startsWith("/") ? plain : null;
}

function readRoute(view: View): ProfileRoute[] {
  const name = view.text("name") ?? "route";
  const condition = view.view("condition");
  const matches = condition === null ? null : readCondition(condition);
  const isRetryable = view.flag("isRetryable");
  const timeoutText = view.text("timeout");
  if (view.has("responseClasses")) {
    view.raw("responseClasses");
    view.say("lost", "responseClasses", "answers count as failures from 500 on, and by grpc-status");
  }
  view.done("lost");
  if (matches === null || matches.length === 0) {
    view.say(
      "lost",
      "",
      "its condition cannot be said by matches: the route is left out, its requests count with the rest",
    );
    return [];
  }
  const timeout = timeoutText === null ? null : goDuration(timeoutText);
  if (timeoutText !== null && timeout === null) {
    view.say("lost", "timeout", `found ${JSON.stringify(timeoutText)}, want a duration`);
  }
  const annotations = {
    ...(isRetryable ? { "retry.tulle.dev/http": "5xx" } : {}),
    ...(timeout === null || timeout === 0 ? {} : { "timeout.tulle.dev/request": formatDuration(timeout) }),
  };
  return [{ name, matches, annotations }];
}

/** @returns alternatives; null when there is no saying it */
function readCondition(view: View): ProfileMatch[] | null {
  const path = view.text("pathRegex");
  const method = view.text("method");
  if (method !== null && !METHODS.includes(method)) return null;
  let found: ProfileMatch[] | null = [{ method, path }];
  const isPlain = path === null && method === null;
  for (const every of view.views("all")) {
    const inner = readCondition(every);
    found = found === null || inner === null ? null : found.flatMap((a) => inner.flatMap((b) => both(a, b)));
  }
  if (view.has("any")) {
    const inner = view.views("any").map(readCondition);
    const alternatives = inner.flatMap((each) => each ?? []);
    found = found === null || inner.includes(null)
      ? null
      : found.flatMap((a) => alternatives.flatMap((b) => both(a, b)));
  }
  if (view.has("not")) found = null;
  view.skip("not");
  view.done("lost");
  return isPlain && !["all", "any"].some((key) => view.has(key)) ? null : found;
}

/** Both at once; nothing when that is impossible or cannot be said. */
function both(a: ProfileMatch, b: ProfileMatch): ProfileMatch[] {
  if (a.method !== null && b.method !== null && a.method !== b.method) return [];
  if (a.path !== null && b.path !== null && a.path !== b.path) return [];
  return [{ method: a.method ?? b.method, path: a.path ?? b.path }];
}

function readOverride(
  migration: Migration,
  view: View,
  namespace: string,
): { service: NamedService; port: number | null; weight: number }[] {
  const [host = "", port] = (view.text("authority") ?? "").split(":");
  const service = serviceOf(migration, host, namespace);
  const weight = readWeight(view.raw("weight"));
  view.done("lost");
  if (service === null || weight === null) {
    view.say("lost", "", "it names no Service, or no weight: it is left out");
    return [];
  }
  return [{ service, port: port === undefined ? null : Number(port), weight }];
}

/** A quantity such as 1, "500m" or "10k". @returns thousandths, whole */
export function readWeight(value: unknown): number | null {
  const match = /^(\d+(?:\.\d+)?)(m|k)?$/.exec(String(value ?? ""));
  if (match === null) return null;
  const scale = match[2] === "m" ? 1 : match[2] === "k" ? 1_000_000 : 1000;
  const weight = Math.round(Number(match[1]) * scale);
  return weight <= 1_000_000 ? weight : null;
}
