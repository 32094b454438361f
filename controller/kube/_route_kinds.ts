/** Decoders of HTTPRoute and GRPCRoute (gateway.networking.k8s.io/v1). Limits are those of the API's own definitions. */
import type { Reader } from "./_reader.ts";
import { isLabelName, LABEL_NAME_FORM, readMeta, readRef } from "./_meta.ts";
import { checkFilters, readFilters } from "./_route_filters.ts";
import { readDuration, readSession } from "./_route_session.ts";
import { checkRegex } from "./regex.ts";
import type {
  BackendRef,
  GrpcRoute,
  GrpcRouteMatch,
  HttpRoute,
  HttpRouteMatch,
  NamedMatch,
  ParentRef,
  PathMatch,
  RouteRule,
  TextMatch,
} from "./resources.ts";

export const GATEWAY_GROUP = "gateway.networking.k8s.io";
const MAX_PARENTS = 32;
const MAX_HOSTNAMES = 16;
export const MAX_RULES = 16;
const MAX_MATCHES = 64;
const MAX_HEADERS = 16;
export const MAX_BACKENDS = 16;
const METHODS = ["GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH"] as const;

export function readHttpRoute(root: Reader): HttpRoute {
  const meta = readMeta(root, true);
  root.ignore("status");
  const spec = root.object("spec");
  const parents = readParents(spec);
  const hostnames = readHostnames(spec);
  const rules = spec.objects("rules", MAX_RULES, (rule) => readRule(rule, readHttpMatch));
  spec.ignore("useDefaultGateways");
  spec.done();
  return { kind: "HTTPRoute", meta, parents, hostnames, rules: orCatchAll(rules) };
}

export function readGrpcRoute(root: Reader): GrpcRoute {
  const meta = readMeta(root, true);
  root.ignore("status");
  const spec = root.object("spec");
  const parents = readParents(spec);
  const hostnames = readHostnames(spec);
  const rules = spec.objects("rules", MAX_RULES, (rule) => readRule(rule, readGrpcMatch));
  spec.ignore("useDefaultGateways");
  spec.done();
  return { kind: "GRPCRoute", meta, parents, hostnames, rules: orCatchAll(rules) };
}

/** The API's default: one rule that matches everything. */
function orCatchAll<M>(rules: RouteRule<M>[]): readonly RouteRule<M>[] {
  if (rules.length > 0) return rules;
  const rule = { name: null, matches: [], filters: [], backendRefs: [] };
  return [{ ...rule, requestTimeoutMs: null, backendTimeoutMs: null, retry: null, session: null }];
}

export function readParents(spec: Reader): ParentRef[] {
  return spec.objects("parentRefs", MAX_PARENTS, (item) => {
    const kind = item.raw("kind");
    const group = kind === "Service" ? "" : kind === "Server" ? "policy.tulle.dev" : GATEWAY_GROUP;
    const ref = readRef(item, group, "Gateway");
    const parent = {
      ...ref,
      port: item.intOr("port", null, 1, 65535),
      sectionName: item.textOr("sectionName", null, "the name of a section"),
    };
    item.done();
    return parent;
  });
}

export function readHostnames(spec: Reader): string[] {
  const form = "a host name such as web.example.org or *.example.org";
  return spec.texts("hostnames", MAX_HOSTNAMES, form, (text) => {
    const host = text.startsWith("*.") ? text.slice(2) : text;
    return text.length <= 253 && host.split(".").every(isLabelName);
  });
}

function readRule<M>(rule: Reader, readMatch: (item: Reader) => M): RouteRule<M> {
  const timeouts = rule.objectOr("timeouts");
  const session = rule.objectOr("sessionPersistence");
  const retry = rule.objectOr("retry");
  const read: RouteRule<M> = {
    name: rule.textOr("name", null, LABEL_NAME_FORM),
    matches: rule.objects("matches", MAX_MATCHES, readMatch),
    filters: readFilters(rule),
    backendRefs: rule.objects("backendRefs", MAX_BACKENDS, readBackendRef),
    requestTimeoutMs: timeouts === null ? null : readDuration(timeouts, "request"),
    backendTimeoutMs: timeouts === null ? null : readDuration(timeouts, "backendRequest"),
    retry: retry === null ? null : {
      codes: retry.list("codes", 64, "status codes", (item, path) => {
        if (typeof item === "number" && Number.isInteger(item) && item >= 400 && item <= 599) return item;
        retry.fail(path, `found ${String(item)}, want a status code 400–599`);
        return 500;
      }),
      attempts: retry.intOr("attempts", null, 0, 100),
      backoffMs: readDuration(retry, "backoff"),
    },
    session: session === null ? null : readSession(session),
  };
  timeouts?.done();
  retry?.done();
  rule.done();
  checkFilters(rule, read);
  const { requestTimeoutMs: whole, backendTimeoutMs: one } = read;
  if (whole !== null && one !== null && whole > 0 && one > whole) {
    rule.fail([...rule.path, "timeouts", "backendRequest"], `found ${one}ms, want at most the request's ${whole}ms`);
  }
  return read;
}

export function readBackendRef(item: Reader): BackendRef {
  const ref = readRef(item, "", "Service");
  const backend: BackendRef = {
    ...ref,
    port: item.intOr("port", null, 1, 65535),
    weight: item.intOr("weight", 1, 0, 1_000_000),
    filters: readFilters(item),
  };
  if (ref.group === "" && ref.kind === "Service" && backend.port === null) item.bad("port", "the Service's port");
  item.done();
  return backend;
}

function readHttpMatch(item: Reader): HttpRouteMatch {
  const path = item.objectOr("path");
  const match: HttpRouteMatch = {
    path: path === null ? null : readPathMatch(path),
    headers: readNamedMatches(item, "headers", true),
    query: readNamedMatches(item, "queryParams", false),
    method: item.has("method") ? item.oneOf("method", METHODS, "GET") : null,
  };
  item.done();
  return match;
}

function readPathMatch(path: Reader): PathMatch {
  const type = path.oneOf("type", ["Exact", "PathPrefix", "RegularExpression"], "PathPrefix");
  const value = path.textOr("value", "/", "a path that starts with /", (text) => text.length <= 1024);
  path.done();
  if (type === "RegularExpression") return { kind: "regex", value: readRegex(path, value) };
  if (!/^\/(?!.*(\/\/|\/\.\.?(\/|$)|%2[fF]|#))/.test(value)) {
    path.bad("value", "a path that starts with / and has no //, /./, /../, %2f or #");
  }
  return type === "Exact" ? { kind: "exact", value } : { kind: "prefix", value };
}

function readGrpcMatch(item: Reader): GrpcRouteMatch {
  const method = item.objectOr("method");
  const headers = readNamedMatches(item, "headers", true);
  item.done();
  if (method === null) return { service: null, method: null, headers };
  const type = method.oneOf("type", ["Exact", "RegularExpression"], "Exact");
  const read = (key: string, want: string, form: RegExp): TextMatch | null => {
    const exact = type === "Exact";
    const text = method.textOr(key, null, want, (value) => value.length <= 1024 && (!exact || form.test(value)));
    if (text === null) return null;
    return exact ? { kind: "exact", value: text } : { kind: "regex", value: readRegex(method, text, key) };
  };
  const service = read("service", "a gRPC service such as shop.v1.Catalogue", /^[A-Za-z_][\w]*(\.[A-Za-z_]\w*)*$/);
  const name = read("method", "a gRPC method such as GetItem", /^[A-Za-z_]\w*$/);
  method.done();
  if (service === null && name === null) method.fail(method.path, "found neither, want service or method");
  return { service, method: name, headers };
}

function readNamedMatches(parent: Reader, key: string, header: boolean): NamedMatch[] {
  const seen = new Set<string>();
  const all = parent.objects(key, MAX_HEADERS, (item): NamedMatch => {
    const type = item.oneOf("type", ["Exact", "RegularExpression"], "Exact");
    const name = item.text("name", header ? "a header's name" : "a parameter's name", (text) => {
      return text.length <= 256 && (!header || /^[A-Za-z0-9!#$%&'*+\-.^_|~]+$/.test(text));
    });
    const value = item.text("value", "text of at most 4096 characters", (text) => text.length <= 4096);
    item.done();
    return {
      name,
      match: type === "Exact" ? { kind: "exact", value } : { kind: "regex", value: readRegex(item, value) },
    };
  });
  // The API: of entries with an equivalent name only the first is considered.
  return all.filter((match) => {
    const name = header ? match.name.toLowerCase() : match.name;
    if (seen.has(name)) return false;
    seen.add(name);
    return true;
  });
}

function readRegex(reader: Reader, source: string, key = "value"): string {
  const fault = checkRegex(source);
  if (fault !== null) reader.fail([...reader.path, key], fault);
  return source;
}
