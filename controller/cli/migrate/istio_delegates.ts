/** Rules of a VirtualService (networking.istio.io) that are handed on to another: written in its place. */
import { asMapping, type Migration, type Source } from "./migration.ts";
import { type Json, View } from "./view.ts";

const NETWORKING = "networking.istio.io";
/** What the delegate's rule takes from the rule that hands on, where it says nothing itself. */
const INHERITED = [
  "rewrite",
  "directResponse",
  "timeout",
  "retries",
  "fault",
  "mirror",
  "mirrorPercent",
  "mirror_percent",
  "mirrorPercentage",
  "mirrors",
  "corsPolicy",
  "headers",
];
/** Parts of a match of which a delegate's must lie within the other's. */
const TEXT_MATCHES = ["uri", "scheme", "method", "authority"];
const TEXT_FORMS = new Set(["exact", "prefix", "regex"]);
/** What no match of ours asks for: with it nothing is handed on. */
const UNSAID = ["withoutHeaders", "sourceLabels", "sourceNamespace", "scheme"];
const NAMED_MATCHES = ["headers", "queryParams", "withoutHeaders", "sourceLabels"];
const PLAIN_MATCHES = ["port", "sourceNamespace", "ignoreUriCase", "statPrefix", "gateways"];

/** Whether a VirtualService without hosts is a delegate of one among the manifests. */
export function isHandedTo(migration: Migration, source: Source): boolean {
  return migration.list(NETWORKING, "VirtualService").some((other) =>
    isOfMesh(asMapping(other.value["spec"])) && rulesOf(other).some((rule) => {
      const { name, namespace } = asMapping(rule["delegate"]);
      return name === source.name && (namespace ?? other.namespace) === source.namespace;
    })
  );
}

function isOfMesh({ hosts, gateways }: Json): boolean {
  return hosts !== undefined && (!Array.isArray(gateways) || gateways.length === 0 || gateways.includes("mesh"));
}

/**
 * The rules that a rule stands for: itself, or those of its delegate.
 *
 * @returns rules as they would have been written here; nothing, told, where there is no saying what they are: requests that
 *   were theirs meet the rules after
 */
export function delegated(migration: Migration, view: View): View[] {
  if (!view.has("delegate")) return [view];
  const delegate = view.view("delegate");
  const name = delegate?.text("name") ?? "";
  const namespace = delegate?.text("namespace") ?? view.source.namespace;
  delegate?.done("lost");
  const found = migration.find(NETWORKING, "VirtualService", namespace, name);
  if (found === null) {
    view.say("lost", "", `its delegate ${namespace}/${name} is not among the manifests, it is left out: give it, too`);
    return [];
  }
  const spec = View.spec(migration, found);
  if (spec.has("hosts")) {
    view.say("lost", "", `its delegate ${namespace}/${name} has hosts of its own, which is none: it is left out`);
    return [];
  }
  for (const key of ["tcp", "tls"]) {
    if (spec.has(key)) spec.say("lost", key, "of a delegate only the rules of HTTP hold");
  }
  const exportTo = spec.texts("exportTo");
  if (exportTo.length > 0) spec.say("note", "exportTo", "its rules are written where they are handed to");
  spec.skip("http", "tcp", "tls", "gateways");
  if (spec.has("gateways")) spec.say("lost", "gateways", "a delegate's gateways are those of what hands on");
  spec.done("lost");
  const root = view.plain();
  view.skip("name", "match", ...INHERITED);
  view.done("lost", "a rule that hands on has none");
  for (const match of view.has("match") ? view.views("match") : []) {
    for (const key of UNSAID.filter((each) => match.has(each))) {
      match.say("lost", key, `cannot be asked for: nothing of ${namespace}/${name} is written for this match`);
    }
  }
  view.say("note", "delegate", `the rules of VirtualService ${namespace}/${name} are written in`);
  return spec.views("http").flatMap((rule, i) => merged(migration, found, root, rule, i));
}

function merged(migration: Migration, source: Source, root: Json, rule: View, index: number): View[] {
  const own = rule.plain();
  if (rule.has("delegate")) {
    rule.say("lost", "", "a delegate did not hand on again: the rule is left out");
    return [];
  }
  const matches = within(listOf(root["match"]), listOf(own["match"]));
  if (matches === null) {
    rule.say("note", "", "it asks for what is not handed on: the rule never held, and is left out");
    return [];
  }
  const inherited = INHERITED.filter((key) => !rule.has(key) && root[key] !== undefined);
  const value = {
    ...own,
    ...Object.fromEntries(inherited.map((key) => [key, root[key]])),
    ...(matches.length === 0 ? {} : { match: matches }),
  };
  return [new View(migration, source, value, `spec.http[${index}]`)];
}

/** Each of the delegate's matches, joined with those that hand on to it. @returns null when one of them fits none */
function within(roots: readonly Json[], own: readonly Json[]): readonly Json[] | null {
  if (roots.length === 0 || own.length === 0) return roots.length === 0 ? own : roots;
  const joined = own.map((match) =>
    roots.filter((root) => fits(root, match)).map((root): Json => {
      const texts = TEXT_MATCHES.filter((key) => match[key] !== undefined).map((key) => {
        return [key, { ...unknownOf(root[key]), ...asMapping(match[key]) }];
      });
      const named = NAMED_MATCHES.filter((key) => root[key] !== undefined || match[key] !== undefined).map((key) => {
        return [key, { ...asMapping(root[key]), ...asMapping(match[key]) }];
      });
      return { ...root, ...match, ...Object.fromEntries([...texts, ...named]) };
    })
  );
  return joined.some((each) => each.length === 0) ? null : joined.flat();
}

/** What is no form of a text's match: whoever reads the match tells of it. */
function unknownOf(value: unknown): Json {
  return Object.fromEntries(Object.entries(asMapping(value)).filter(([key]) => !TEXT_FORMS.has(key)));
}

function fits(root: Json, match: Json): boolean {
  const isNarrower = TEXT_MATCHES.every((key) => textFits(root[key], match[key]));
  const isNamed = NAMED_MATCHES.every((key) => {
    const wanted = asMapping(root[key]);
    return Object.entries(asMapping(match[key])).every(([name, value]) =>
      !Object.hasOwn(wanted, name) ||
      (typeof value === "string" ? wanted[name] === value : textFits(wanted[name], value))
    );
  });
  const isSame = PLAIN_MATCHES.every((key) => {
    return root[key] === undefined || match[key] === undefined || sameValue(root[key], match[key]);
  });
  // Case counts for one of them: neither lies within the other.
  return isNarrower && isNamed && isSame && (root["ignoreUriCase"] === true) === (match["ignoreUriCase"] === true);
}

/** Whether what the second asks for lies within the first. */
function textFits(root: unknown, match: unknown): boolean {
  if (root === undefined || match === undefined) return true;
  const [outer, inner] = [asMapping(root), asMapping(match)];
  if (typeof outer["exact"] === "string") return outer["exact"] === inner["exact"];
  if (typeof outer["prefix"] !== "string") return false; // of patterns nobody knows
  const start = inner["exact"] ?? inner["prefix"];
  return typeof start === "string" && start.startsWith(outer["prefix"]);
}

function sameValue(a: unknown, b: unknown): boolean {
  return JSON.stringify(a) === JSON.stringify(b);
}

function rulesOf({ value }: Source): Json[] {
  return listOf(asMapping(value["spec"])["http"]);
}

function listOf(value: unknown): Json[] {
  return Array.isArray(value) ? value.map(asMapping) : [];
}
