/**
 * What has called this workload, as facts that policy is made of: who, how, which port, which request, with which verdict. No
 * header, no body, no query; of a path what looks like an identifier is left out. `tulle policy replay` asks them what a new
 * policy would change.
 *
 * A request whose header section was the connection's last costs two comparisons; one like it was before costs a pass over
 * its path and a look-up. Everything is bounded: what comes on top is counted together.
 */
import type { HeaderBlock } from "../../wire/header_block.ts";
import { decidedRequest } from "../exchange/extended_connect.ts";
import type { InboundClient } from "../inbound/inbound_client.ts";
import type { Verdict } from "../policy/verdict.ts";

/** Most distinct facts of a thread: some 300 KB. Facts that are older than a day make room. */
export const MAX_FLOWS = 1024;
/** Most distinct requests of one caller on one port; further ones count as the path OTHER_PATH. */
export const MAX_PATHS = 64;
/** Requests that a connection remembers, by the hash of method and template. */
const MAX_REMEMBERED = 64;
/** Longest path that is kept, and most of its segments. */
const MAX_PATH_LENGTH = 256;
const MAX_SEGMENTS = 12;
const STALE_MS = 24 * 3_600_000;
/** Stands for a segment that looks like an identifier. */
export const ANY_SEGMENT = "*";
/** Stands for all paths beyond what is kept. */
export const OTHER_PATH = "**";

/** One fact. */
export interface Flow {
  /** SPIFFE ID; "" without one. */
  readonly identity: string;
  readonly ip: string;
  /** Through a sidecar, by mutual TLS. */
  readonly tls: boolean;
  /** Of the workload. */
  readonly port: number;
  readonly protocol: "http" | "tcp";
  /** "" for connections. */
  readonly method: string;
  readonly authority: string;
  /** Without a query, ANY_SEGMENT for identifiers; "" for connections. */
  readonly path: string;
  readonly verdict: Verdict;
  count: number;
  /** Monotonic milliseconds. */
  lastMs: number;
}

/** A fact for JSON. */
export interface FlowFact extends Omit<Flow, "verdict" | "lastMs"> {
  readonly verdict: "permit" | "deny";
  /** "AuthorizationPolicy shop/front" or "default deny". */
  readonly policy: string;
  /** "HTTPRoute shop/metrics", or "". */
  readonly route: string;
  /** ISO 8601. */
  readonly lastSeen: string;
}

/** All facts of a thread. */
export interface FlowReport {
  readonly flows: readonly FlowFact[];
  /** Requests and connections of which no fact was kept. */
  readonly dropped: number;
}

/** What a connection remembers of its requests. */
export interface FlowMemo {
  block: HeaderBlock | null;
  flow: Flow | null;
  readonly byTemplate: Map<number, Flow>;
}

export class FlowTable {
  #dropped = 0;
  readonly #flows = new Map<string, Flow>();
  /** Distinct requests by caller and port. */
  readonly #paths = new Map<string, number>();

  get size(): number {
    return this.#flows.size;
  }

  /** A request was decided about. @param nowMs monotonic */
  request(client: InboundClient, request: HeaderBlock, verdict: Verdict, nowMs: number): void {
    const memo = client.flows ??= { block: null, flow: null, byTemplate: new Map() };
    let flow = memo.flow;
    if (flow === null || memo.block !== request || flow.verdict !== verdict) {
      flow = this.#find(client, memo, decidedRequest(request), verdict, nowMs);
      memo.block = request;
      memo.flow = flow;
      if (flow === null) return;
    }
    flow.count++;
    flow.lastMs = nowMs;
  }

  /** A connection was decided about whose bytes are not looked at. */
  connection(client: InboundClient, verdict: Verdict, nowMs: number): void {
    const flow = this.#take(client, "tcp", "", "", "", verdict, nowMs);
    if (flow === null) return;
    flow.count++;
    flow.lastMs = nowMs;
  }

  /** @param nowMs monotonic @param wallMs milliseconds since 1970 at that moment */
  report(nowMs: number, wallMs: number): FlowReport {
    const flows = [...this.#flows.values()].map(({ verdict, lastMs, ...fact }): FlowFact => ({
      ...fact,
      verdict: verdict.kind,
      policy: refText(verdict.policy),
      route: verdict.route === null ? "" : refText(verdict.route),
      lastSeen: new Date(wallMs - (nowMs - lastMs)).toISOString(),
    }));
    return { flows, dropped: this.#dropped };
  }

  #find(client: InboundClient, memo: FlowMemo, request: HeaderBlock, verdict: Verdict, nowMs: number): Flow | null {
    const { path, method, authority } = request;
    const hash = templateHash(path, method.length);
    const known = memo.byTemplate.get(hash);
    if (known !== undefined && known.verdict === verdict && known.method === method && known.authority === authority) {
      return known;
    }
    const flow = this.#take(client, "http", method, authority, pathTemplate(path), verdict, nowMs);
    if (flow !== null && (known !== undefined || memo.byTemplate.size < MAX_REMEMBERED)) {
      memo.byTemplate.set(hash, flow);
    }
    return flow;
  }

  #take(
    client: InboundClient,
    protocol: Flow["protocol"],
    method: string,
    authority: string,
    path: string,
    verdict: Verdict,
    nowMs: number,
  ): Flow | null {
    const { port, peer, isMesh } = client;
    const caller = `${peer.identity ?? ""} ${peer.ip} ${port}`;
    const decided = `${verdict.kind} ${verdict.policy.namespace}/${verdict.policy.name}`;
    const key = `${caller} ${protocol} ${method} ${authority} ${path} ${decided}`;
    const known = this.#flows.get(key);
    if (known !== undefined) {
      if (known.verdict === verdict) return known;
      // The same words of a newer policy: the fact goes on under them.
      const renewed = { ...known, verdict };
      this.#flows.set(key, renewed);
      return renewed;
    }
    const distinct = this.#paths.get(caller) ?? 0;
    if (path !== OTHER_PATH && distinct >= MAX_PATHS) {
      return this.#take(client, protocol, method, "", OTHER_PATH, verdict, nowMs);
    }
    if (this.#flows.size >= MAX_FLOWS && !this.#makeRoom(nowMs)) {
      this.#dropped++;
      return null;
    }
    this.#paths.set(caller, distinct + 1);
    const flow: Flow = {
      identity: peer.identity ?? "",
      ip: peer.ip,
      tls: isMesh,
      port,
      protocol,
      method,
      authority,
      path,
      verdict,
      count: 0,
      lastMs: nowMs,
    };
    this.#flows.set(key, flow);
    return flow;
  }

  #lastRoomMs = -Infinity;

  /** Forgets what is older than a day. A look takes a while, so there is one a minute. */
  #makeRoom(nowMs: number): boolean {
    if (nowMs - this.#lastRoomMs < 60_000) return false;
    this.#lastRoomMs = nowMs;
    for (const [key, { lastMs, identity, ip, port }] of this.#flows) {
      if (nowMs - lastMs < STALE_MS) continue;
      this.#flows.delete(key);
      const caller = `${identity} ${ip} ${port}`;
      const left = (this.#paths.get(caller) ?? 1) - 1;
      if (left <= 0) this.#paths.delete(caller);
      else this.#paths.set(caller, left);
    }
    return this.#flows.size < MAX_FLOWS;
  }
}

/** The path without its query; ANY_SEGMENT for numbers, UUIDs, hashes and other long or random segments. */
export function pathTemplate(path: string): string {
  const query = path.indexOf("?");
  const end = query < 0 ? path.length : query;
  if (end > MAX_PATH_LENGTH) return OTHER_PATH;
  const parts = path.slice(0, end).split("/");
  if (parts.length > MAX_SEGMENTS + 1) return OTHER_PATH;
  return parts.map((part) => segmentHash(part, 0, part.length) === IDENTIFIER ? ANY_SEGMENT : part).join("/");
}

/** Equal for paths of equal templates; different, but for one pair in four thousand millions, for others. */
export function templateHash(path: string, seed: number): number {
  let hash = seed;
  let start = 0;
  for (let i = 0; i <= path.length && i <= MAX_PATH_LENGTH; i++) {
    const isLast = i === path.length || path.charCodeAt(i) === 0x3f;
    if (!isLast && path.charCodeAt(i) !== 0x2f) continue;
    hash = Math.imul(hash ^ segmentHash(path, start, i), PRIME) + 1 | 0;
    start = i + 1;
    if (isLast) return hash;
  }
  return seed; // too long to be told apart
}

/** FNV-1a's. */
const PRIME = 0x01000193;
/** The hash of segments that look like identifiers. */
const IDENTIFIER = 0x2a;
/** Shortest run of hexadecimal digits that is taken for an identifier, and shortest mixture of letters and digits. */
const HEX_LENGTH = 8;
const MIXED_LENGTH = 24;

const DIGIT = 1, HEX = 2, OTHER = 4, DOT = 8, ESCAPE = 16;

/** What a character says of its segment. */
const CLASSES = Uint8Array.from({ length: 128 }, (_, code) => {
  const char = String.fromCharCode(code);
  if (/[0-9]/.test(char)) return DIGIT;
  if (/[a-f-]/i.test(char)) return HEX;
  if (char === "@" || char === "%") return ESCAPE;
  return char === "." ? DOT | OTHER : OTHER;
});

/** "v1" and "oauth2" are words; numbers, UUIDs, hashes, addresses and long mixtures of letters and digits are not. */
function segmentHash(text: string, from: number, to: number): number {
  let hash = 0x811c9dc5 | 0;
  let seen = 0;
  for (let i = from; i < to; i++) {
    const code = text.charCodeAt(i);
    seen |= code < 128 ? CLASSES[code] as number : OTHER; // in range
    hash = Math.imul(hash ^ code, PRIME);
  }
  const length = to - from;
  const isIdentifier = (seen & ESCAPE) !== 0 || seen === DIGIT ||
    ((seen & DIGIT) !== 0 &&
      ((seen & OTHER) === 0 ? length >= HEX_LENGTH : length >= MIXED_LENGTH && (seen & DOT) === 0));
  return isIdentifier ? IDENTIFIER : hash;
}

function refText({ kind, namespace, name }: { kind: string; namespace: string; name: string }): string {
  return namespace === "" ? `${kind} ${name}` : `${kind} ${namespace}/${name}`;
}
