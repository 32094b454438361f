/** Golden numbers per workload and route, from two looks at the sidecars' metrics. */
import { type Histogram, histogramOf, quantile } from "./histogram.ts";
import type { Sample } from "./prometheus_text.ts";

/** Metrics that are looked at; names as in Linkerd, so that its dashboards work too. */
const WANTED = new Set([
  "request_total",
  "response_total",
  "response_latency_ms_bucket",
  "tcp_open_total",
  "tcp_read_bytes_total",
  "tcp_write_bytes_total",
  "inbound_http_authz_deny_total",
  "inbound_tcp_authz_deny_total",
]);

/** One sidecar's metrics at one moment. */
export interface Scrape {
  /** "shop/front-0" */
  readonly key: string;
  /** "shop/front" */
  readonly workload: string;
  readonly samples: readonly Sample[];
}

/** A line of the table. */
export interface StatRow {
  /** Instance for inbound, workload for outbound rows. */
  readonly subject: string;
  readonly direction: "inbound" | "outbound";
  /** Service called, for outbound rows; "" otherwise. */
  readonly peer: string;
  /** Route or Server that matched, "" when none was named. */
  readonly route: string;
  readonly kind: "http" | "tcp";
  /** Per second: requests, or connections opened. */
  readonly rate: number;
  /** 0–1; null without responses. */
  readonly success: number | null;
  readonly p50Ms: number | null;
  readonly p95Ms: number | null;
  readonly p99Ms: number | null;
  /** Share of requests or connections over mutual TLS, 0–1; null without any. */
  readonly tls: number | null;
  /** Bytes per second, both directions, for tcp rows. */
  readonly bytesRate: number;
}

/** Whether the table is made of metrics of this name: what a scrape need not even split otherwise. */
export function isWanted(name: string): boolean {
  return WANTED.has(name);
}

interface Totals {
  requests: number;
  tlsRequests: number;
  responses: number;
  successes: number;
  opened: number;
  tlsOpened: number;
  /** Seen from the app's side only, where one cannot tell. */
  tlsUnknown: boolean;
  /** Bytes of the connections from a sidecar to endpoints, and those over mutual TLS. */
  wayOnBytes: number;
  wayOnTlsBytes: number;
  bytes: number;
  readonly buckets: Map<number, number>;
}

/** Keeps the previous look, so that each gives what happened since. */
export class MeshStats {
  #before = new Map<string, Totals>();
  #beforeAt = 0;

  /**
   * What happened since the last look (or ever, for the first).
   *
   * @param scrapes all sidecars that answered
   * @param nowMs monotonic milliseconds
   */
  look(scrapes: readonly Scrape[], nowMs: number): StatRow[] {
    const now = collect(scrapes);
    const seconds = this.#beforeAt === 0 ? 1 : Math.max(0.001, (nowMs - this.#beforeAt) / 1000);
    const rows: StatRow[] = [];
    for (const [key, totals] of now) {
      rows.push(...rowsOf(key, subtract(totals, this.#before.get(key)), totals, seconds));
    }
    this.#before = now;
    this.#beforeAt = nowMs;
    return withoutTransport(rows).sort(compareRows);
  }
}

/** Everything since the sidecars started. @param seconds time over which rates are spread */
export function totalRows(scrapes: readonly Scrape[], seconds: number): StatRow[] {
  const rows = [...collect(scrapes)].flatMap(([key, totals]) => rowsOf(key, totals, totals, seconds));
  return withoutTransport(rows).sort(compareRows);
}

function collect(scrapes: readonly Scrape[]): Map<string, Totals> {
  const out = new Map<string, Totals>();
  for (const { key, workload, samples } of scrapes) {
    for (const sample of samples) {
      if (!WANTED.has(sample.name)) continue;
      const { labels, value } = sample;
      const outbound = labels["direction"] === "outbound";
      if (!outbound && labels["direction"] !== "inbound") continue;
      const parts = [
        outbound ? workload : key,
        outbound ? "outbound" : "inbound",
        outbound ? peerOf(labels) : "",
        routeOf(labels),
      ];
      // Of the two connections that a sidecar has for each that it accepts, the accepted one is counted; whether the
      // way on is protected, the other one says.
      if (labels["peer"] === "dst") addWayOn(totalsFor(out, JSON.stringify(parts)), sample.name, labels, value);
      else add(totalsFor(out, JSON.stringify(parts)), sample.name, labels, value);
    }
  }
  return out;
}

function totalsFor(all: Map<string, Totals>, key: string): Totals {
  let totals = all.get(key);
  if (totals === undefined) {
    totals = emptyTotals();
    all.set(key, totals);
  }
  return totals;
}

function add(totals: Totals, name: string, labels: Readonly<Record<string, string>>, value: number): void {
  const tls = labels["tls"] === "true";
  switch (name) {
    case "request_total":
      totals.requests += value;
      if (tls) totals.tlsRequests += value;
      break;
    case "response_total":
      totals.responses += value;
      if (labels["classification"] === "success") totals.successes += value;
      break;
    case "response_latency_ms_bucket": {
      const bound = labels["le"] === "+Inf" ? Infinity : Number(labels["le"]);
      totals.buckets.set(bound, (totals.buckets.get(bound) ?? 0) + value);
      break;
    }
    case "tcp_open_total":
      totals.opened += value;
      if (tls) totals.tlsOpened += value;
      if (labels["tls"] === "loopback") totals.tlsUnknown = true;
      break;
    case "tcp_read_bytes_total":
    case "tcp_write_bytes_total":
      totals.bytes += value;
      break;
    default: // counted for others
  }
}

function addWayOn(totals: Totals, name: string, labels: Readonly<Record<string, string>>, value: number): void {
  if (name !== "tcp_read_bytes_total" && name !== "tcp_write_bytes_total") return;
  totals.wayOnBytes += value;
  if (labels["tls"] === "true") totals.wayOnTlsBytes += value;
}

function emptyTotals(): Totals {
  return {
    requests: 0,
    tlsRequests: 0,
    responses: 0,
    successes: 0,
    opened: 0,
    tlsOpened: 0,
    tlsUnknown: false,
    bytes: 0,
    wayOnBytes: 0,
    wayOnTlsBytes: 0,
    buckets: new Map(),
  };
}

/** A sidecar that was started again counts from zero: then all it has is new. */
function subtract(now: Totals, before: Totals | undefined): Totals {
  if (before === undefined || now.requests < before.requests || now.opened < before.opened) return now;
  const buckets = new Map<number, number>();
  for (const [bound, count] of now.buckets) buckets.set(bound, count - (before.buckets.get(bound) ?? 0));
  return {
    requests: now.requests - before.requests,
    tlsRequests: now.tlsRequests - before.tlsRequests,
    responses: now.responses - before.responses,
    successes: now.successes - before.successes,
    opened: now.opened - before.opened,
    tlsOpened: now.tlsOpened - before.tlsOpened,
    tlsUnknown: now.tlsUnknown,
    bytes: now.bytes - before.bytes,
    wayOnBytes: now.wayOnBytes - before.wayOnBytes,
    wayOnTlsBytes: now.wayOnTlsBytes - before.wayOnTlsBytes,
    buckets,
  };
}

function rowsOf(key: string, since: Totals, ever: Totals, seconds: number): StatRow[] {
  const [subject, direction, peer, route] = JSON.parse(key) as [string, "inbound" | "outbound", string, string]; // our own text
  const rows: StatRow[] = [];
  const common = { subject, direction, peer, route };
  if (ever.requests > 0 || ever.responses > 0) {
    const latency: Histogram = histogramOf(since.buckets);
    rows.push({
      ...common,
      kind: "http",
      rate: since.requests / seconds,
      success: since.responses > 0 ? since.successes / since.responses : null,
      p50Ms: quantile(latency, 0.5),
      p95Ms: quantile(latency, 0.95),
      p99Ms: quantile(latency, 0.99),
      tls: since.requests > 0 ? since.tlsRequests / since.requests : null,
      bytesRate: 0,
    });
  } else if (ever.opened > 0 && (since.opened > 0 || since.bytes > 0)) {
    rows.push({
      ...common,
      kind: "tcp",
      rate: since.opened / seconds,
      success: null,
      p50Ms: null,
      p95Ms: null,
      p99Ms: null,
      tls: tlsShare(ever),
      bytesRate: since.bytes / seconds,
    });
  }
  return rows;
}

/** Of an application's own connection nobody can say: there the way on counts, by bytes. */
function tlsShare(ever: Totals): number | null {
  if (ever.tlsUnknown) return ever.wayOnBytes === 0 ? null : ever.wayOnTlsBytes / ever.wayOnBytes;
  return ever.opened === 0 ? null : ever.tlsOpened / ever.opened;
}

/** Connections that carry requests are seen as requests: their own rows say nothing more. */
function withoutTransport(rows: readonly StatRow[]): StatRow[] {
  const place = (row: StatRow) => `${row.direction} ${row.subject} ${row.peer}`;
  const http = new Set(rows.filter((row) => row.kind === "http").map(place));
  return rows.filter((row) => row.kind === "http" || !http.has(place(row)));
}

/** The Service by name where the labels have it, else the authority, else the address. */
function peerOf(labels: Readonly<Record<string, string>>): string {
  return labels["dst_service"] ?? labels["parent_name"] ?? labels["authority"] ?? labels["target_addr"] ?? "";
}

function routeOf(labels: Readonly<Record<string, string>>): string {
  if (labels["route_kind"] === "Service" || labels["route_kind"] === "default") return ""; // no route: the Service itself
  return labels["route_name"] ?? "";
}

function compareRows(a: StatRow, b: StatRow): number {
  const key = (row: StatRow) => `${row.direction === "outbound" ? 0 : 1} ${row.subject} ${row.peer} ${row.route}`;
  return key(a) < key(b) ? -1 : 1;
}
