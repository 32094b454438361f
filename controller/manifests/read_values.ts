/** Values that somebody gave (a file, `--set`) → InstallValues. What nobody knows is refused with the nearest key. */
import { UsageError } from "../../src/base/error.ts";
import { suggest } from "../../src/base/suggest.ts";
import { type Field, type Fields, INSTALL_FIELDS } from "./fields.ts";
import type { InstallValues } from "./values.ts";

type Tree = Readonly<Record<string, unknown>>;

/**
 * @param base values where nothing is given
 * @param given a mapping with some of the keys of InstallValues
 * @param source where it was given, for messages
 * @throws UsageError that names the key, what was found and what is wanted
 */
export function mergeValues(base: InstallValues, given: unknown, source: string): InstallValues {
  return mergeGroup(INSTALL_FIELDS, base as unknown as Tree, given, "", source) as unknown as InstallValues; // checked
}

/**
 * One `key=value`, as `--set` takes it: keys of groups with dots (controllerResources.memoryLimit=2Gi), entries of mappings
 * likewise (sidecar.access-log=json).
 * @throws UsageError
 */
export function setValue(base: InstallValues, assignment: string): InstallValues {
  const source = "--set";
  const at = assignment.indexOf("=");
  if (at < 1) throw new UsageError(`${source} ${assignment}: want key=value, such as controllerReplicas=2`);
  const path = assignment.slice(0, at);
  const text = assignment.slice(at + 1);
  const next = /,([A-Za-z]+)[A-Za-z0-9.\-/]*=/.exec(text)?.[1];
  if (next !== undefined && next in INSTALL_FIELDS) {
    throw new UsageError(`${source} ${assignment}: one key at a time; give --set again for ${next}`);
  }
  return mergeValues(base, treeOf(INSTALL_FIELDS, path, path, text), source);
}

function treeOf(fields: Fields, path: string, rest: string, text: string): Tree {
  const dot = rest.indexOf(".");
  const head = dot < 0 ? rest : rest.slice(0, dot);
  const field = fields[head];
  if (field === undefined || dot < 0) return { [head]: field === undefined ? text : parseText(field, path, text) };
  const tail = rest.slice(dot + 1);
  if (field.kind === "group") return { [head]: treeOf(field.fields, path, tail, text) };
  if (field.kind === "texts") return { [head]: { [tail.replaceAll("\\.", ".")]: text } };
  throw new UsageError(`--set ${path}: ${head} has no keys of its own; want ${formOf(field)}`);
}

function parseText(field: Field, path: string, text: string): unknown {
  if (field.kind === "flag") return text === "true" ? true : text === "false" ? false : text;
  if (field.kind === "count") return /^\d{1,9}$/.test(text) ? Number(text) : text;
  if (field.kind === "text" || field.kind === "choice") return text;
  try {
    return JSON.parse(text);
  } catch {
    throw new UsageError(`--set ${path}: found ${JSON.stringify(text)}, want JSON of ${formOf(field)}`);
  }
}

function mergeGroup(fields: Fields, base: Tree, given: unknown, prefix: string, source: string): Tree {
  if (!isTree(given)) throw wrong(source, prefix, given, "a mapping");
  const merged: Record<string, unknown> = { ...base };
  for (const [key, value] of Object.entries(given)) {
    const path = prefix === "" ? key : `${prefix}.${key}`;
    const field = fields[key];
    if (field === undefined) {
      const near = suggest(key, Object.keys(fields));
      const hint = near === null ? `want one of ${Object.keys(fields).join(", ")}` : `did you mean ${near}?`;
      throw new UsageError(`${source}: nobody knows the value ${path}; ${hint}`);
    }
    merged[key] = field.kind === "group"
      ? mergeGroup(field.fields, base[key] as Tree, value, path, source) // a group in InstallValues, too
      : field.kind === "texts"
      ? { ...base[key] as Tree, ...checkTexts(value, path, source) }
      : checkValue(field, value, path, source);
  }
  return merged;
}

function checkTexts(value: unknown, path: string, source: string): Tree {
  if (!isTree(value)) throw wrong(source, path, value, "a mapping of texts");
  return Object.fromEntries(
    Object.entries(value).map(([key, text]) => {
      if (typeof text === "object") throw wrong(source, `${path}.${key}`, text, "a text");
      return [key, String(text)];
    }),
  );
}

function checkValue(field: Field, value: unknown, path: string, source: string): unknown {
  const good = field.kind === "flag"
    ? typeof value === "boolean"
    : field.kind === "count"
    ? Number.isInteger(value) && Number(value) >= field.least && Number(value) <= field.most
    : field.kind === "list"
    ? Array.isArray(value)
    : typeof value === "string" &&
      (field.kind === "choice" ? field.choices.includes(value) : field.kind === "text" && matches(field, value));
  if (!good) throw wrong(source, path, value, formOf(field));
  return value;
}

function matches({ pattern }: { readonly pattern: string }, value: string): boolean {
  return new RegExp(pattern).test(value);
}

function formOf(field: Field): string {
  switch (field.kind) {
    case "text":
      return field.form;
    case "choice":
      return field.choices.join(", ").replace(/, ([^,]*)$/, " or $1");
    case "count":
      return `a number ${field.least}–${field.most}`;
    case "flag":
      return "true or false";
    case "list":
      return "a list";
    case "texts":
      return "a mapping of texts";
    case "group":
      return `a mapping with ${Object.keys(field.fields).join(", ")}`;
  }
}

function wrong(source: string, path: string, found: unknown, want: string): UsageError {
  const where = path === "" ? source : `${source}: ${path}`;
  return new UsageError(`${where}: found ${JSON.stringify(found)?.slice(0, 80)}, want ${want}`);
}

function isTree(value: unknown): value is Tree {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
