/** Decoder of the filters of routes and backends. */
import { CONNECTION_HEADERS } from "../../src/base/connection_headers.ts";
import type { Cors, Fraction, HeaderEdit, PathEdit, Redirect, Rewrite } from "../core/route_plan.ts";
import { isLabelName, readRef } from "./_meta.ts";
import type { Reader } from "./_reader.ts";
import type { BackendPort, BackendRef, RouteFilter, RouteRule } from "./resources.ts";

const MAX_FILTERS = 16;
const MAX_HEADERS = 64;
/** Largest denominator that makes sense: one request in a million. */
const MAX_DENOMINATOR = 1_000_000;
/** What clients keep the answer to a preflight request for where a filter does not say, seconds. */
const DEFAULT_MAX_AGE_SECONDS = 5;

/** Filters that the Gateway API defines; the last two make their rule answer 500 rather than be passed over. */
const FILTER_TYPES = [
  "RequestHeaderModifier",
  "ResponseHeaderModifier",
  "RequestMirror",
  "RequestRedirect",
  "URLRewrite",
  "CORS",
  "ExternalAuth",
  "ExtensionRef",
] as const;
const REDIRECT_CODES = [301, 302, 303, 307, 308];

/** Reads `filters`; empty when absent. */
export function readFilters(parent: Reader): RouteFilter[] {
  const seen = new Set<string>();
  return parent.objects("filters", MAX_FILTERS, (item): RouteFilter => {
    if (!item.has("type")) item.bad("type", `one of ${FILTER_TYPES.join(", ")}`);
    const type = item.oneOf("type", FILTER_TYPES, "ExtensionRef");
    const filter = readFilter(item, type);
    if (filter.kind === "unsupported") {
      const detail = `the filter ${type} is not carried out: requests of this rule are answered with 500`;
      item.warn([...item.path, "type"], detail);
      return filter;
    }
    item.done();
    if (seen.has(type) && type !== "RequestMirror") {
      item.fail([...item.path, "type"], `found ${type} a second time, want it once`);
    }
    seen.add(type);
    return filter;
  });
}

/** Reports filters that do not go together, or not with what the rule matches, as the API's own definition does. */
export function checkFilters<M>(rule: Reader, { matches, filters, backendRefs }: RouteRule<M>): void {
  const at = [...rule.path, "filters"];
  const kinds = filters.map(({ kind }) => kind);
  if (kinds.includes("redirect") && kinds.includes("rewrite")) {
    rule.fail(at, "found RequestRedirect and URLRewrite, want one of them");
  }
  if (kinds.includes("redirect") && backendRefs.length > 0) {
    rule.fail(at, "found RequestRedirect beside backendRefs, want one of them");
  }
  const all = [...filters, ...backendRefs.flatMap((ref: BackendRef) => ref.filters)];
  if (all.some(replacesPrefix) && !matches.every(hasPrefix)) {
    rule.fail(at, "found ReplacePrefixMatch in a rule that does not match by PathPrefix alone, want ReplaceFullPath");
  }
}

function replacesPrefix(filter: RouteFilter): boolean {
  const edit = filter.kind === "redirect" ? filter.redirect : filter.kind === "rewrite" ? filter.rewrite : null;
  return edit?.path?.kind === "prefix";
}

/** No path is the prefix "/". */
function hasPrefix(match: unknown): boolean {
  const path = (match as { readonly path?: { readonly kind: string } | null }).path ?? null; // HTTPRoute's have one
  return path === null || path.kind === "prefix";
}

function readFilter(item: Reader, type: (typeof FILTER_TYPES)[number]): RouteFilter {
  switch (type) {
    case "RequestHeaderModifier":
      return { kind: "request_headers", edit: readEdit(item.object("requestHeaderModifier")) };
    case "ResponseHeaderModifier":
      return { kind: "response_headers", edit: readEdit(item.object("responseHeaderModifier")) };
    case "RequestRedirect":
      return { kind: "redirect", redirect: readRedirect(item.object("requestRedirect")) };
    case "URLRewrite":
      return { kind: "rewrite", rewrite: readRewrite(item.object("urlRewrite")) };
    case "RequestMirror": {
      const mirror = item.object("requestMirror");
      const filter = { kind: "mirror" as const, backend: readBackend(mirror), fraction: readFraction(mirror) };
      mirror.done();
      return filter;
    }
    case "CORS":
      return { kind: "cors", cors: readCors(item.object("cors")) };
    case "ExternalAuth":
    case "ExtensionRef":
      return { kind: "unsupported", type };
    default:
      return type satisfies never;
  }
}

function readBackend(mirror: Reader): BackendPort {
  const item = mirror.object("backendRef");
  const ref = readRef(item, "", "Service");
  const port = item.intOr("port", null, 1, 65535);
  if (ref.group === "" && ref.kind === "Service" && port === null) item.bad("port", "the Service's port");
  item.done();
  return { ...ref, port };
}

function readFraction(mirror: Reader): Fraction {
  const percent = mirror.intOr("percent", null, 0, 100);
  const fraction = mirror.objectOr("fraction");
  if (fraction === null) return { numerator: percent ?? 100, denominator: 100 };
  if (percent !== null) mirror.fail([...mirror.path, "fraction"], "found beside percent, want one of them");
  const denominator = fraction.intOr("denominator", 100, 1, MAX_DENOMINATOR);
  const read = { numerator: fraction.int("numerator", 0, denominator), denominator };
  fraction.done();
  return read;
}

function readRedirect(reader: Reader): Redirect {
  const redirect = {
    status: reader.intOr("statusCode", 302, 301, 308),
    scheme: reader.has("scheme") ? reader.oneOf("scheme", ["http", "https"], "http") : "",
    hostname: readHostname(reader),
    port: reader.intOr("port", 0, 1, 65535),
    path: readPathEdit(reader),
  };
  if (!REDIRECT_CODES.includes(redirect.status)) reader.bad("statusCode", `one of ${REDIRECT_CODES.join(", ")}`);
  reader.done();
  return redirect;
}

function readRewrite(reader: Reader): Rewrite {
  const rewrite = { hostname: readHostname(reader), path: readPathEdit(reader) };
  reader.done();
  return rewrite;
}

function readHostname(reader: Reader): string {
  return reader.textOr("hostname", "", "a host name without a wildcard", (text) => {
    return text.length <= 253 && text.split(".").every(isLabelName);
  });
}

function readPathEdit(parent: Reader): PathEdit | null {
  const path = parent.objectOr("path");
  if (path === null) return null;
  const type = path.oneOf("type", ["ReplaceFullPath", "ReplacePrefixMatch"], "ReplaceFullPath");
  if (!path.has("type")) path.bad("type", "ReplaceFullPath or ReplacePrefixMatch");
  const isFull = type === "ReplaceFullPath";
  const key = isFull ? "replaceFullPath" : "replacePrefixMatch";
  // Nothing in the place of a prefix takes it away.
  const value = path.raw(key) === "" ? "" : path.text(key, "a path that starts with /, without query", isPath);
  path.done();
  return { kind: isFull ? "full" : "prefix", value: isFull && value === "" ? "/" : value };
}

function isPath(text: string): boolean {
  return text.length <= 1024 && /^\/[^\x00-\x20?#\x7f]*$/.test(text);
}

function readCors(reader: Reader): Cors {
  const cors = {
    allowOrigins: reader.texts("allowOrigins", 64, "* or an origin such as https://*.example.org", isOrigin),
    allowCredentials: reader.boolOr("allowCredentials", false),
    allowMethods: reader.texts("allowMethods", 9, "an HTTP method or *", isToken),
    allowHeaders: reader.texts("allowHeaders", MAX_HEADERS, "the name of a header or *", isToken),
    exposeHeaders: reader.texts("exposeHeaders", MAX_HEADERS, "the name of a header or *", isToken),
    maxAgeSeconds: reader.intOr("maxAge", DEFAULT_MAX_AGE_SECONDS, 1, 0x7fff_ffff),
  };
  reader.done();
  return cors;
}

function isOrigin(text: string): boolean {
  return text === "*" || (text.length <= 253 && /^https?:\/\/(\*|[A-Za-z0-9*.\-[\]:]+?)(:\d{1,5})?$/.test(text));
}

function isToken(text: string): boolean {
  return text.length <= 256 && /^[A-Za-z0-9!#$%&'*+\-.^_`|~]+$/.test(text);
}

function readEdit(modifier: Reader): HeaderEdit {
  const want = "the name of a header that does not steer the connection";
  const values = (key: string) =>
    modifier.objects(key, MAX_HEADERS, (item) => {
      const name = item.text("name", want, isEditable);
      const value = item.raw("value") === "" ? "" : item.text("value", "text without line breaks", isHeaderValue);
      item.done();
      return { name, value };
    });
  const edit = {
    set: values("set"),
    add: values("add"),
    remove: modifier.texts("remove", MAX_HEADERS, want, isEditable),
  };
  modifier.done();
  return edit;
}

function isEditable(text: string): boolean {
  return isToken(text) && !CONNECTION_HEADERS.has(text.toLowerCase());
}

function isHeaderValue(text: string): boolean {
  return text.length <= 4096 && !/[\x00-\x08\x0a-\x1f\x7f]/.test(text);
}
