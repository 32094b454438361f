/** The query of /tap. */
import type { AccessEntry } from "../telemetry/access_log.ts";

/** Events when the caller names no limit. */
const DEFAULT_TAP_LIMIT = 100;
/** Most events of one call: tap is for looking, not for recording. */
const MAX_TAP_LIMIT = 100_000;

/** Which events are wanted; what is null matches all. */
export interface TapQuery {
  readonly limit: number;
  readonly direction: "inbound" | "outbound" | null;
  readonly method: string | null;
  readonly authority: string | null;
  readonly pathPrefix: string | null;
  readonly peerId: string | null;
  readonly route: string | null;
  readonly minStatus: number;
}

const KEYS = ["limit", "direction", "method", "authority", "path", "peer", "route", "min-status"];

/** Reads the query. @returns what is wanted, or a text that says what is wrong */
export function parseTapQuery(params: URLSearchParams): TapQuery | string {
  for (const key of params.keys()) {
    if (!KEYS.includes(key)) return `${key}: unknown, want ${KEYS.join(", ")}`;
  }
  const limit = readNumber(params.get("limit"), DEFAULT_TAP_LIMIT, 1, MAX_TAP_LIMIT);
  if (limit === null) return `limit: found "${params.get("limit")}", want 1–${MAX_TAP_LIMIT}`;
  const minStatus = readNumber(params.get("min-status"), 0, 0, 599);
  if (minStatus === null) return `min-status: found "${params.get("min-status")}", want 0–599`;
  const direction = params.get("direction");
  if (direction !== null && direction !== "inbound" && direction !== "outbound") {
    return `direction: found "${direction}", want inbound or outbound`;
  }
  return {
    limit,
    direction,
    method: params.get("method"),
    authority: params.get("authority"),
    pathPrefix: params.get("path"),
    peerId: params.get("peer"),
    route: params.get("route"),
    minStatus,
  };
}

/** Whether an event is wanted. */
export function matchesTap(query: TapQuery, entry: AccessEntry): boolean {
  return (query.direction === null || entry.direction === query.direction) &&
    (query.method === null || entry.method === query.method) &&
    (query.authority === null || entry.authority === query.authority) &&
    (query.pathPrefix === null || entry.path.startsWith(query.pathPrefix)) &&
    (query.peerId === null || entry.peerId === query.peerId) &&
    (query.route === null || entry.route === query.route) &&
    entry.status >= query.minStatus;
}

function readNumber(text: string | null, fallback: number, min: number, max: number): number | null {
  if (text === null) return fallback;
  if (!/^\d{1,7}$/.test(text)) return null;
  const value = Number(text);
  return value >= min && value <= max ? value : null;
}
