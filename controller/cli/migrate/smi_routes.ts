/** SMI's HTTPRouteGroup and TCPRoute (specs.smi-spec.io): the requests and ports that splits and targets speak of. */
import type { PathSpec, RequestSet } from "./istio_paths.ts";
import type { Migration, Source } from "./migration.ts";
import { type Json, View } from "./view.ts";

const SPECS = "specs.smi-spec.io";
const METHODS = new Set(["GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH"]);
/** A path that bytes of no request have: an HTTPRouteGroup never speaks of opaque connections. */
const ANY_PATH: PathSpec = { kind: "prefix", value: "/" };

/** The spec of an object; of the first versions, which had none, what stands beside its metadata. */
export function specOf(migration: Migration, source: Source): View {
  if (source.value["spec"] !== undefined) return View.spec(migration, source);
  const { apiVersion: _v, kind: _k, metadata: _m, status: _s, ...rest } = source.value;
  return new View(migration, source, rest, "");
}

/** One match of a group, read once. */
interface GroupMatch {
  readonly name: string;
  readonly view: View;
  /** Alternatives; empty, told, when it cannot be said. */
  readonly sets: readonly RequestSet[];
  isUsed: boolean;
}

/** Groups and TCPRoutes of the manifests, and which of them somebody asks for. */
export class SmiRoutes {
  readonly #migration: Migration;
  readonly #groups = new Map<Source, readonly GroupMatch[]>();
  readonly #ports = new Set<Source>();

  constructor(migration: Migration) {
    this.#migration = migration;
    for (const source of migration.list(SPECS, "HTTPRouteGroup")) {
      const spec = specOf(migration, source);
      this.#groups.set(source, spec.views("matches").map(readMatch));
      spec.done("stricter");
    }
  }

  /**
   * The requests that a reference to a group means.
   *
   * @param names of matches; empty: all of the group
   * @returns null when there is no such group
   */
  requests(namespace: string, group: string, names: readonly string[]): RequestSet[] | null {
    const source = this.#migration.find(SPECS, "HTTPRouteGroup", namespace, group);
    const matches = source === null ? undefined : this.#groups.get(source);
    if (matches === undefined) return null;
    const meant = matches.filter(({ name }) => names.length === 0 || names.includes(name));
    for (const match of meant) match.isUsed = true;
    return meant.flatMap(({ sets }) => sets);
  }

  /** Ports of a TCPRoute; "all", or null when there is no such route. */
  ports(namespace: string, name: string): readonly number[] | "all" | null {
    const source = this.#migration.find(SPECS, "TCPRoute", namespace, name);
    if (source === null) return null;
    this.#ports.add(source);
    const spec = specOf(this.#migration, source);
    const matches = spec.view("matches");
    const ports = matches?.texts("ports").map(Number) ?? [];
    if (matches?.has("name") === true) matches.say("note", "name", "a name for people: it is left out");
    matches?.skip("name");
    matches?.done("stricter");
    spec.done("stricter");
    return matches === null ? "all" : ports;
  }

  /** Lists what nobody asks for. */
  tellUnused(): void {
    const reason = "no target or split of the manifests asks for it: it is left out";
    for (const [source, matches] of this.#groups) {
      const isUsed = matches.some((match) => match.isUsed);
      if (!isUsed) this.#migration.say("note", source, "", reason);
      else for (const { view } of matches.filter((match) => !match.isUsed)) view.say("note", "", reason);
    }
    for (const source of this.#migration.list(SPECS, "TCPRoute")) {
      if (!this.#ports.has(source)) this.#migration.say("note", source, "", reason);
    }
  }
}

function readMatch(view: View): GroupMatch {
  const name = view.text("name") ?? "";
  const text = view.text("pathRegex");
  const methods = view.texts("methods");
  const headers = readHeaders(view);
  const isUnknown = view.done("stricter", "cannot be asked for: the match is left out");
  const group = { name, view, isUsed: false };
  const wrong = methods.find((method) => method !== "*" && !METHODS.has(method));
  if (wrong !== undefined) {
    view.say("stricter", "methods", `found ${JSON.stringify(wrong)}, want one of ${[...METHODS].join(", ")}`);
  }
  if (isUnknown) return { ...group, sets: [] };
  const path = text === null ? ANY_PATH : readPath(text);
  const alternatives = methods.length === 0 || methods.includes("*")
    ? [null]
    : methods.filter((each) => METHODS.has(each));
  return { ...group, sets: alternatives.map((method) => ({ method, path, host: null, headers })) };
}

/** A mapping; in earlier versions a list of them. */
function readHeaders(view: View): Json[] {
  const isList = Array.isArray(view.plain()["headers"]);
  const views = isList ? view.views("headers") : view.has("headers") ? [view.view("headers")] : [];
  return views.flatMap((each) =>
    (each?.keys() ?? []).flatMap((name): Json[] => {
      const value = each?.text(name) ?? null;
      // What is no text matches nothing, rather than everything.
      return [{ type: "RegularExpression", name, value: value ?? "[^\\s\\S]" }];
    })
  );
}

const LITERAL = /^\/[A-Za-z0-9/_~%-]*$/;

/** A pattern for the whole path; one that is plain text, or the start of it, as that: such paths can be compared. */
function readPath(text: string): PathSpec {
  const value = text.replace(/^\^/, "").replace(/(?<!\\)\$$/, "");
  if (value === ".*" || value === "/.*") return ANY_PATH;
  const start = value.endsWith(".*") ? value.slice(0, -2) : value;
  const plain = start.replaceAll("\\.", "").replaceAll("\\/", "/");
  if (!LITERAL.test(plain)) return { kind: "pattern", value };
  return { kind: value === start ? "exact" : "prefix", value: start.replaceAll("\\", "") };
}
