/** The objects of the world by kind, namespace and name, whoever feeds it: files now, an API server elsewhere. */
import { keyOf, type Kind, type Resource, resourceKey, type ResourceOf } from "./resources.ts";

/** What readers of the world need. */
export interface ResourceSet {
  get<K extends Kind>(kind: K, namespace: string, name: string): ResourceOf<K> | null;
  /** All objects of a kind, by namespace and name. */
  list<K extends Kind>(kind: K): readonly ResourceOf<K>[];
}

/** An object before and after a change; null where there was or is none. */
export interface Change {
  readonly before: Resource | null;
  readonly after: Resource | null;
}

/** Called after a change with what is new, different or gone, by key ("Service shop/web"). Never empty. */
export type ChangeListener = (changed: ReadonlyMap<string, Change>) => void;

/** Most changes that are made to a sorted list one by one; beyond that it is sorted anew. */
const MAX_PIECEMEAL = 64;

export class ResourceStore implements ResourceSet {
  readonly #byKey = new Map<string, Resource>();
  readonly #byKind = new Map<Kind, Map<string, Resource>>();
  readonly #lists = new Map<Kind, readonly Resource[]>();
  readonly #listeners = new Set<ChangeListener>();

  get<K extends Kind>(kind: K, namespace: string, name: string): ResourceOf<K> | null {
    return (this.#byKey.get(resourceKey(kind, namespace, name)) as ResourceOf<K> | undefined) ?? null; // the key holds the kind
  }

  list<K extends Kind>(kind: K): readonly ResourceOf<K>[] {
    let list = this.#lists.get(kind);
    if (list === undefined) {
      list = [...this.#byKind.get(kind)?.values() ?? []].sort(byName);
      this.#lists.set(kind, list);
    }
    return list as readonly ResourceOf<K>[]; // filtered by kind
  }

  /** Number of objects. */
  get size(): number {
    return this.#byKey.size;
  }

  /** Sets and removes objects, then tells the listeners once. Objects that are equal to what is there do not count. */
  apply(upserts: Iterable<Resource>, removed: Iterable<string>): void {
    const changed = new Map<string, Change>();
    for (const key of removed) {
      const before = this.#byKey.get(key);
      if (before === undefined) continue;
      this.#byKey.delete(key);
      this.#byKind.get(before.kind)?.delete(key);
      changed.set(key, { before, after: null });
    }
    for (const resource of upserts) {
      const key = keyOf(resource);
      const before = this.#byKey.get(key) ?? null;
      if (before !== null && same(before, resource)) continue;
      this.#byKey.set(key, resource);
      const ofKind = this.#byKind.get(resource.kind);
      if (ofKind === undefined) this.#byKind.set(resource.kind, new Map([[key, resource]]));
      else ofKind.set(key, resource);
      changed.set(key, { before: changed.get(key)?.before ?? before, after: resource });
    }
    if (changed.size === 0) return;
    this.#updateLists(changed);
    for (const listener of this.#listeners) listener(changed);
  }

  /** Makes the store hold exactly these objects. */
  replace(all: readonly Resource[]): void {
    const keep = new Set(all.map(keyOf));
    this.apply(all, [...this.#byKey.keys()].filter((key) => !keep.has(key)));
  }

  /** Lists that somebody has asked for stay sorted: to sort thousands of pods anew for each change would cost more than all else. */
  #updateLists(changed: ReadonlyMap<string, Change>): void {
    const changes = Map.groupBy(changed.values(), ({ before, after }) => (before ?? after)?.kind);
    for (const [kind, ofKind] of changes) {
      const list = kind === undefined ? undefined : this.#lists.get(kind);
      if (kind === undefined || list === undefined) continue;
      if (ofKind.length > MAX_PIECEMEAL) this.#lists.delete(kind);
      else this.#lists.set(kind, withChanges(list, ofKind));
    }
  }

  /** @returns how to stop listening */
  onChange(listener: ChangeListener): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }
}

/** Namespace, then name, by code unit: the same on every machine. */
export function byName(a: Resource, b: Resource): number {
  const left = `${a.meta.namespace}/${a.meta.name}`;
  const right = `${b.meta.namespace}/${b.meta.name}`;
  return left < right ? -1 : left > right ? 1 : 0;
}

/** A sorted list with some of its objects replaced, added or gone. */
function withChanges(list: readonly Resource[], changes: readonly Change[]): readonly Resource[] {
  const next = [...list];
  for (const { before, after } of changes) {
    const object = after ?? before;
    if (object === null) continue;
    const at = placeOf(next, object);
    if (after === null) next.splice(at, 1);
    else next.splice(at, before === null ? 0 : 1, after);
  }
  return next;
}

/** Index of the object of that name in a sorted list, or where it belongs. */
function placeOf(list: readonly Resource[], object: Resource): number {
  let low = 0;
  let high = list.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    const found = list[middle];
    if (found !== undefined && byName(found, object) < 0) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** Decoded resources hold plain data in the decoder's order, so equal text is equal content. */
function same(a: Resource, b: Resource): boolean {
  return a === b || JSON.stringify(a) === JSON.stringify(b);
}
