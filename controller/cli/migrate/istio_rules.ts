/** The rules of Istio's AuthorizationPolicy as values: who, which ports, which requests. What cannot be said makes them stricter. */
import { readPath, type RequestSet } from "./istio_paths.ts";
import { escapePattern } from "./istio_match.ts";
import type { Migration } from "./migration.ts";
import { networksOf } from "./networks.ts";
import type { Json, View } from "./view.ts";

/** Callers: everything that is given must hold; lists are alternatives. */
export interface Callers {
  /** Patterns of SPIFFE IDs; null: any caller. */
  readonly identities: readonly string[] | null;
  readonly accounts: readonly { readonly namespace: string; readonly name: string }[] | null;
  readonly networks: readonly { readonly cidr: string; readonly except: readonly string[] }[] | null;
  /** Of the namespaces, besides the identities. */
  readonly namespaces: readonly string[] | null;
}

export const ANYONE: Callers = { identities: null, accounts: null, networks: null, namespaces: null };

/** One alternative of a rule. */
export interface Clause {
  readonly callers: Callers;
  /** True: it is about all callers but these (a denial of the others). */
  readonly butThese: boolean;
  /** null: all ports. */
  readonly ports: readonly number[] | null;
  readonly notPorts: readonly number[];
  readonly requests: RequestSet;
  /** Requests left out, each a set by itself; only with requests that are everything. */
  readonly except: readonly RequestSet[];
}

const METHODS = new Set(["GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH"]);

/** Reads one rule into alternatives. */
export function readClauses(migration: Migration, rule: View, isDeny: boolean, namespace: string): Clause[] {
  const conditions = readWhen(rule, isDeny);
  if (conditions === null) return [];
  // An empty list is as good as none.
  const froms = rule.views("from").map((each) => inner(each, "source"));
  const tos = rule.views("to").map((each) => inner(each, "operation"));
  if (rule.done("stricter", "is not known") && !isDeny) return [];
  const clauses: Clause[] = [];
  for (const from of froms.length > 0 ? froms : [null]) {
    if (froms.length > 0 && isVoid(from)) {
      rule.say("stricter", "from", `found no source: it ${isDeny ? "denies everybody" : "admits nobody"}`);
      if (!isDeny) continue;
    }
    const who = readSource(migration, rule, from, conditions.source, isDeny, namespace);
    if (who === null) continue;
    for (const to of tos.length > 0 ? tos : [null]) {
      if (tos.length > 0 && isVoid(to)) {
        rule.say(
          "stricter",
          "to",
          `found no operation: it ${isDeny ? "denies" : "admits"} ${isDeny ? "all" : "nothing"}`,
        );
        if (!isDeny) continue;
      }
      for (const operation of readOperation(to, isDeny)) {
        const ports = both(operation.ports, conditions.ports);
        for (const headers of conditions.headers) {
          clauses.push({ ...who, ...operation, ports, requests: { ...operation.requests, headers } });
        }
      }
    }
  }
  return clauses;
}

function inner(view: View, key: string): View | null {
  const found = view.view(key);
  view.done("stricter", "is not known");
  return found;
}

/** Says nothing: has no key, or empty lists alone. */
function isVoid(view: View | null): boolean {
  return view === null || view.keys().every((key) => isEmpty(view.raw(key)));
}

function isEmpty(value: unknown): boolean {
  return value === undefined || (Array.isArray(value) && value.length === 0);
}

/** What a condition that cannot be said means. @returns false where the clause must go */
function inexact(view: View, key: string, isDeny: boolean, what: string): boolean {
  view.raw(key);
  view.say(
    "stricter",
    key,
    isDeny ? `${what}: the denial holds without that condition` : `${what}: what the rule admitted is not admitted`,
  );
  return isDeny;
}

interface Who {
  readonly callers: Callers;
  readonly butThese: boolean;
}

type SourceTexts = Readonly<Record<"principals" | "namespaces" | "ipBlocks", readonly string[]>>;

const NEGATIVE = ["notPrincipals", "notNamespaces", "notIpBlocks", "notServiceAccounts"];
const POSITIVE = ["principals", "namespaces", "ipBlocks", "serviceAccounts"];
const UNKNOWN = ["requestPrincipals", "notRequestPrincipals", "remoteIpBlocks", "notRemoteIpBlocks"];

function readSource(
  migration: Migration,
  rule: View,
  view: View | null,
  extra: SourceTexts,
  isDeny: boolean,
  namespace: string,
): Who | null {
  const none: SourceTexts = { principals: [], namespaces: [], ipBlocks: [] };
  if (view === null) return named(callersOf(migration, extra, [], [], rule), extra, isDeny);
  for (const key of UNKNOWN) {
    if (
      view.has(key) &&
      !inexact(
        view,
        key,
        isDeny,
        key.includes("equest") ? "tokens are not read" : "only the address of the connection is known",
      )
    ) return null;
  }
  const negatives = NEGATIVE.filter((key) => view.texts(key).length > 0);
  const hasPositive = POSITIVE.filter((key) => view.texts(key).length > 0).length > 0 ||
    Object.values(extra).some((list) => list.length > 0);
  const [onlyNegative] = negatives;
  if (view.done("stricter", "is not known") && !isDeny) return null;
  for (const [key, list] of Object.entries(extra)) {
    const isTwice = list.length > 0 && view.texts(key).length > 0;
    if (isTwice && !inexact(view, key, isDeny, `asked for by "when", too; both at once cannot be said`)) return null;
  }
  if (onlyNegative !== undefined && !hasPositive && negatives.length === 1) {
    const texts = view.texts(onlyNegative);
    if (onlyNegative === "notIpBlocks" && !isDeny) {
      return {
        callers: {
          ...ANYONE,
          networks: networksOf(["0.0.0.0/0", "::/0"], texts),
        },
        butThese: false,
      };
    }
    if (isDeny) {
      const key = { notPrincipals: "principals", notNamespaces: "namespaces", notIpBlocks: "ipBlocks" }[onlyNegative];
      const accounts = onlyNegative === "notServiceAccounts" ? readAccounts(texts, namespace) : [];
      return {
        callers: callersOf(migration, key === undefined ? none : { ...none, [key]: texts }, accounts, [], view),
        butThese: true,
      };
    }
  }
  const excluded: string[] = [];
  for (const key of negatives) {
    if (key === "notIpBlocks" && view.has("ipBlocks")) excluded.push(...view.texts(key));
    else if (!inexact(view, key, isDeny, "callers are named, not left out")) return null;
  }
  const texts = {
    principals: either(view.texts("principals"), extra.principals),
    namespaces: either(view.texts("namespaces"), extra.namespaces),
    ipBlocks: either(view.texts("ipBlocks"), extra.ipBlocks),
  };
  const accounts = view.has("serviceAccounts") ? readAccounts(view.texts("serviceAccounts"), namespace) : [];
  const callers = callersOf(migration, texts, accounts, excluded, view);
  return named(callers, texts, isDeny);
}

/** What could not be read is listed: an admission leaves it out, a denial must not. */
function named(callers: Callers, texts: SourceTexts, isDeny: boolean): Who | null {
  const isShort = (callers.identities?.length ?? 0) < texts.principals.length ||
    (callers.namespaces?.length ?? 0) < texts.namespaces.length;
  if (isShort && isDeny) return { callers: ANYONE, butThese: false };
  return callers.identities?.length === 0 || callers.namespaces?.length === 0 ? null : { callers, butThese: false };
}

/** Where both ask, a denial holds for the first alone: for more than both. */
function either(own: readonly string[], extra: readonly string[]): readonly string[] {
  return own.length > 0 ? own : extra;
}

function readAccounts(texts: readonly string[], namespace: string): { namespace: string; name: string }[] {
  return texts.map((text) => {
    const [first = "", second] = text.split("/");
    return second === undefined ? { namespace, name: first } : { namespace: first, name: second };
  });
}

/** A SPIFFE ID without its scheme, or the start of one that ends in "*". */
const IDENTITY = /^[a-z0-9._-]+(\/[a-zA-Z0-9._-]+)*\/([a-zA-Z0-9._-]+|[a-zA-Z0-9._-]*\*)$/;

function callersOf(
  { options: { trustDomain } }: Migration,
  texts: SourceTexts,
  accounts: readonly { namespace: string; name: string }[],
  except: readonly string[],
  view: View,
): Callers {
  const { principals, namespaces, ipBlocks } = texts;
  const spiffe = (text: string): string[] => {
    if (text === "*") return ["*"];
    // Istio's own word for the domain of the mesh, whatever that is; others are other meshes.
    const path = text.replace(/^cluster\.local(?=\/)/, trustDomain);
    if (!IDENTITY.test(path)) {
      view.say(
        "stricter",
        "principals",
        `${
          JSON.stringify(text)
        }: want <domain>/ns/<namespace>/sa/<account>, of which the end may be left open: it is left out`,
      );
      return [];
    }
    if (!path.startsWith(`${trustDomain}/`)) {
      const reason = `${text} is taken for an identity of another mesh, unless --trust-domain names its own`;
      view.say("note", "principals", reason);
    }
    return [`spiffe://${path}`];
  };
  const inNamespace = (text: string): string[] => {
    if (text === "*") return ["*"];
    if (!/^[a-z0-9-]+\*?$/.test(text)) {
      view.say(
        "stricter",
        "namespaces",
        `${JSON.stringify(text)}: only the end of a name may be left open; it is left out`,
      );
      return [];
    }
    return [`spiffe://${trustDomain}/ns/${text}${text.endsWith("*") ? "" : "/sa/*"}`];
  };
  return {
    identities: principals.length === 0 ? null : principals.flatMap(spiffe),
    accounts: accounts.length === 0 ? null : accounts,
    namespaces: namespaces.length === 0 ? null : namespaces.flatMap(inNamespace),
    networks: ipBlocks.length === 0 ? null : networksOf(ipBlocks, except),
  };
}

interface Operation {
  readonly ports: readonly number[] | null;
  readonly notPorts: readonly number[];
  readonly requests: RequestSet;
  readonly except: readonly RequestSet[];
}

const ANY: RequestSet = { method: null, path: null, host: null, headers: [] };

function readOperation(view: View | null, isDeny: boolean): Operation[] {
  if (view === null) return [{ ports: null, notPorts: [], requests: ANY, except: [] }];
  const ports = view.texts("ports").length > 0 ? view.texts("ports").map(Number) : null;
  const notPorts = view.texts("notPorts").map(Number);
  if ([...ports ?? [], ...notPorts].some((port) => !Number.isInteger(port))) {
    view.say(isDeny ? "wider" : "stricter", "ports", "found what is no number of a port: the rule is left out");
    return [];
  }
  const methods = view.texts("methods").filter((method) => METHODS.has(method) || method === "*");
  if (view.texts("methods").some((method) => !METHODS.has(method) && method !== "*")) {
    if (!inexact(view, "methods", isDeny, "a method that routes do not know")) return [];
    methods.length = 0;
  }
  const paths = view.texts("paths").map(readPath);
  const hosts = view.texts("hosts").map((host) => host.toLowerCase().replace(/:\*$/, ""));
  if (hosts.some((host) => host !== "*" && !/^(\*\.)?[a-z0-9-]+(\.[a-z0-9-]+)*$/.test(host))) {
    if (!inexact(view, "hosts", isDeny, "a host name with a port, or a * inside")) return [];
    hosts.length = 0;
  }
  if (view.has("notHosts") && !inexact(view, "notHosts", isDeny, "hosts are named, not left out")) return [];
  const except: RequestSet[] = [];
  const hasPositive = methods.length + paths.length + hosts.length > 0;
  for (const key of ["notPaths", "notMethods"]) {
    const texts = view.texts(key);
    if (texts.length === 0) continue;
    const isKnown = key === "notPaths" || texts.every((text) => METHODS.has(text));
    if (hasPositive || !isKnown || texts.includes("*") || (view.has("notPaths") && view.has("notMethods"))) {
      if (!inexact(view, key, isDeny, "requests are left out of all requests only, by path or by method")) return [];
    } else {except.push(...texts.map((text) =>
        key === "notPaths" ? { ...ANY, path: readPath(text) } : { ...ANY, method: text }
      ));}
  }
  if (view.done("stricter", "is not known") && !isDeny) return [];
  const out: Operation[] = [];
  for (const method of methods.length > 0 ? methods : [null]) {
    for (const path of paths.length > 0 ? paths : [null]) {
      for (const host of hosts.length > 0 ? hosts : [null]) {
        const requests = {
          method: method === "*" ? null : method,
          path,
          host: host === "*" ? null : host,
          headers: [],
        };
        out.push({ ports, notPorts, requests, except });
      }
    }
  }
  return out;
}

interface Conditions {
  readonly source: SourceTexts;
  readonly ports: readonly number[] | null;
  /** Alternatives of headers that must all be there. */
  readonly headers: readonly (readonly Json[])[];
}

const SOURCE_KEYS: Readonly<Record<string, keyof SourceTexts>> = {
  "source.principal": "principals",
  "source.namespace": "namespaces",
  "source.ip": "ipBlocks",
};

function readWhen(rule: View, isDeny: boolean): Conditions | null {
  const source: Record<keyof SourceTexts, string[]> = { principals: [], namespaces: [], ipBlocks: [] };
  let ports: readonly number[] | null = null;
  let headers: readonly (readonly Json[])[] = [[]];
  for (const view of rule.views("when")) {
    const key = view.text("key") ?? "";
    const values = view.texts("values");
    const header = /^request\.headers\[([^\]]+)\]$/.exec(key)?.[1] ?? null;
    const list = SOURCE_KEYS[key];
    const hasMore = view.has("notValues") || values.length === 0;
    if (hasMore) {
      if (!inexact(view, "notValues", isDeny, `${key} is asked for by values, not left out`)) return null;
    } else if (list !== undefined && source[list].length > 0) {
      if (!inexact(view, "key", isDeny, `${key} is asked for twice`)) return null;
    } else if (list !== undefined) source[list].push(...values);
    else if (key === "destination.port") ports = both(ports, values.map(Number));
    else if (header !== null) {
      headers = headers.flatMap((all) => values.map((value) => [...all, headerMatch(header, value)]));
    } else if (!inexact(view, "key", isDeny, `${key} is not known to a sidecar`)) return null;
    if (view.done("stricter", "is not known") && !isDeny) return null;
  }
  return { source, ports, headers };
}

function headerMatch(name: string, value: string): Json {
  if (!value.startsWith("*") && !value.endsWith("*")) return { name, value };
  const middle = escapePattern(value.replace(/^\*|\*$/g, ""));
  const pattern = `${value.startsWith("*") ? ".*" : ""}${middle}${value.length > 1 && value.endsWith("*") ? ".*" : ""}`;
  return { type: "RegularExpression", name, value: pattern };
}

function both(a: readonly number[] | null, b: readonly number[] | null): readonly number[] | null {
  return a === null ? b : b === null ? a : a.filter((port) => b.includes(port));
}
