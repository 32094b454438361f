/** Redirects, rewrites, header edits, mirrors and CORS of a VirtualService's rule → filters of an HTTPRoute. */
import { formatDuration } from "../../../src/base/duration.ts";
import { goDuration } from "./durations.ts";
import type { Migration } from "./migration.ts";
import { type NamedService, portsOf, serviceOf } from "./services.ts";
import type { Json, View } from "./view.ts";

/** Reads what a rule does to requests. @param path how its first match tells the path, for rewrites */
export function readFilters(
  migration: Migration,
  rule: View,
  service: NamedService,
  path: "exact" | "prefix" | "regex" | null,
): Json[] {
  const filters: Json[] = [];
  const headers = rule.view("headers");
  for (const [key, type, field] of EDITS) {
    const edit = headers?.view(key) ?? null;
    if (edit === null) continue;
    const found = readEdit(edit);
    if (Object.keys(found).length > 0) filters.push({ type, [field]: found });
  }
  headers?.done("lost");
  const redirect = rule.view("redirect");
  if (redirect !== null) filters.push(readRedirect(redirect));
  const rewrite = rule.view("rewrite");
  if (rewrite !== null) filters.push(readRewrite(rewrite, path));
  const percent = percentOf(rule.view("mirrorPercentage")) ?? rule.number("mirrorPercent") ??
    rule.number("mirror_percent");
  const mirror = rule.view("mirror");
  const copies = mirror === null ? [] : [{ mirror, share: percent }];
  for (const each of rule.views("mirrors")) {
    const destination = each.view("destination");
    const share = percentOf(each.view("percentage"));
    each.done("lost");
    if (destination !== null) copies.push({ mirror: destination, share });
  }
  for (const { mirror, share } of copies) {
    const found = readMirror(migration, mirror, service, share);
    if (found !== null) filters.push(found);
  }
  const cors = rule.view("corsPolicy");
  if (cors !== null) filters.push(readCors(cors));
  return filters;
}

function percentOf(view: View | null): number | null {
  const value = view?.number("value") ?? null;
  view?.done("lost");
  return value;
}

const EDITS = [
  ["request", "RequestHeaderModifier", "requestHeaderModifier"],
  ["response", "ResponseHeaderModifier", "responseHeaderModifier"],
] as const;

function readEdit(view: View): Json {
  const entries = (key: string) =>
    Object.entries(view.map(key)).flatMap(([name, value]) => {
      if (!/%[A-Z_]+(\(.*\))?%/.test(value)) return [{ name, value }];
      view.say("lost", key, `${name}: ${value} is for the proxy to fill in, which ours does not: it is left out`);
      return [];
    });
  const edit = { set: entries("set"), add: entries("add"), remove: view.texts("remove") };
  view.done("lost");
  return Object.fromEntries(Object.entries(edit).filter(([, list]) => list.length > 0));
}

function readRedirect(view: View): Json {
  const uri = view.text("uri");
  const hostname = view.text("authority");
  const scheme = view.text("scheme");
  const code = view.number("redirectCode") ?? 301;
  const port = view.number("port");
  view.done("lost");
  const requestRedirect = {
    ...(scheme === null ? {} : { scheme }),
    ...(hostname === null ? {} : { hostname }),
    ...(uri === null ? {} : { path: { type: "ReplaceFullPath", replaceFullPath: uri } }),
    ...(port === null ? {} : { port }),
    statusCode: code,
  };
  return { type: "RequestRedirect", requestRedirect };
}

function readRewrite(view: View, path: "exact" | "prefix" | "regex" | null): Json {
  const uri = view.text("uri");
  const hostname = view.text("authority");
  if (view.has("uriRegexRewrite")) {
    view.raw("uriRegexRewrite");
    view.say("lost", "uriRegexRewrite", "paths are rewritten as a whole or by their prefix");
  }
  view.done("lost");
  const replaced = path === "prefix"
    ? { type: "ReplacePrefixMatch", replacePrefixMatch: uri }
    : { type: "ReplaceFullPath", replaceFullPath: uri };
  return {
    type: "URLRewrite",
    urlRewrite: { ...(hostname === null ? {} : { hostname }), ...(uri === null ? {} : { path: replaced }) },
  };
}

function readMirror(migration: Migration, view: View, service: NamedService, percent: number | null): Json | null {
  const host = view.text("host") ?? "";
  const portView = view.view("port");
  const said = portView?.number("number") ?? null;
  portView?.done("lost");
  const target = serviceOf(migration, host, service.namespace);
  const port = said ?? (target === null ? null : portsOf(target)[0]?.port) ?? portsOf(service)[0]?.port ?? null;
  if (view.has("subset")) {
    view.raw("subset");
    view.say("lost", "subset", "the whole Service gets the copies");
  }
  view.done("lost");
  if (target === null || port === null) {
    view.say("lost", "host", `${host} is no Service whose port is known: nothing is mirrored`);
    return null;
  }
  const where = target.namespace === service.namespace ? {} : { namespace: target.namespace };
  const share = percent === null || percent === 100
    ? {}
    : { fraction: { numerator: Math.round(percent * 100), denominator: 10_000 } };
  return { type: "RequestMirror", requestMirror: { backendRef: { name: target.name, ...where, port }, ...share } };
}

function readCors(view: View): Json {
  const origins = [
    ...view.texts("allowOrigin"),
    ...view.views("allowOrigins").flatMap((each) => {
      const exact = each.text("exact");
      if (exact === null) each.say("stricter", "", "only exact origins can be said: it is left out");
      each.skip("prefix", "regex");
      each.done("lost");
      return exact === null ? [] : [exact];
    }),
  ];
  const maxAge = view.text("maxAge");
  const seconds = maxAge === null ? null : goDuration(maxAge);
  const cors = {
    ...(origins.length > 0 ? { allowOrigins: origins } : {}),
    ...listOf("allowMethods", view.texts("allowMethods")),
    ...listOf("allowHeaders", view.texts("allowHeaders")),
    ...listOf("exposeHeaders", view.texts("exposeHeaders")),
    ...(view.flag("allowCredentials") ? { allowCredentials: true } : {}),
    ...(seconds === null ? {} : { maxAge: Math.round(seconds / 1000) }),
  };
  if (maxAge !== null && seconds === null) {
    view.say("lost", "maxAge", `found ${JSON.stringify(maxAge)}, want ${formatDuration(60_000)}`);
  }
  view.done("lost");
  return { type: "CORS", cors };
}

function listOf(key: string, list: readonly string[]): Json {
  return list.length > 0 ? { [key]: list } : {};
}
