/** What is measured, as data. A case is a shape of proxies (one hop, or a pair) under a load. */

/** What a client sends: closed-loop HTTP, open-loop HTTP at a fixed rate, or opaque bytes. */
export type Load =
  | {
    readonly kind: "http";
    readonly protocol: Protocol;
    readonly path: string;
    readonly clients: number;
    readonly streams: number;
  }
  | {
    readonly kind: "open";
    readonly protocol: Protocol;
    readonly path: string;
    readonly clients: number;
    readonly ratePerS: number;
  }
  | { readonly kind: "bulk"; readonly direction: "up" | "down" }
  | { readonly kind: "pingpong"; readonly clients: number; readonly bytes: number }
  | { readonly kind: "idle" };

export type Protocol = "h1" | "h2" | "opaque";
/** hop: TLS to the proxy, plaintext to the backend. pair: plaintext, proxy A, mutual TLS, proxy B, plaintext. */
export type Shape = "hop" | "pair";

export interface Case {
  readonly name: string;
  readonly shape: Shape;
  readonly load: Load;
  /** Unit of the rate. */
  readonly unit: "requests/s" | "GB/s" | "round trips/s" | "";
}

const HTTP: readonly { name: string; load: Load }[] = [
  { name: "h1-c1", load: http("h1", "/s", 1, 1) },
  { name: "h1-c32", load: http("h1", "/s", 32, 1) },
  { name: "h1-c256", load: http("h1", "/s", 256, 1) },
  { name: "h1-10k-c32", load: http("h1", "/10k", 32, 1) },
  { name: "h2-4x32", load: http("h2", "/s", 4, 32) },
  { name: "h2-10k-4x32", load: http("h2", "/10k", 4, 32) },
];

/** In the order they are run: memory first, while nothing else has touched the proxies. */
export const CASES: readonly Case[] = [
  { name: "idle", shape: "pair", load: { kind: "idle" }, unit: "" },
  {
    name: "pair-h1-1000rps",
    shape: "pair",
    load: { kind: "open", protocol: "h1", path: "/s", clients: 16, ratePerS: 1000 },
    unit: "requests/s",
  },
  ...HTTP.map(({ name, load }): Case => ({ name: `hop-${name}`, shape: "hop", load, unit: "requests/s" })),
  ...HTTP.map(({ name, load }): Case => ({ name: `pair-${name}`, shape: "pair", load, unit: "requests/s" })),
  {
    name: "pair-h1-open",
    shape: "pair",
    load: { kind: "open", protocol: "h1", path: "/s", clients: 16, ratePerS: 2000 },
    unit: "requests/s",
  },
  {
    name: "pair-h2-open",
    shape: "pair",
    load: { kind: "open", protocol: "h2", path: "/s", clients: 4, ratePerS: 2000 },
    unit: "requests/s",
  },
  { name: "pair-opaque", shape: "pair", load: { kind: "bulk", direction: "up" }, unit: "GB/s" },
  { name: "pair-opaque-down", shape: "pair", load: { kind: "bulk", direction: "down" }, unit: "GB/s" },
  {
    name: "pair-opaque-small",
    shape: "pair",
    load: { kind: "pingpong", clients: 32, bytes: 100 },
    unit: "round trips/s",
  },
];

/** The protocol a load speaks; idle has none and is asked of the HTTP processes. */
export function protocolOf(load: Load): Protocol {
  if (load.kind === "http" || load.kind === "open") return load.protocol;
  return load.kind === "idle" ? "h1" : "opaque";
}

function http(protocol: Protocol, path: string, clients: number, streams: number): Load {
  return { kind: "http", protocol, path, clients, streams };
}
