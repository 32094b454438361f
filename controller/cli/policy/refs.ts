/** How commands name objects, matches and callers for people. */
import { blockText, type InboundJudge } from "../../../src/proxy/explain.ts";

type Policy = InboundJudge["policy"];
type Port = Policy["ports"] extends ReadonlyMap<number, infer P> ? P : never;
export type Authorization = Port["authorizations"][number];
export type Route = Port["routes"][number];

interface Ref {
  readonly kind: string;
  readonly namespace: string;
  readonly name: string;
  readonly section: string;
}

/** "AuthorizationPolicy shop/front"; "default deny" for what no object says. */
export function refText({ kind, namespace, name, section }: Ref, withSection = false): string {
  const text = namespace === "" ? `${kind} ${name}` : `${kind} ${namespace}/${name}`;
  return withSection && section !== "" ? `${text} (${section})` : text;
}

/** "all of: spiffe://… or …; 10.0.0.0/8 but 10.9.0.0/16". */
export function callersText({ authentications }: Authorization): string {
  if (authentications.length === 0) return "everyone, with or without an identity";
  return authentications.map((authentication) => {
    if (authentication.kind === "mesh_tls") {
      return authentication.identities.map((id) => id === "*" ? "any mesh identity" : id).join(" or ");
    }
    return authentication.networks.map(({ block, except }) => {
      return `from ${blockText(block)}${except.length === 0 ? "" : ` but not ${except.map(blockText).join(", ")}`}`;
    }).join(" or ");
  }).join(", and ");
}

/** "GET /metrics", "/api/…", "host a.b"; "every request" for a route without conditions. */
export function routeText({ hostnames, matches }: Pick<Route, "hostnames" | "matches">): string {
  const host = hostnames.length === 0 ? "" : `host ${hostnames.join(" or ")} `;
  if (matches.length === 0) return `${host}every request`;
  return host + matches.map(({ method, path, headers, query }) => {
    const parts: string[] = [];
    if (method !== "") parts.push(method);
    if (path !== null) {
      parts.push(path.kind === "prefix" ? `${path.value}/…` : path.kind === "regex" ? `~${path.value}` : path.value);
    }
    for (const { name, value } of headers) parts.push(`${name}: ${value}`);
    for (const { name, value } of query) parts.push(`?${name}=${value}`);
    return parts.length === 0 ? "every request" : parts.join(" ");
  }).join(" or ");
}

/** Rows in columns, the last one as long as it is. */
export function columns(rows: readonly (readonly string[])[]): string {
  const widths: number[] = [];
  for (const row of rows) row.forEach((cell, i) => (widths[i] = Math.max(widths[i] ?? 0, cell.length)));
  return rows.map((row) =>
    row.map((cell, i) => i === row.length - 1 ? cell : cell.padEnd(widths[i] ?? 0)).join("  ").trimEnd() + "\n"
  ).join("");
}
