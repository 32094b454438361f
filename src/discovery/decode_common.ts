/** Parts that outbound and inbound resources share: tulle/discovery/v1/discovery.proto. Field numbers are the proto's. */
import { CONNECTION_HEADERS } from "../base/connection_headers.ts";
import type { HeaderEdit, HttpMatch, PathMatch, ValueMatch } from "../model/http_match.ts";
import type { Protocol } from "../model/outbound.ts";
import { compilePattern, type Pattern } from "../base/pattern.ts";
import { NO_RESOURCE, type ResourceRef } from "../model/resource.ts";
import { toWire, toWirePath } from "../base/wire_text.ts";
import type { ProtoReader } from "../wire/protobuf/reader.ts";
import { type Check, nested } from "./check.ts";

/** Longest duration that makes sense in a route; also keeps timers in range. */
const MAX_DURATION_MS = 24 * 3600 * 1000;
/** RFC 9110 §5.6.2. */
const TOKEN = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/;
const PROTOCOLS: readonly Protocol[] = ["detect", "http1", "http2", "grpc", "opaque"];

/** ResourceRef. */
export function readResource(r: ProtoReader): ResourceRef {
  let { group, kind, namespace, name, section } = NO_RESOURCE;
  while (r.next()) {
    if (r.field === 1) group = r.text();
    else if (r.field === 2) kind = r.text();
    else if (r.field === 3) namespace = r.text();
    else if (r.field === 4) name = r.text();
    else if (r.field === 5) section = r.text();
    else r.skip();
  }
  return { group, kind, namespace, name, section };
}

/** WorkloadRef, as "namespace/name"; "" when both are empty. */
export function readWorkload(r: ProtoReader): string {
  let namespace = "";
  let name = "";
  while (r.next()) {
    if (r.field === 1) namespace = r.text();
    else if (r.field === 2) name = r.text();
    else r.skip();
  }
  return namespace === "" && name === "" ? "" : `${namespace}/${name}`;
}

/** Protocol; a value from a newer controller counts as "detect": looking at the bytes is never wrong. */
export function protocolOf(value: number): Protocol {
  return PROTOCOLS[value] ?? "detect";
}

/** google.protobuf.Duration in milliseconds, refused where it is negative or too long. */
export function readDurationMs(r: ProtoReader, path: string, check: Check): number {
  return check.range(path, readSecondsMs(r), 0, MAX_DURATION_MS);
}

/** Seconds and nanoseconds, of google.protobuf's Timestamp or Duration, in milliseconds. */
export function readSecondsMs(r: ProtoReader): number {
  let seconds = 0;
  let nanos = 0;
  while (r.next()) {
    if (r.field === 1) seconds = r.signed();
    else if (r.field === 2) nanos = r.signed();
    else r.skip();
  }
  return seconds * 1000 + nanos / 1e6;
}

/** A port number; 0 is refused. */
export function readPort(r: ProtoReader, path: string, check: Check): number {
  return check.range(path, r.number(), 1, 65_535);
}

/** A host name of a route, in lower case. */
export function readHostname(r: ProtoReader, path: string, check: Check): string {
  const name = r.text();
  const lower = name.toLowerCase().replace(/\.$/, "");
  if (!/^(\*\.)?[a-z0-9_-]+(\.[a-z0-9_-]+)*$/.test(lower) && !/^\[[0-9a-f:.]+\]$/.test(lower)) {
    check.fail(path, JSON.stringify(name), `a host name, or "*." and a host name`);
  }
  return lower;
}

/** HttpMatch. */
export function readMatch(r: ProtoReader, path: string, check: Check): HttpMatch {
  let pathMatch: PathMatch | null = null;
  let method = "";
  const headers: ValueMatch[] = [];
  const query: ValueMatch[] = [];
  while (r.next()) {
    if (r.field === 1) pathMatch = nested(r, (m) => readPathMatch(m, `${path}.path`, check));
    else if (r.field === 2) {
      addFirst(
        headers,
        nested(r, (m) => readValueMatch(m, `${path}.headers[${headers.length}]`, check, true)),
      );
    } else if (r.field === 3) {
      addFirst(
        query,
        nested(r, (m) => readValueMatch(m, `${path}.query[${query.length}]`, check, false)),
      );
    } else if (r.field === 4) method = r.text();
    else r.skip();
  }
  if (method !== "") checkMethod(method, `${path}.method`, check);
  return { path: pathMatch, headers, query, method };
}

/** An HTTP method. */
export function readMethod(r: ProtoReader, path: string, check: Check): string {
  const method = r.text();
  checkMethod(method, path, check);
  return method;
}

function checkMethod(method: string, path: string, check: Check): void {
  if (!TOKEN.test(method)) check.fail(path, JSON.stringify(method), "an HTTP method");
}

/** HeaderEdit. */
export function readEdit(r: ProtoReader, path: string, check: Check): HeaderEdit {
  const set: string[] = [];
  const add: string[] = [];
  const remove: string[] = [];
  while (r.next()) {
    if (r.field === 1) nested(r, (m) => readHeader(m, `${path}.set[${set.length / 2}]`, check, set));
    else if (r.field === 2) nested(r, (m) => readHeader(m, `${path}.add[${add.length / 2}]`, check, add));
    else if (r.field === 3) remove.push(editableName(r.text(), `${path}.remove[${remove.length}]`, check));
    else r.skip();
  }
  return { set, add, remove };
}

/** The Gateway API: of several entries for the same name only the first counts. */
function addFirst(list: ValueMatch[], match: ValueMatch): void {
  if (!list.some((known) => known.name === match.name)) list.push(match);
}

function readPathMatch(r: ProtoReader, path: string, check: Check): PathMatch {
  let match: PathMatch = { kind: "prefix", value: "", pattern: null };
  while (r.next()) {
    if (r.field === 1) match = { kind: "exact", value: absolutePath(r.text(), `${path}.exact`, check), pattern: null };
    else if (r.field === 2) {
      const value = absolutePath(r.text(), `${path}.prefix`, check).replace(/\/+$/, "");
      match = { kind: "prefix", value, pattern: null };
    } else if (r.field === 3) {
      const value = r.text();
      match = { kind: "regex", value, pattern: patternOf(value, `${path}.regex`, check) };
    } else r.skip();
  }
  return match;
}

function readValueMatch(r: ProtoReader, path: string, check: Check, isHeader: boolean): ValueMatch {
  let name = "";
  let value = "";
  let pattern: Pattern | null = null;
  while (r.next()) {
    if (r.field === 1) name = r.text();
    else if (r.field === 2) {
      value = toWire(r.text());
      pattern = null;
    } else if (r.field === 3) {
      value = r.text();
      pattern = patternOf(value, `${path}.regex`, check);
    } else r.skip();
  }
  if (isHeader) name = fieldName(name, `${path}.name`, check);
  else if (name === "") check.fail(`${path}.name`, "nothing", "the name of a query parameter");
  return { kind: pattern === null ? "exact" : "regex", name: toWire(name), value, pattern };
}

function readHeader(r: ProtoReader, path: string, check: Check, into: string[]): void {
  let name = "";
  let value = "";
  while (r.next()) {
    if (r.field === 1) name = r.text();
    else if (r.field === 2) value = r.text();
    else r.skip();
  }
  // RFC 9110 §5.5: visible characters, inner spaces and tabs.
  if (/[\x00-\x08\x0a-\x1f\x7f]|^[ \t]|[ \t]$/.test(value)) {
    check.fail(`${path}.value`, JSON.stringify(value), "a field value without control characters and outer spaces");
  }
  into.push(editableName(name, `${path}.name`, check), toWire(value));
}

function editableName(name: string, path: string, check: Check): string {
  const lower = fieldName(name, path, check);
  if (CONNECTION_HEADERS.has(lower)) check.fail(path, JSON.stringify(name), "a field that does not frame the message");
  return lower;
}

/** A field name, in lower case. */
export function fieldName(name: string, path: string, check: Check): string {
  if (!TOKEN.test(name)) check.fail(path, JSON.stringify(name), "a field name (RFC 9110 §5.1)");
  return name.toLowerCase();
}

function absolutePath(value: string, path: string, check: Check): string {
  if (!value.startsWith("/") || value.includes("?")) {
    check.fail(path, JSON.stringify(value), 'a path that starts with "/" and has no query');
  }
  return toWirePath(value);
}

function patternOf(text: string, path: string, check: Check): Pattern | null {
  const compiled = compilePattern(text, path);
  return compiled.ok ? compiled.value : check.take<Pattern | null>(compiled, null);
}
