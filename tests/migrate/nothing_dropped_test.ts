/**
 * No key of a foreign manifest is passed over in silence: without it the result is another, or the list names it. And what no
 * translator has heard of is named.
 */
import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { type Item, nameOf } from "../../controller/cli/migrate/migration.ts";
import { translate, type Translated } from "../../controller/cli/migrate/translate.ts";
import { parseObjects, type PlainObject } from "../../controller/kube/parse_objects.ts";

setDefaultTimeout(60_000);

type Path = readonly (string | number)[];

const CASES = join(import.meta.dir, "cases");
const FOREIGN = /^([a-z]+\.)*(linkerd|istio|smi-spec)\.io\//;
const OPTIONS = {
  trustDomain: "cluster.local",
  rootNamespace: "istio-system",
  faultsUntil: "2031-01-31T12:00:00Z",
};

/** Keys that may go unnoticed, and why. */
const SILENT: readonly (readonly [RegExp, string])[] = [
  [/\.(group|apiGroup)$/, "a kind has one group"],
  [/^spec\.matches\[\d+\]\.name$/, "of a group that is meant as a whole, a name for people"],
  [/\.http\[\d+\]\.(match\[\d+\]\.)?name$|\.routes\[\d+\]\.name$/, "a name for people"],
];

/** Of everything in a value. */
function* paths(value: unknown, path: Path): Generator<Path> {
  if (typeof value !== "object" || value === null) return;
  for (const [key, inner] of Object.entries(value)) {
    const own = [...path, Array.isArray(value) ? Number(key) : key];
    yield own;
    yield* paths(inner, own);
  }
}

function written(path: Path): string {
  return path.map((part, i) => {
    if (typeof part === "number") return `[${part}]`;
    if (!/^[A-Za-z_][\w-]*$/.test(part)) return `[${JSON.stringify(part)}]`;
    return i === 0 ? part : `.${part}`;
  }).join("");
}

/** The objects with one value changed; undefined takes it away. */
function changed(objects: readonly PlainObject[], at: number, path: Path, change: (old: unknown) => unknown) {
  const value = structuredClone(objects[at]?.value) as Record<string, unknown>;
  let parent: Record<string | number, unknown> = value;
  for (const part of path.slice(0, -1)) parent = parent[part] as typeof parent; // the path was found in it
  const last = path.at(-1) ?? "";
  const now = change(parent[last]);
  if (now !== undefined) parent[last] = now;
  else if (Array.isArray(parent)) parent.splice(Number(last), 1);
  else delete parent[last];
  return objects.map((object, i) => i === at ? { ...object, value } : object);
}

function shown({ outputs, items }: Translated): string {
  return JSON.stringify([outputs.map(({ value }) => value), items]);
}

function isMapping(value: unknown): boolean {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function valueAt(object: PlainObject, path: Path): unknown {
  return path.reduce((value, part) => (value as Record<string | number, unknown>)[part], object.value as unknown);
}

/** Another value: what is the default anyway may as well be missing. */
function other(old: unknown): unknown {
  if (typeof old === "number") return old + 1;
  if (typeof old === "boolean") return !old;
  return typeof old === "string" ? `${old}-other` : undefined;
}

/** Whether the list speaks of a key, or of what it is in. */
function names(items: readonly Item[], object: PlainObject, field: string): boolean {
  const { kind, metadata } = object.value as { kind: string; metadata: { name: string; namespace?: string } };
  const called = nameOf({ kind, namespace: metadata.namespace ?? "default", name: metadata.name });
  return items.some((item) => {
    if (item.object !== called) return false;
    if (item.field === "" || item.field === field) return true;
    if (item.effect === "note" && !item.reason.includes("left out")) return false;
    return field.startsWith(item.field) && /^[.[]/.test(field.slice(item.field.length));
  });
}

describe("no key is passed over", () => {
  const cases = readdirSync(CASES).filter((name) => /^[a-z]+\.yaml$/.test(name));

  test.each(cases)("each of %s changes the result, or is listed", (name) => {
    const { objects } = parseObjects(name, readFileSync(join(CASES, name), "utf8"));
    const whole = translate(objects, OPTIONS);
    const before = shown(whole);
    const silent = objects.flatMap((object, at) => {
      if (!FOREIGN.test(String(object.value["apiVersion"]))) return [];
      return [...paths({ spec: object.value["spec"] }, [])].filter((path) => {
        const field = written(path);
        if (typeof valueAt(object, path) === "object") return false; // as what is in it
        if (SILENT.some(([key]) => key.test(field)) || names(whole.items, object, field)) return false;
        // What nothing is written of must be listed, and then it is all there is to say.
        const isLeft = whole.outputs.every(({ origins }) => origins.every(({ line }) => line !== object.line));
        if (isLeft && whole.items.some(({ line }) => line === object.line)) return false;
        return [() => undefined, other].every((change) => {
          return shown(translate(changed(objects, at, path, change), OPTIONS)) === before;
        });
      }).map((path) => `${object.value["kind"]}:${object.line} ${written(path)}`);
    });
    expect(silent).toEqual([]);
  });

  test.each(cases)("a key that nobody knows is listed wherever it stands in %s", (name) => {
    const { objects } = parseObjects(name, readFileSync(join(CASES, name), "utf8"));
    const whole = translate(objects, OPTIONS);
    const before = shown(whole);
    const silent = objects.flatMap((object, at) => {
      if (!FOREIGN.test(String(object.value["apiVersion"]))) return [];
      return [...paths({ spec: object.value["spec"] }, [])].filter((path) => {
        const field = `${written(path)}.unheard-of`;
        if (names(whole.items, object, field)) return false;
        if (!isMapping(valueAt(object, path))) return false;
        const planted = changed(objects, at, path, (old) => ({ ...old as object, "unheard-of": "x" }));
        return shown(translate(planted, OPTIONS)) === before;
      }).map((path) => `${object.value["kind"]}:${object.line} ${written(path)}`);
    });
    expect(silent).toEqual([]);
  });
});
