/**
 * Takes objects of an API server into the store. An object that cannot be read is reported, and its last good state stays in
 * force; of a route for clients the rules that can be read are taken. Changes that come close together are one for the store, since each makes a new world.
 */
import type { Finding } from "./_reader.ts";
import { isRoute } from "./_route_rest.ts";
import { decodeResource } from "./decode.ts";
import { formatPath, formatProblem, type Problem } from "./problem.ts";
import { type Kind, type Resource, resourceKey } from "./resources.ts";
import type { ResourceStore } from "./store.ts";

/** How long changes are gathered before they are applied, milliseconds: a rollout changes many pods and slices at once. */
export const GATHER_MS = 20;
/** The same while changes do not end: what is told in between is old at once, and costs each proxy that watches it. */
const BUSY_GATHER_MS = 100;
/** Most problems kept: enough to act on, and a bound for /config. */
const MAX_PROBLEMS = 1000;

/** An object of the API as it is needed here. */
export interface ApiObject {
  readonly metadata: { readonly namespace?: string; readonly name?: string };
}

export class ObjectSink {
  readonly #store: ResourceStore;
  readonly #onProblems: (problems: readonly string[]) => void;
  readonly #present = new Map<Kind, Set<string>>();
  /** Of lists that are under way. */
  readonly #listed = new Map<Kind, Set<string>>();
  readonly #upserts = new Map<string, Resource>();
  readonly #removed = new Set<string>();
  /** By object. */
  readonly #problems = new Map<string, readonly Problem[]>();
  #problemsChanged = false;
  #flushedAt = -Infinity;
  #timer: ReturnType<typeof setTimeout> | null = null;

  /** @param onProblems called after a change of them, with all there are, one line each */
  constructor(store: ResourceStore, onProblems: (problems: readonly string[]) => void) {
    this.#store = store;
    this.#onProblems = onProblems;
  }

  /** Of all objects. */
  allProblems(): Problem[] {
    return [...this.#problems.values()].flat();
  }

  /** Errors and warnings, one line each. */
  problems(severity: Problem["severity"]): string[] {
    return this.allProblems().filter((problem) => problem.severity === severity).map(formatProblem);
  }

  /** All objects of a kind follow, page by page, and then `listed`. */
  listing(kind: Kind): void {
    this.#listed.set(kind, new Set());
  }

  page(kind: Kind, objects: readonly ApiObject[]): void {
    const listed = this.#listed.get(kind);
    const present = this.#presentOf(kind);
    for (const object of objects) {
      const key = this.#take(kind, object);
      listed?.add(key);
      present.add(key); // a list that breaks off is made anew, and may not have it any more
    }
  }

  /** Those were all objects of a kind. */
  listed(kind: Kind): void {
    const now = this.#listed.get(kind) ?? new Set();
    const before = this.#presentOf(kind);
    this.#listed.delete(kind);
    this.#present.set(kind, now);
    for (const key of before) if (!now.has(key)) this.#drop(key);
    this.flush();
  }

  change(kind: Kind, object: ApiObject): void {
    this.#presentOf(kind).add(this.#take(kind, object));
    this.#schedule();
  }

  remove(kind: Kind, object: ApiObject): void {
    const key = resourceKey(kind, object.metadata.namespace ?? "", object.metadata.name ?? "");
    this.#present.get(kind)?.delete(key);
    this.#drop(key);
    this.#schedule();
  }

  /** Applies what has been gathered. */
  flush(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
    this.#flushedAt = performance.now();
    const upserts = [...this.#upserts.values()];
    const removed = [...this.#removed];
    this.#upserts.clear();
    this.#removed.clear();
    this.#store.apply(upserts, removed);
    if (!this.#problemsChanged) return;
    this.#problemsChanged = false;
    this.#onProblems([...this.problems("error"), ...this.problems("warning")]);
  }

  close(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
  }

  #presentOf(kind: Kind): Set<string> {
    let present = this.#present.get(kind);
    if (present === undefined) this.#present.set(kind, present = new Set());
    return present;
  }

  #take(kind: Kind, object: ApiObject): string {
    const key = resourceKey(kind, object.metadata.namespace ?? "", object.metadata.name ?? "");
    const { resource, rest, findings } = decodeResource(object);
    const isTaken = rest !== null && (rest.unreadable === undefined || this.#hasNoGood(kind, key, object));
    const found = resource ?? (isTaken ? rest : null);
    // Whoever reads the store tells of rules that are dropped.
    const isPart = found !== null && rest?.unreadable === undefined;
    this.#note(key, isPart ? findings.filter(({ severity }) => severity === "warning") : findings);
    if (found !== null) {
      this.#upserts.set(key, found);
      this.#removed.delete(key);
    }
    return key;
  }

  /** Whether there is no last good state of an object that could stay in force. */
  #hasNoGood(kind: Kind, key: string, { metadata: { namespace = "", name = "" } }: ApiObject): boolean {
    const known = this.#upserts.get(key) ?? (this.#removed.has(key) ? null : this.#store.get(kind, namespace, name));
    return known === null || isRoute(known) && known.unreadable !== undefined;
  }

  #drop(key: string): void {
    this.#upserts.delete(key);
    this.#removed.add(key);
    this.#note(key, []);
  }

  #note(key: string, findings: readonly Finding[]): void {
    if (findings.length === 0) {
      if (this.#problems.delete(key)) this.#problemsChanged = true;
      return;
    }
    if (this.#problems.size >= MAX_PROBLEMS && !this.#problems.has(key)) return;
    this.#problemsChanged = true;
    this.#problems.set(
      key,
      findings.map(({ severity, path, detail }) => {
        return { severity, file: "", line: 0, column: 0, path: formatPath(path), object: key, detail };
      }),
    );
  }

  #schedule(): void {
    if (this.#timer !== null) return;
    const isBusy = performance.now() - this.#flushedAt < BUSY_GATHER_MS;
    this.#timer = setTimeout(() => this.flush(), isBusy ? BUSY_GATHER_MS : GATHER_MS);
  }
}
