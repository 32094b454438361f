/** What a decision costs with many routes and policies: conditions looked at, which unlike time can be counted. */
import { expect, test } from "bun:test";
import type { HttpMatch, PathMatch, ValueMatch } from "../model/http_match.ts";
import type { Authorization, InboundPolicy, InboundRoute } from "../model/inbound.ts";
import { type IpBlock, parseBlock } from "../model/ip.ts";
import { NO_RESOURCE } from "../model/resource.ts";
import { headerBlock } from "../wire/header_block.ts";
import { authorizeRequest, compileInbound } from "./policy/authorize.ts";
import { compileRoutes } from "./route/compile.ts";

const CLIENT = { ip: "10.1.2.3", identity: "spiffe://cluster.local/ns/shop/sa/front" };
const REQUESTS = 200;

/** Counts each look at a part of a match, and at a network. */
class Looks {
  count = 0;

  match(parts: Partial<HttpMatch>): HttpMatch {
    const whole: HttpMatch = { path: null, headers: [], query: [], method: "", ...parts };
    const look = <T>(value: T): T => {
      this.count++;
      return value;
    };
    return {
      get path() {
        return look(whole.path);
      },
      get headers() {
        return look(whole.headers);
      },
      get query() {
        return look(whole.query);
      },
      get method() {
        return look(whole.method);
      },
    };
  }

  /** Admits clients from 10.0.0.0/8, or others. */
  policy(name: string, holds: boolean): Authorization {
    const block = blockOf(holds ? "10.0.0.0/8" : "192.168.0.0/16");
    const count = () => this.count++;
    const network = {
      get block() {
        count();
        return block;
      },
      except: [],
    };
    return {
      policy: { ...NO_RESOURCE, kind: "AuthorizationPolicy", name },
      action: "allow",
      mode: "enforce",
      authentications: [{ kind: "networks", source: NO_RESOURCE, networks: [network] }],
    };
  }
}

function blockOf(cidr: string): IpBlock {
  const parsed = parseBlock(cidr, "");
  if (!parsed.ok) throw new Error(parsed.error);
  return parsed.value;
}

interface Request {
  readonly path?: string;
  readonly host?: string;
  readonly fields?: readonly string[];
}

/** A way in which routes differ, and a request for the one with that number. */
interface Shape {
  readonly match: (at: number) => Partial<HttpMatch>;
  readonly hostnames?: (at: number) => readonly string[];
  readonly request: (at: number) => Request;
}

const path = (kind: "exact" | "prefix", value: string): PathMatch => ({ kind, value, pattern: null });
const header = (value: string): ValueMatch => ({ kind: "exact", name: "x-tenant", value, pattern: null });

const SHAPES: Readonly<Record<string, Shape>> = {
  "exact paths": { match: (at) => ({ path: path("exact", `/p/${at}`) }), request: (at) => ({ path: `/p/${at}` }) },
  "prefixes": { match: (at) => ({ path: path("prefix", `/p/${at}`) }), request: (at) => ({ path: `/p/${at}/x` }) },
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

function build(shape: Shape, routes: number, policies: number) {
  const looks = new Looks();
  const all = Array.from({ length: routes }, (_, at): InboundRoute => ({
    ref: { ...NO_RESOURCE, kind: "HTTPRoute", name: `route-${at}` },
    hostnames: shape.hostnames?.(at) ?? [],
    matches: [looks.match(shape.match(at))],
    authorizations: [looks.policy(`own-${at}`, true)],
  }));
  const port = {
    port: 80,
    protocol: "detect",
    server: { ...NO_RESOURCE, kind: "Server", name: "web" },
    authorizations: Array.from({ length: policies }, (_, at) => looks.policy(`server-${at}`, false)),
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
  return { looks, port: compileInbound(policy, compileRoutes).port(80) };
}

/** Looks per request of a client that has made a request of each route before; no header block is seen twice. */
function looksPerRequest(shape: Shape, routes: number, policies: number): { cold: number; warm: number } {
  const { looks, port } = build(shape, routes, policies);
  const ask = (at: number) => {
    const { path = "/", host = "web", fields = [] } = shape.request(at);
    const start = { method: "GET", scheme: "http", authority: host, path, protocol: "", status: 0 };
    expect(authorizeRequest(port, CLIENT, headerBlock(start, fields)).route?.name).toBe(`route-${at}`);
  };
  ask(0); // compiles what is compiled late, and asks the Server's policies about the client
  looks.count = 0;
  ask(1);
  const cold = looks.count;
  const asked = Array.from({ length: REQUESTS }, (_, at) => (at * 7919) % routes);
  asked.forEach(ask);
  looks.count = 0;
  asked.forEach(ask);
  return { cold, warm: looks.count / REQUESTS };
}

test.each(Object.entries(SHAPES))(
  "a request looks at no more conditions among 1000 routes and 500 policies than among 10: %s",
  (_name, shape) => {
    const few = looksPerRequest(shape, 10, 10);
    const many = looksPerRequest(shape, 1000, 500);
    expect(many.warm).toBeLessThanOrEqual(few.warm);
    expect(many.cold).toBeLessThanOrEqual(few.cold);
    expect(few.warm).toBeLessThan(16);
  },
);
