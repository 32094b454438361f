/** Cross-origin requests (Fetch standard §3.2), as far as a rule speaks of them (Gateway API HTTPCORSFilter). */
import type { HeaderEdit } from "../../model/http_match.ts";
import type { Cors } from "../../model/route_plan.ts";
import { type HeaderBlock, headerBlock, NO_START } from "../../wire/header_block.ts";

/** Whether a request asks what it would be allowed: it is answered here, by `preflightResponse`. */
export function isPreflight(request: HeaderBlock): boolean {
  return request.method === "OPTIONS" && request.get("origin") !== null &&
    request.get("access-control-request-method") !== null;
}

/** The answer to a preflight request: without leave for an origin that is not allowed, so that its client refuses. */
export function preflightResponse(cors: Cors, request: HeaderBlock): HeaderBlock {
  const origin = request.get("origin") ?? "";
  const fields = ["vary", "Origin, Access-Control-Request-Method, Access-Control-Request-Headers"];
  if (allowsOrigin(cors, origin)) {
    fields.push("access-control-allow-origin", origin);
    if (cors.allowCredentials) fields.push("access-control-allow-credentials", "true");
    pushList(fields, "access-control-allow-methods", cors.allowMethods, request.get("access-control-request-method"));
    pushList(fields, "access-control-allow-headers", cors.allowHeaders, request.get("access-control-request-headers"));
    fields.push("access-control-max-age", String(cors.maxAgeSeconds));
  }
  return headerBlock({ ...NO_START, status: 204 }, fields);
}

/** What a response gets: leave for an allowed origin; and any, that a cache must keep it from other origins (Fetch §3.2.6). */
export function corsEdit(cors: Cors, request: HeaderBlock): HeaderEdit {
  const origin = request.get("origin");
  if (origin === null || !allowsOrigin(cors, origin)) return NO_LEAVE;
  const set = ["access-control-allow-origin", origin];
  if (cors.allowCredentials) set.push("access-control-allow-credentials", "true");
  // With credentials "*" would stand for a header of that name.
  const exposed = cors.allowCredentials ? cors.exposeHeaders.filter((name) => name !== "*") : cors.exposeHeaders;
  if (exposed.length > 0) set.push("access-control-expose-headers", exposed.join(", "));
  return { set, add: ["vary", "Origin"], remove: [] };
}

const NO_LEAVE: HeaderEdit = { set: [], add: ["vary", "Origin"], remove: [] };

/** Scheme and host without regard to case; a port that is the scheme's own may be said or not. */
export function allowsOrigin({ allowOrigins }: Cors, origin: string): boolean {
  const text = withoutDefaultPort(origin.toLowerCase());
  for (const allowed of allowOrigins) {
    if (allowed === "*") return true;
    const wanted = withoutDefaultPort(allowed);
    if (wanted.includes("*") ? isLike(text, wanted) : wanted === text) return true;
  }
  return false;
}

function withoutDefaultPort(origin: string): string {
  return origin.replace(/^(http:\/\/.*):80$/, "$1").replace(/^(https:\/\/.*):443$/, "$1");
}

/** "*" takes any text without a colon or slash, so that neither scheme nor port is part of it. Linear in the text for each "*". */
function isLike(text: string, pattern: string): boolean {
  const [first = "", ...rest] = pattern.split("*");
  if (!text.startsWith(first)) return false;
  let at = first.length;
  for (let i = 0; i < rest.length; i++) {
    const part = rest[i] as string; // in range
    const isLast = i === rest.length - 1;
    const found = isLast ? text.length - part.length : text.indexOf(part, at);
    if (found < at || (isLast && !text.endsWith(part)) || /[:/]/.test(text.slice(at, found))) return false;
    at = found + part.length;
  }
  return true;
}

/** "*" is answered by what was asked for, which also holds with credentials. */
function pushList(fields: string[], name: string, list: readonly string[], asked: string | null): void {
  const value = list.includes("*") ? asked : list.join(", ");
  if (value !== null && value !== "") fields.push(name, value);
}
