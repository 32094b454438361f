/** Ports with many routes and policies, for tests and measurements of what a decision costs. */
import { compilePattern } from "../../base/pattern.ts";
import type { HttpMatch, PathMatch, ValueMatch } from "../../model/http_match.ts";
import type { Authorization, InboundPolicy, InboundRoute, Network } from "../../model/inbound.ts";
import { type IpBlock, parseBlock } from "../../model/ip.ts";
import { NO_RESOURCE } from "../../model/resource.ts";
import { type HeaderBlock, headerBlock } from "../../wire/header_block.ts";
import { compileInbound, type PortPolicy } from "../policy/authorize.ts";
import { compileRoutes } from "../route/compile.ts";

/** In the networks of each route's policy, and of none of the Server's. */
export const CLIENT = { ip: "10.1.2.3", identity: "spiffe://cluster.local/ns/shop/sa/front" };

/** What a policy is made of; may be told of each look at it. */
export interface Material {
  match(parts: Partial<HttpMatch>): HttpMatch;
  network(block: IpBlock): Network;
}

/** Material that tells nobody. */
export const PLAIN: Material = {
  match: (parts) => ({ path: null, headers: [], query: [], method: "", ...parts }),
  network: (block) => ({ block, except: [] }),
};

function blockOf(cidr: string): IpBlock {
  const parsed = parseBlock(cidr, "");
  if (!parsed.ok) throw new Error(parsed.error);
  return parsed.value;
}

/** The parts of a request that matter to a shape. */
interface Request {
  readonly path?: string;
  readonly host?: string;
  readonly fields?: readonly string[];
}

/** A way in which routes differ, and a request for the one with that number. */
export interface Shape {
  readonly match: (at: number) => Partial<HttpMatch>;
  readonly hostnames?: (at: number) => readonly string[];
  readonly request: (at: number) => Request;
}

const path = (kind: "exact" | "prefix", value: string): PathMatch => ({ kind, value, pattern: null });
const regex = (value: string): PathMatch => {
  const compiled = compilePattern(value, "");
  if (!compiled.ok) throw new Error(compiled.error);
  return { kind: "regex", value, pattern: compiled.value };
};
const header = (value: string): ValueMatch => ({ kind: "exact", name: "x-tenant", value, pattern: null });

/** Shapes by their names. */
export const SHAPES: Readonly<Record<string, Shape>> = {
  "exact paths": { match: (at) => ({ path: path("exact", `/p/${at}`) }), request: (at) => ({ path: `/p/${at}` }) },
  "prefixes": { match: (at) => ({ path: path("prefix", `/p/${at}`) }), request: (at) => ({ path: `/p/${at}/x` }) },
  "regular expressions": {
    match: (at) => ({ path: regex(`/p/${at}/[a-z]+`) }),
    request: (at) => ({ path: `/p/${at}/x` }),
  },
  "gRPC methods": {
    match: (at) => ({ path: path("exact", `/shop.S${at % 50}/M${at}`) }),
    request: (at) => ({ path: `/shop.S${at % 50}/M${at}` }),
  },
  "host names": {
    match: () => ({ path: path("prefix", "") }),
    hostnames: (at) => [`h${at}.shop`],
    request: (at) => ({ host: `h${at}.shop:80` }),
  },
  "wildcards": {
    match: () => ({ path: path("prefix", "") }),
    hostnames: (at) => [`*.h${at}.shop`],
    request: (at) => ({ host: `a.h${at}.shop` }),
  },
  "headers": {
    match: (at) => ({ headers: [header(`t${at}`)] }),
    request: (at) => ({ fields: ["x-tenant", `t${at}`] }),
  },
};

function policyOf(name: string, cidr: string, material: Material): Authorization {
  return {
    policy: { ...NO_RESOURCE, kind: "AuthorizationPolicy", name },
    action: "allow",
    mode: "enforce",
    authentications: [{ kind: "networks", source: NO_RESOURCE, networks: [material.network(blockOf(cidr))] }],
  };
}

/** A port with so many routes, each with a policy of its own that admits, and policies of the Server that do not. */
export function manyRoutes(shape: Shape, routes: number, policies: number, material: Material): PortPolicy {
  const all = Array.from({ length: routes }, (_, at): InboundRoute => ({
    ref: { ...NO_RESOURCE, kind: "HTTPRoute", name: `route-${at}` },
    hostnames: shape.hostnames?.(at) ?? [],
    matches: [material.match(shape.match(at))],
    authorizations: [policyOf(`own-${at}`, "10.0.0.0/8", material)],
  }));
  const port = {
    port: 80,
    protocol: "detect",
    server: { ...NO_RESOURCE, kind: "Server", name: "web" },
    authorizations: Array.from({ length: policies }, (_, at) => policyOf(`server-${at}`, "192.168.0.0/16", material)),
    routes: all,
    defaultPolicy: "deny",
    probePaths: [],
    rateLimit: null,
  } as const;
  const policy: InboundPolicy = {
    version: "1",
    workload: "shop/web-0",
    identity: CLIENT.identity,
    ports: new Map([[80, port]]),
    defaultPolicy: "deny",
    clusterNetworks: [],
    probeNetworks: [],
    zone: "",
  };
  return compileInbound(policy, compileRoutes).port(80);
}

/** The request for the route with that number; a new block each time. */
export function requestFor(shape: Shape, at: number): HeaderBlock {
  const { path = "/", host = "web", fields = [] } = shape.request(at);
  return headerBlock({ method: "GET", scheme: "http", authority: host, path, protocol: "", status: 0 }, fields);
}
