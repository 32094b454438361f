/**
 * Tokens of sessions (Gateway API SessionPersistence): which endpoint a client was sent to first, and when. They hold for every
 * sidecar, and say nothing of addresses; whoever forges one only chooses an endpoint for itself.
 *
 *     1k2l3m4n5o6p.sxyz12      hash of the endpoint, "." and seconds since 1970, both to base 36
 */
import type { HeaderEdit } from "../../model/http_match.ts";
import type { RouteRule } from "../../model/outbound.ts";
import type { Session } from "../../model/route_plan.ts";
import type { HeaderBlock } from "../../wire/header_block.ts";
import { cookieOf } from "./cookie.ts";

/** Longest token that is looked at. */
const MAX_TOKEN = 64;

/** A token, read. */
export interface SessionToken {
  readonly endpoint: string;
  readonly sinceMs: number;
}

/** The name of an endpoint in tokens. @param key of the endpoint and its backend */
export function endpointName(backendKey: string, endpointKey: string): string {
  return Bun.hash(`${backendKey} ${endpointKey}`).toString(36);
}

/** The session that a request belongs to; null when it carries no token, or one whose time is over. */
export function tokenOf(session: Session, request: HeaderBlock, nowMs: number): SessionToken | null {
  const text = session.inHeader ? request.get(session.name) : cookieOf(request, session.name);
  if (text === null || text.length > MAX_TOKEN) return null;
  const dot = text.indexOf(".");
  const sinceMs = dot < 0 ? Number.NaN : Number.parseInt(text.slice(dot + 1), 36) * 1000;
  if (!(sinceMs >= 0)) return null;
  if (session.absoluteTimeoutMs > 0 && nowMs - sinceMs >= session.absoluteTimeoutMs) return null;
  return { endpoint: text.slice(0, dot), sinceMs };
}

/** What a response gets that begins a session. */
export function tokenEdit(session: Session, rule: RouteRule, endpoint: string, nowMs: number): HeaderEdit {
  const token = `${endpoint}.${Math.floor(nowMs / 1000).toString(36)}`;
  if (session.inHeader) return { set: [session.name, token], add: [], remove: [] };
  // Rounded up: 0 would have the client throw it away, and the token knows its time itself.
  const lifetime = session.permanent ? `; Max-Age=${Math.ceil(session.absoluteTimeoutMs / 1000)}` : "";
  const cookie = `${session.name}=${token}; Path=${cookiePath(rule)}; HttpOnly; SameSite=Lax${lifetime}`;
  return { set: [], add: ["set-cookie", cookie], remove: [] };
}

/** Rules with other endpoints have cookies of their own (RFC 6265 §5.1.4 matches whole path elements, as routes do). */
function cookiePath({ matches }: RouteRule): string {
  const path = matches.length === 1 ? matches[0]?.path ?? null : null;
  const value = path === null || path.kind === "regex" ? "" : path.value;
  return value === "" || /[;\x00-\x20\x7f]/.test(value) ? "/" : value;
}
