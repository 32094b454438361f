/** Filters of routes: messages of tulle/discovery/v1/discovery.proto → model. Field numbers are the proto's. */
import { toWire, toWirePath } from "../base/wire_text.ts";
import type { HeaderEdit } from "../model/http_match.ts";
import type { Backend } from "../model/outbound.ts";
import type {
  Cors,
  Mirror,
  PathEdit,
  Redirect,
  Rewrite,
  RoutePlan,
  Session,
  ShareFilters,
} from "../model/route_plan.ts";
import type { ProtoReader } from "../wire/protobuf/reader.ts";
import { type Check, nested } from "./check.ts";
import { readDurationMs, readEdit, readHostname } from "./decode_common.ts";

const REDIRECT_CODES: ReadonlySet<number> = new Set([301, 302, 303, 307, 308]);
/** RFC 9110 §5.6.2: names of headers, methods and cookies. */
const TOKEN = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/;
/** Characters that a path may not have on the wire, and those that would end it. */
const NOT_PATH = /[\x00-\x20?#\x7f]/;

/** A mirror whose backend is still a number. */
interface UnlinkedMirror {
  readonly index: number;
  readonly share: number;
}

/** Gathers the filters of a route while its other fields are read. */
export class PlanReader {
  #redirect: Redirect | null = null;
  #rewrite: Rewrite | null = null;
  readonly #mirrors: UnlinkedMirror[] = [];
  #cors: Cors | null = null;
  #session: Session | null = null;
  #isEmpty = true;

  /** Reads the field at hand; false when it is none of a plan. */
  read(r: ProtoReader, path: string, check: Check): boolean {
    if (r.field === 30) this.#redirect = nested(r, (m) => readRedirect(m, `${path}.redirect`, check));
    else if (r.field === 31) this.#rewrite = nested(r, (m) => readRewrite(m, `${path}.rewrite`, check));
    else if (r.field === 32) this.#mirrors.push(nested(r, (m) => readMirror(m, `${path}.mirrors`, check)));
    else if (r.field === 33) this.#cors = nested(r, (m) => readCors(m, `${path}.cors`, check));
    else if (r.field === 34) this.#session = nested(r, (m) => readSession(m, `${path}.session`, check));
    else return false;
    this.#isEmpty = false;
    return true;
  }

  /** @param matched the prefix that the route's requests match, "" for "/" */
  plan(backends: readonly Backend[], matched: string): RoutePlan | null {
    if (this.#isEmpty) return null;
    return {
      redirect: this.#redirect === null ? null : { ...this.#redirect, matched },
      rewrite: this.#rewrite === null ? null : { ...this.#rewrite, matched },
      mirrors: this.#mirrors.map((mirror) => linkMirror(mirror, backends)),
      cors: this.#cors,
      session: this.#session,
    };
  }
}

/** Gathers the filters of a weighted backend. */
export class ShareReader {
  #requestHeaders: HeaderEdit | null = null;
  #responseHeaders: HeaderEdit | null = null;
  #rewrite: Rewrite | null = null;
  readonly #mirrors: UnlinkedMirror[] = [];
  #isEmpty = true;

  /** Reads the field at hand; false when it is no filter. */
  read(r: ProtoReader, path: string, check: Check): boolean {
    if (r.field === 30) this.#requestHeaders = nested(r, (m) => readEdit(m, `${path}.request_headers`, check));
    else if (r.field === 31) this.#responseHeaders = nested(r, (m) => readEdit(m, `${path}.response_headers`, check));
    else if (r.field === 32) this.#rewrite = nested(r, (m) => readRewrite(m, `${path}.rewrite`, check));
    else if (r.field === 33) this.#mirrors.push(nested(r, (m) => readMirror(m, `${path}.mirrors`, check)));
    else return false;
    this.#isEmpty = false;
    return true;
  }

  filters(backends: readonly Backend[], matched: string): ShareFilters | null {
    if (this.#isEmpty) return null;
    return {
      requestHeaders: this.#requestHeaders,
      responseHeaders: this.#responseHeaders,
      rewrite: this.#rewrite === null ? null : { ...this.#rewrite, matched },
      mirrors: this.#mirrors.map((mirror) => linkMirror(mirror, backends)),
    };
  }
}

function linkMirror({ index, share }: UnlinkedMirror, backends: readonly Backend[]): Mirror {
  return { backend: backends[index] ?? null, share };
}

function readRedirect(r: ProtoReader, path: string, check: Check): Redirect {
  let status = 302;
  let scheme = "";
  let hostname = "";
  let port = 0;
  let edit: PathEdit | null = null;
  while (r.next()) {
    if (r.field === 1) status = r.number();
    else if (r.field === 2) scheme = r.text();
    else if (r.field === 3) hostname = readPreciseHost(r, `${path}.hostname`, check);
    else if (r.field === 4) port = check.range(`${path}.port`, r.number(), 0, 65_535);
    else if (r.field === 5) edit = nested(r, (m) => readPathEdit(m, `${path}.path`, check));
    else r.skip();
  }
  if (!REDIRECT_CODES.has(status)) check.fail(`${path}.status`, String(status), [...REDIRECT_CODES].join(", "));
  if (scheme !== "" && scheme !== "http" && scheme !== "https") {
    check.fail(`${path}.scheme`, JSON.stringify(scheme), "http or https");
  }
  return { status, scheme, hostname, port, path: edit, matched: "" };
}

function readRewrite(r: ProtoReader, path: string, check: Check): Rewrite {
  let hostname = "";
  let edit: PathEdit | null = null;
  while (r.next()) {
    if (r.field === 1) hostname = readPreciseHost(r, `${path}.hostname`, check);
    else if (r.field === 2) edit = nested(r, (m) => readPathEdit(m, `${path}.path`, check));
    else r.skip();
  }
  return { hostname, path: edit, matched: "" };
}

/** A host name without a wildcard; "" for none. */
function readPreciseHost(r: ProtoReader, path: string, check: Check): string {
  const host = readHostname(r, path, check);
  if (host.startsWith("*")) check.fail(path, JSON.stringify(host), "a host name without a wildcard");
  return host;
}

function readPathEdit(r: ProtoReader, path: string, check: Check): PathEdit {
  let edit: PathEdit = { kind: "full", value: "/" };
  while (r.next()) {
    if (r.field !== 1 && r.field !== 2) {
      r.skip();
      continue;
    }
    const kind = r.field === 1 ? "full" as const : "prefix" as const;
    const text = r.text();
    if ((text !== "" && !text.startsWith("/")) || NOT_PATH.test(text)) {
      check.fail(`${path}.${kind}`, JSON.stringify(text), 'a path that starts with "/" and has no query');
    }
    const value = toWirePath(text);
    edit = kind === "full" ? { kind, value: value === "" ? "/" : value } : { kind, value: value.replace(/\/+$/, "") };
  }
  return edit;
}

function readMirror(r: ProtoReader, path: string, check: Check): UnlinkedMirror {
  let index = 0;
  let numerator = 0;
  let denominator = 1;
  while (r.next()) {
    if (r.field === 1) index = r.number();
    else if (r.field === 2) numerator = r.number();
    else if (r.field === 3) denominator = r.number();
    else r.skip();
  }
  if (denominator === 0 || numerator > denominator) {
    check.fail(path, `${numerator} of ${denominator}`, "a share of at most all requests");
  }
  return { index, share: numerator / Math.max(1, denominator) };
}

function readCors(r: ProtoReader, path: string, check: Check): Cors {
  const allowOrigins: string[] = [];
  const allowMethods: string[] = [];
  const allowHeaders: string[] = [];
  const exposeHeaders: string[] = [];
  let allowCredentials = false;
  let maxAgeSeconds = 0;
  while (r.next()) {
    if (r.field === 1) allowOrigins.push(toWire(r.text()).toLowerCase());
    else if (r.field === 2) allowCredentials = r.number() !== 0;
    else if (r.field === 3) allowMethods.push(readToken(r, `${path}.allow_methods`, check));
    else if (r.field === 4) allowHeaders.push(readToken(r, `${path}.allow_headers`, check));
    else if (r.field === 5) exposeHeaders.push(readToken(r, `${path}.expose_headers`, check));
    else if (r.field === 6) maxAgeSeconds = r.number();
    else r.skip();
  }
  return { allowOrigins, allowCredentials, allowMethods, allowHeaders, exposeHeaders, maxAgeSeconds };
}

function readToken(r: ProtoReader, path: string, check: Check): string {
  const text = r.text();
  if (!TOKEN.test(text)) check.fail(path, JSON.stringify(text), "a token (RFC 9110 §5.6.2)");
  return text;
}

function readSession(r: ProtoReader, path: string, check: Check): Session {
  let name = "";
  let inHeader = false;
  let absoluteTimeoutMs = 0;
  let permanent = false;
  while (r.next()) {
    if (r.field === 1) name = readToken(r, `${path}.name`, check);
    else if (r.field === 2) inHeader = r.number() !== 0;
    else if (r.field === 3) {
      absoluteTimeoutMs = nested(r, (m) => readDurationMs(m, `${path}.absolute_timeout`, check));
    } else if (r.field === 4) permanent = r.number() !== 0;
    else r.skip();
  }
  if (name === "") check.fail(`${path}.name`, "nothing", "the name of a cookie or header");
  return { name: inHeader ? name.toLowerCase() : name, inHeader, absoluteTimeoutMs, permanent };
}
