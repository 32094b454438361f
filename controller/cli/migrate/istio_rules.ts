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
  const froms = rule.has("from") ? rule.views("from").map((each) => each.view("source")) : [null];
  const tos = rule.has("to") ? rule.views("to").map((each) => each.view("operation")) : [null];
  if (rule.done("stricter", "is not known") && !isDeny) return [];
  const clauses: Clause[] = [];
  for (const from of froms) {
    if (rule.has("from") && isVoid(from)) {
      rule.say("stricter", "from", "found no source: it admits nobody");
      if (!isDeny) continue;
    }
    const who = readSource(migration, from, conditions.source, isDeny, namespace);
    if (who === null) continue;
    for (const to of tos) {
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

function isVoid(view: View | null): boolean {
  return view === null || view.keys().length === 0;
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
  view: View | null,
  extra: SourceTexts,
  isDeny: boolean,
  namespace: string,
): Who | null {
  const none: SourceTexts = { principals: [], namespaces: [], ipBlocks: [] };
  if (view === null) return { callers: callersOf(migration, extra, [], []), butThese: false };
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
  const negatives = NEGATIVE.filter((key) => view.has(key));
  const hasPositive = POSITIVE.some((key) => view.has(key)) || Object.values(extra).some((list) => list.length > 0);
  const [onlyNegative] = negatives;
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
    principals: [...view.texts("principals"), ...extra.principals],
    namespaces: [...view.texts("namespaces"), ...extra.namespaces],
    ipBlocks: [...view.texts("ipBlocks"), ...extra.ipBlocks],
  };
  const accounts = view.has("serviceAccounts") ? readAccounts(view.texts("serviceAccounts"), namespace) : [];
  if (view.done("stricter", "is not known") && !isDeny) return null;
  const callers = callersOf(migration, texts, accounts, excluded, view);
  const isShort = (callers.identities?.length ?? 0) < texts.principals.length ||
    (callers.namespaces?.length ?? 0) < texts.namespaces.length;
  // What could not be read is listed: an admission leaves it out, a denial must not.
  if (isShort && isDeny) return { callers: ANYONE, butThese: false };
  return callers.identities?.length === 0 || callers.namespaces?.length === 0 ? null : { callers, butThese: false };
}

function readAccounts(texts: readonly string[], namespace: string): { namespace: string; name: string }[] {
  return texts.map((text) => {
    const [first = "", second] = text.split("/");
    return second === undefined ? { namespace, name: first } : { namespace: first, name: second };
  });
}

function callersOf(
  { options: { trustDomain } }: Migration,
  texts: SourceTexts,
  accounts: readonly { namespace: string; name: string }[],
  except: readonly string[],
  view: View | null = null,
): Callers {
  const { principals, namespaces, ipBlocks } = texts;
  const spiffe = (text: string): string[] => {
    if (text === "*") return ["*"];
    const path = text.replace(/^[^/*]+/, trustDomain);
    if (!/^[^*]+\*?$/.test(text) || !text.includes("/")) {
      view?.say(
        "stricter",
        "principals",
        `${JSON.stringify(text)}: only the end of an identity may be left open; it is left out`,
      );
      return [];
    }
    return [`spiffe://${path}`];
  };
  const inNamespace = (text: string): string[] => {
    if (text === "*") return ["*"];
    if (!/^[a-z0-9-]+\*?$/.test(text)) {
      view?.say(
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
  const ports = view.has("ports") ? view.texts("ports").map(Number) : null;
  const notPorts = view.texts("notPorts").map(Number);
  const methods = view.texts("methods").filter((method) => METHODS.has(method) || method === "*");
  if (view.texts("methods").some((method) => !METHODS.has(method) && method !== "*")) {
    if (!inexact(view, "methods", isDeny, "a method that routes do not know")) return [];
    methods.length = 0;
  }
  const paths = view.texts("paths").map(readPath);
  const hosts = view.texts("hosts").map((host) => host.toLowerCase().replace(/:\*?\d*$/, ""));
  if (hosts.some((host) => host !== "*" && !/^(\*\.)?[a-z0-9-]+(\.[a-z0-9-]+)*$/.test(host))) {
    if (!inexact(view, "hosts", isDeny, "a host name with a * inside")) return [];
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
    if (view.has("notValues")) {
      if (!inexact(view, "notValues", isDeny, `${key} is asked for, not left out`)) return null;
    } else if (list !== undefined) source[list].push(...values);
    else if (key === "destination.port") ports = both(ports, values.map(Number));
    else if (header !== null) {
      headers = headers.flatMap((all) => values.map((value) => [...all, headerMatch(header, value)]));
    } else if (!inexact(view, "key", isDeny, `${key} is not known to a sidecar`)) return null;
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
