/** The ledger of a translation: what came in, what goes out and from where, and what could not be said in our kinds. */
import { type PlainObject } from "../../kube/parse_objects.ts";
import type { Json } from "./view.ts";

/**
 * What an item means for whoever migrates.
 *
 * - wider: without a step by hand more would be admitted than before
 * - stricter: less is admitted than before
 * - lost: a behaviour that is no matter of access is not carried over
 * - note: the meaning is kept in another way
 */
export type Effect = "wider" | "stricter" | "lost" | "note";

/** Something that is not the same afterwards. */
export interface Item {
  readonly effect: Effect;
  /** "VirtualService shop/reviews" */
  readonly object: string;
  readonly file: string;
  readonly line: number;
  /** "spec.http[0].fault"; empty when it is about the whole object. */
  readonly field: string;
  readonly reason: string;
}

/** An object as it came in. */
export interface Source {
  readonly value: Json;
  readonly kind: string;
  /** "" for the core group. */
  readonly group: string;
  readonly namespace: string;
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly file: string;
  readonly line: number;
}

export interface Output {
  readonly value: Json;
  readonly origins: readonly Source[];
}

export interface MigrationOptions {
  /** Trust domain of the mesh that will run, as in spiffe://cluster.local/ns/… */
  readonly trustDomain: string;
  /** Istio's root namespace: policies there hold everywhere. */
  readonly rootNamespace: string;
  /** When faults end, which Istio's never do; RFC 3339. */
  readonly faultsUntil: string;
}

/** Names an object for people. */
export function nameOf({ kind, namespace, name }: Pick<Source, "kind" | "namespace" | "name">): string {
  return namespace === "" ? `${kind} ${name}` : `${kind} ${namespace}/${name}`;
}

/** Groups of the other meshes. */
export const FOREIGN_GROUP = /(^|\.)(linkerd\.io|istio\.io|smi-spec\.io)$/;
const CLUSTER_KINDS = new Set(["Namespace", "Node", "ClusterRole", "ClusterRoleBinding", "CustomResourceDefinition"]);
/** Longest name of an object of Kubernetes that is also good as the name of a Service. */
const MAX_NAME = 63;

export class Migration {
  readonly options: MigrationOptions;
  readonly sources: readonly Source[];
  readonly items: Item[] = [];
  readonly #outputs = new Map<string, { value: Json; origins: Source[] }>();
  /** Copies of sources that are written with changes. */
  readonly #changed = new Map<Source, Json>();
  readonly #order: string[] = [];
  readonly #dropped = new Set<Source>();

  constructor(objects: readonly PlainObject[], options: MigrationOptions) {
    this.options = options;
    this.sources = objects.flatMap((object) => this.#source(object));
  }

  /** Objects of a kind, by the group that defines it. */
  list(group: string, kind: string): Source[] {
    return this.sources.filter((source) => source.group === group && source.kind === kind);
  }

  /** One object, or null when it is not among the manifests. */
  find(group: string, kind: string, namespace: string, name: string): Source | null {
    return this.list(group, kind).find((source) => source.namespace === namespace && source.name === name) ?? null;
  }

  say(effect: Effect, source: Source, field: string, reason: string): void {
    const { file, line } = source;
    const item: Item = { effect, object: nameOf(source), file, line, field, reason };
    if (!this.items.some((known) => sameItem(known, item))) this.items.push(item);
  }

  /** Puts an object out. One of the same kind and name gets another name. @returns its name */
  emit(origin: Source, value: Json): string {
    const metadata = value["metadata"] as { name: string; namespace?: string };
    let name = slug(metadata.name);
    for (let i = 2; this.#outputs.has(keyOf(value, name)); i++) {
      name = `${slug(metadata.name).slice(0, MAX_NAME - 4)}-${i}`;
    }
    const key = keyOf(value, name);
    value["metadata"] = { ...metadata, name };
    this.#outputs.set(key, { value, origins: [origin] });
    this.#order.push(key);
    return name;
  }

  /** A copy of a source that is put out in its place, to be changed freely. */
  changed(source: Source, because: Source = source): Json {
    let copy = this.#changed.get(source);
    const key = keyOf(source.value, source.name);
    if (copy === undefined) {
      copy = structuredClone(source.value) as Json;
      for (const gone of ["status"]) delete copy[gone];
      this.#changed.set(source, copy);
      this.#outputs.set(key, { value: copy, origins: [source] });
      this.#order.push(key);
    }
    const output = this.#outputs.get(key);
    if (output !== undefined && !output.origins.includes(because)) output.origins.push(because);
    return copy;
  }

  /** Objects of no other mesh that need no change, and were not left out. */
  unchanged(): Output[] {
    return this.sources.filter((source) => {
      const isTaken = this.#outputs.has(keyOf(source.value, source.name)) || this.#dropped.has(source);
      return !FOREIGN_GROUP.test(source.group) && !this.#changed.has(source) && !isTaken;
    }).map((source) => ({ value: source.value, origins: [source] }));
  }

  /** Leaves an output out again. */
  drop(value: Json): void {
    const found = [...this.#outputs].find(([, output]) => output.value === value);
    if (found === undefined) return;
    for (const origin of found[1].origins) this.#dropped.add(origin);
    this.#outputs.delete(found[0]);
    this.#order.splice(this.#order.indexOf(found[0]), 1);
  }

  outputs(): Output[] {
    return this.#order.map((key) => this.#outputs.get(key) as Output); // both are changed together
  }

  #source({ value, file, line }: PlainObject): Source[] {
    const metadata = asMapping(value["metadata"]);
    const apiVersion = value["apiVersion"];
    const { kind } = value;
    const name = metadata["name"] ?? metadata["generateName"];
    const complain = (field: string, reason: string) => {
      const object = typeof kind === "string" ? kind : "an object";
      this.items.push({ effect: "lost", object, file, line, field, reason });
      return [];
    };
    if (typeof kind !== "string" || typeof apiVersion !== "string") {
      return complain("", "found no kind and apiVersion as text: it is left out");
    }
    if (typeof name !== "string" || name === "") return complain("metadata.name", "found no name: it is left out");
    const said = typeof metadata["namespace"] === "string" ? metadata["namespace"] : "default";
    const group = apiVersion.includes("/") ? apiVersion.slice(0, apiVersion.indexOf("/")) : "";
    const namespace = CLUSTER_KINDS.has(kind) ? "" : said;
    return [{ value, kind, group, namespace, name, labels: textMap(metadata["labels"]), file, line }];
  }
}

function sameItem(a: Item, b: Item): boolean {
  return a.object === b.object && a.file === b.file && a.line === b.line && a.field === b.field &&
    a.reason === b.reason;
}

function keyOf(value: Json, name: string): string {
  const { namespace = "" } = asMapping(value["metadata"]);
  return `${value["apiVersion"]} ${value["kind"]} ${namespace} ${name}`;
}

/** A name that objects may have (RFC 1123), made of another. */
export function slug(text: string): string {
  const plain = text.toLowerCase().replace(/[^a-z0-9.-]+/g, "-").replace(/^[^a-z0-9]+|[^a-z0-9]+$/g, "");
  return (plain === "" ? "x" : plain).slice(0, MAX_NAME).replace(/[^a-z0-9]+$/, "");
}

/** A mapping, or an empty one for anything else. */
export function asMapping(value: unknown): Json {
  return typeof value === "object" && value !== null && !Array.isArray(value) ? value as Json : {}; // just checked
}

/** Entries whose values are text. */
export function textMap(value: unknown): Record<string, string> {
  return Object.fromEntries(
    Object.entries(asMapping(value)).filter((entry): entry is [string, string] => {
      return typeof entry[1] === "string";
    }),
  );
}

/** Whether labels meet matchLabels. */
export function meets(labels: Readonly<Record<string, string>>, wanted: Readonly<Record<string, string>>): boolean {
  return Object.entries(wanted).every(([key, value]) => labels[key] === value);
}
