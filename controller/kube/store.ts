/** The objects of the world by kind, namespace and name, whoever feeds it: files now, an API server elsewhere. */
import { keyOf, type Kind, type Resource, resourceKey, type ResourceOf } from "./resources.ts";

/** What readers of the world need. */
export interface ResourceSet {
  get<K extends Kind>(kind: K, namespace: string, name: string): ResourceOf<K> | null;
  /** All objects of a kind, by namespace and name. */
  list<K extends Kind>(kind: K): readonly ResourceOf<K>[];
}

/** Called after a change with the keys ("Service shop/web") of what is new, different or gone. Never empty. */
export type ChangeListener = (changed: ReadonlySet<string>) => void;

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
    const changed = new Set<string>();
    for (const key of removed) {
      const before = this.#byKey.get(key);
      if (before === undefined) continue;
      this.#byKey.delete(key);
      this.#byKind.get(before.kind)?.delete(key);
      this.#lists.delete(before.kind);
      changed.add(key);
    }
    for (const resource of upserts) {
      const key = keyOf(resource);
      const before = this.#byKey.get(key);
      if (before !== undefined && same(before, resource)) continue;
      this.#byKey.set(key, resource);
      const ofKind = this.#byKind.get(resource.kind);
      if (ofKind === undefined) this.#byKind.set(resource.kind, new Map([[key, resource]]));
      else ofKind.set(key, resource);
      this.#lists.delete(resource.kind);
      changed.add(key);
    }
    if (changed.size === 0) return;
    for (const listener of this.#listeners) listener(changed);
  }

  /** Makes the store hold exactly these objects. */
  replace(all: readonly Resource[]): void {
    const keep = new Set(all.map(keyOf));
    this.apply(all, [...this.#byKey.keys()].filter((key) => !keep.has(key)));
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

/** Decoded resources hold plain data in the decoder's order, so equal text is equal content. */
function same(a: Resource, b: Resource): boolean {
  return a === b || JSON.stringify(a) === JSON.stringify(b);
}
