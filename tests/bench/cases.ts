/** What is measured, as data. A case is a shape of proxies (one hop, or a pair) under a load. */

export type Protocol = "h1" | "h2" | "grpc" | "opaque";
/** hop: TLS to the proxy, plaintext to the backend. pair: plaintext, proxy A, mutual TLS, proxy B, plaintext. */
export type Shape = "hop" | "pair";
/** Cases of a group share one set of running proxies; the next group starts its own. */
export type Group = "memory" | "hop" | "pair" | "workers";

export type Load =
  /** Closed loop of h2load: each of `clients` connections keeps `streams` requests under way. */
  | {
    readonly kind: "http";
    readonly protocol: "h1" | "h2";
    readonly path: string;
    readonly clients: number;
    readonly streams: number;
  }
  /** Closed loop of our own: no two requests are alike, and gRPC (see load/closed_loop.ts for the modes). */
  | {
    readonly kind: "loop";
    readonly mode: "h1" | "h2" | "unary" | "server" | "bidi";
    readonly clients: number;
    readonly streams: number;
  }
  /** Open loop at a fixed rate, or at a share of what the slowest proxy did in another case. */
  | {
    readonly kind: "open";
    readonly protocol: "h1" | "h2";
    readonly path: string;
    readonly clients: number;
    readonly rate: number | { readonly share: number; readonly of: string };
  }
  /** A new connection for each exchange, `clients` at a time. */
  | { readonly kind: "connections"; readonly protocol: "h1" | "opaque"; readonly clients: number }
  | { readonly kind: "bulk"; readonly direction: "up" | "down" }
  | { readonly kind: "pingpong"; readonly clients: number; readonly bytes: number }
  /** Connections that do nothing. */
  | { readonly kind: "held"; readonly connections: number }
  | { readonly kind: "idle" }
  /** From exec of one more proxy until it serves. */
  | { readonly kind: "ready" };

export interface Case {
  readonly name: string;
  readonly shape: Shape;
  readonly group: Group;
  readonly load: Load;
  /** Unit of the rate. */
  readonly unit: "requests/s" | "messages/s" | "connections/s" | "GB/s" | "round trips/s" | "connections" | "";
  /** One line for readers. */
  readonly about: string;
  /** Part of a quick run. */
  readonly quick: boolean;
  /** Variants of proxies that take part besides those asked for. */
  readonly variants: readonly string[];
}

/** In the order they are run: memory first, while nothing else has touched the proxies. */
export const CASES: readonly Case[] = [
  pair("idle", { kind: "idle" }, "", "a minute after the start, no traffic", { group: "memory", quick: true }),
  pair("ready", { kind: "ready" }, "", "from exec until it serves; each start is a first one", { group: "memory" }),
  pair("pair-h1-1000rps", open("h1", 16, 1000), "requests/s", "1,000 requests/s for a minute: memory after it", {
    group: "memory",
    quick: true,
  }),
  pair("pair-idle-10000", { kind: "held", connections: 10_000 }, "connections", "10,000 idle keep-alive connections", {
    group: "memory",
  }),
  ...closed("hop", ["hop-h1-c32", "hop-h2-4x32"]),
  {
    ...pair("hop-h1-connections", { kind: "connections", protocol: "h1", clients: 16 }, "connections/s", ""),
    shape: "hop",
    group: "hop",
    about: "a full TLS 1.3 handshake for each request",
  },
  ...closed("pair", ["pair-h1-c1", "pair-h1-c32", "pair-h2-4x32", "pair-grpc-unary"]),
  pair("pair-grpc-server", loop("server", 4, 8), "messages/s", "calls that yield 500 messages of 100 bytes each"),
  pair("pair-grpc-bidi", loop("bidi", 4, 32), "messages/s", "128 open calls, one message under way in each"),
  pair("pair-h1-open-500", open("h1", 16, 500), "requests/s", "500 requests/s, evenly spaced"),
  pair("pair-h1-open", open("h1", 16, 2000), "requests/s", "2,000 requests/s, evenly spaced", {
    quick: true,
    variants: ["haproxy-h1", "envoy-h1"],
  }),
  pair("pair-h1-open-70", open("h1", 128, { share: 0.7, of: "pair-h1-c32" }), "requests/s", seventy("pair-h1-c32")),
  pair("pair-h2-open-500", open("h2", 4, 500), "requests/s", "500 requests/s, evenly spaced"),
  pair("pair-h2-open", open("h2", 4, 2000), "requests/s", "2,000 requests/s, evenly spaced"),
  pair("pair-h2-open-70", open("h2", 4, { share: 0.7, of: "pair-h2-4x32" }), "requests/s", seventy("pair-h2-4x32")),
  pair(
    "pair-h1-connections",
    connections("h1"),
    "connections/s",
    "a new client connection for each request, mesh warm",
  ),
  pair(
    "pair-opaque-connections",
    connections("opaque"),
    "connections/s",
    "new opaque connections: mutual TLS for each, unless the proxies multiplex",
  ),
  pair("pair-opaque", { kind: "bulk", direction: "up" }, "GB/s", "one TCP stream, client to server", { quick: true }),
  pair("pair-opaque-down", { kind: "bulk", direction: "down" }, "GB/s", "one TCP stream, server to client"),
  pair(
    "pair-opaque-small",
    { kind: "pingpong", clients: 32, bytes: 100 },
    "round trips/s",
    "100 bytes there and back",
    {
      quick: true,
    },
  ),
  ...[
    pair("pair-workers-idle", { kind: "idle" }, "", "what a second worker costs at rest"),
    pair("pair-workers-h1-c256", http("h1", "/s", 256, 1), "requests/s", "256 connections, one worker and two"),
    pair("pair-workers-h2-4x32", http("h2", "/s", 4, 32), "requests/s", "4 × 32 streams, one worker and two"),
  ].map((item): Case => ({
    ...item,
    group: "workers",
    variants: ["tulle-w2", "haproxy-w2", "nghttpx-w2", "envoy-w2"],
  })),
];

/** The protocol a load speaks; idle has none and is asked of the HTTP processes. */
export function protocolOf(load: Load): Protocol {
  switch (load.kind) {
    case "http":
    case "open":
    case "connections":
      return load.protocol;
    case "loop":
      return load.mode === "h1" || load.mode === "h2" ? load.mode : "grpc";
    case "bulk":
    case "pingpong":
      return "opaque";
    case "held":
    case "idle":
    case "ready":
      return "h1";
  }
}

/** Cases whose load is the same share a base: what client and backend do without a proxy. */
export function loadKey(item: Case): string {
  return JSON.stringify(item.load);
}

/** True when the load makes requests that a base without proxies can be compared with. */
export function hasBase(load: Load): boolean {
  return load.kind !== "idle" && load.kind !== "ready" && load.kind !== "held";
}

/** Closed loops that both shapes have. */
function closed(shape: Shape, quick: readonly string[]): Case[] {
  const all: [string, Load, string][] = [
    ["h1-c1", http("h1", "/s", 1, 1), "one connection, one request after the other: latency"],
    ["h1-c32", http("h1", "/s", 32, 1), "32 connections, 12 bytes"],
    ["h1-c256", http("h1", "/s", 256, 1), "256 connections, 12 bytes"],
    ["h1-10k-c32", http("h1", "/10k", 32, 1), "32 connections, 10 KiB"],
    ["h1-100k-c32", http("h1", "/100k", 32, 1), "32 connections, 100 KiB"],
    ["h1-distinct-c32", loop("h1", 32, 1), "32 connections, every path another"],
    ["h2-4x32", http("h2", "/s", 4, 32), "4 × 32 streams, 12 bytes"],
    ["h2-10k-4x32", http("h2", "/10k", 4, 32), "4 × 32 streams, 10 KiB"],
    ["h2-100k-4x32", http("h2", "/100k", 4, 32), "4 × 32 streams, 100 KiB"],
    ["h2-distinct-4x32", loop("h2", 4, 32), "4 × 32 streams, every path another"],
    ["grpc-unary", loop("unary", 4, 32), "4 × 32 gRPC calls, metadata of its own in each"],
  ];
  return all.map(([name, load, about]) => ({
    ...pair(`${shape}-${name}`, load, "requests/s", about),
    shape,
    group: shape,
    quick: quick.includes(`${shape}-${name}`),
    variants: shape === "pair" && name === "h1-c1" ? ["haproxy-h1", "envoy-h1"] : [],
  }));
}

function pair(name: string, load: Load, unit: Case["unit"], about: string, more: Partial<Case> = {}): Case {
  return { name, shape: "pair", group: "pair", load, unit, about, quick: false, variants: [], ...more };
}

function http(protocol: "h1" | "h2", path: string, clients: number, streams: number): Load {
  return { kind: "http", protocol, path, clients, streams };
}

function loop(mode: "h1" | "h2" | "unary" | "server" | "bidi", clients: number, streams: number): Load {
  return { kind: "loop", mode, clients, streams };
}

function open(protocol: "h1" | "h2", clients: number, rate: number | { share: number; of: string }): Load {
  return { kind: "open", protocol, path: "/s", clients, rate };
}

function connections(protocol: "h1" | "opaque"): Load {
  return { kind: "connections", protocol, clients: 16 };
}

function seventy(of: string): string {
  return `70 % of what the slowest did in ${of}, evenly spaced`;
}
