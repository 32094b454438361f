/** Decoder of `sessionPersistence` (Gateway API, experimental channel), and of durations in routes. */
import { DURATION_FORM, parseDuration } from "../../src/base/duration.ts";
import type { Session } from "../core/route_plan.ts";
import type { Reader } from "./_reader.ts";

/** Name of the cookie or header where a route does not say one. */
const DEFAULT_NAME = "tulle-session";
/** RFC 9110 §5.6.2: a cookie's name is a token, as a header's is. */
const TOKEN = /^[A-Za-z0-9!#$%&'*+\-.^_|~]+$/;

/** Reads `sessionPersistence`; a permanent cookie must say how long it lives. */
export function readSession(reader: Reader): Session {
  const type = reader.oneOf("type", ["Cookie", "Header"], "Cookie");
  const name = reader.textOr("sessionName", DEFAULT_NAME, "the name of a cookie or header", (text) => {
    return text.length <= 128 && TOKEN.test(text);
  });
  const cookie = reader.objectOr("cookieConfig");
  const lifetime = cookie?.oneOf("lifetimeType", ["Session", "Permanent"], "Session") ?? "Session";
  cookie?.done();
  const absoluteTimeoutMs = readDuration(reader, "absoluteTimeout");
  reader.ignore("idleTimeout"); // gone from the API
  reader.done();
  const permanent = lifetime === "Permanent";
  if (permanent && (absoluteTimeoutMs ?? 0) === 0) {
    reader.bad("absoluteTimeout", "a duration above 0s, because lifetimeType is Permanent");
  }
  return { name, inHeader: type === "Header", absoluteTimeoutMs, permanent };
}

/** A duration of the Gateway API in milliseconds; null when absent. */
export function readDuration(parent: Reader, key: string): number | null {
  const text = parent.textOr(key, null, DURATION_FORM, (value) => parseDuration(value) !== null);
  return text === null ? null : parseDuration(text);
}
