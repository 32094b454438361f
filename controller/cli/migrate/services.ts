/** Services as routes name them: host names to objects, and their ports. */
import { asMapping, type Migration, type Source, textMap } from "./migration.ts";

export interface ServicePort {
  readonly port: number;
  readonly name: string;
  readonly targetPort: number | string;
}

/** A Service that a host name means. `source` is null when it is not among the manifests. */
export interface NamedService {
  readonly namespace: string;
  readonly name: string;
  readonly source: Source | null;
}

/** "reviews", "reviews.shop", "reviews.shop.svc" or "reviews.shop.svc.cluster.local"; null for names of the outside. */
export function serviceOf(migration: Migration, host: string, namespace: string): NamedService | null {
  const match = /^([a-z0-9-]+)(?:\.([a-z0-9-]+)(?:\.svc(?:\.[a-z0-9.-]+)?)?)?$/.exec(host);
  if (match === null) return null;
  const where = match[2] ?? namespace;
  const name = match[1] ?? "";
  // "example.org" has the form of name.namespace.
  const source = migration.find("", "Service", where, name);
  const isInside = source !== null || match[2] === undefined || host.includes(".svc");
  return isInside ? { namespace: where, name, source } : null;
}

/** TCP ports of a Service, in order; empty when it is not known. */
export function portsOf({ source }: Pick<NamedService, "source">): ServicePort[] {
  const ports = asMapping(source?.value["spec"])["ports"];
  if (!Array.isArray(ports)) return [];
  return ports.map(asMapping).flatMap(({ port, name, targetPort, protocol = "TCP" }) => {
    if (typeof port !== "number" || protocol !== "TCP") return [];
    const target = typeof targetPort === "number" || typeof targetPort === "string" ? targetPort : port;
    return [{ port, name: typeof name === "string" ? name : "", targetPort: target }];
  });
}

/** Labels that a Service finds its pods by. */
export function selectorOf(source: Source): Record<string, string> {
  return textMap(asMapping(source.value["spec"])["selector"]);
}
