/**
 * Reads a foreign object key by key and remembers what was read, so that a key that no translator knows is listed rather than
 * passed over.
 */
import { describeFound } from "../../kube/problem.ts";
import type { Effect, Migration, Source } from "./migration.ts";

export type Json = Record<string, unknown>;

export class View {
  readonly path: string;
  readonly source: Source;
  readonly #ledger: Migration;
  readonly #value: Json;
  readonly #read = new Set<string>();

  constructor(ledger: Migration, source: Source, value: unknown, path: string) {
    this.#ledger = ledger;
    this.source = source;
    this.path = path;
    const isMapping = typeof value === "object" && value !== null && !Array.isArray(value);
    this.#value = isMapping ? value as Json : {}; // just checked
    if (!isMapping && value !== undefined && value !== null) this.say("lost", "", this.#want(value, "a mapping"));
  }

  /** The spec of an object. */
  static spec(ledger: Migration, source: Source): View {
    return new View(ledger, source, source.value["spec"], "spec");
  }

  say(effect: Effect, key: string, reason: string): void {
    this.#ledger.say(effect, this.source, key === "" ? this.path : this.at(key), reason);
  }

  at(key: string): string {
    if (this.path === "") return key;
    return /^[A-Za-z_][\w-]*$/.test(key) ? `${this.path}.${key}` : `${this.path}[${JSON.stringify(key)}]`;
  }

  has(key: string): boolean {
    return this.#value[key] !== undefined && this.#value[key] !== null;
  }

  keys(): string[] {
    return Object.keys(this.#value);
  }

  /** All of it as it stands; nothing counts as read. */
  plain(): Json {
    return this.#value;
  }

  raw(key: string): unknown {
    this.#read.add(key);
    return Object.hasOwn(this.#value, key) ? this.#value[key] ?? undefined : undefined;
  }

  text(key: string): string | null {
    const value = this.raw(key);
    if (typeof value === "string") return value;
    if (value !== undefined) this.say("lost", key, this.#want(value, "text"));
    return null;
  }

  number(key: string): number | null {
    const value = this.raw(key);
    if (typeof value === "number" && Number.isFinite(value)) return value;
    if (value !== undefined) this.say("lost", key, this.#want(value, "a number"));
    return null;
  }

  flag(key: string): boolean {
    const value = this.raw(key);
    if (value !== undefined && typeof value !== "boolean") this.say("lost", key, this.#want(value, "true or false"));
    return value === true;
  }

  /** @returns null when absent or no list */
  list(key: string): readonly unknown[] | null {
    const value = this.raw(key);
    if (Array.isArray(value)) return value;
    if (value !== undefined) this.say("lost", key, this.#want(value, "a list"));
    return null;
  }

  texts(key: string): string[] {
    return (this.list(key) ?? []).flatMap((item, i) => {
      if (typeof item === "string" || typeof item === "number") return [String(item)];
      this.say("lost", key, `entry ${i}: ${this.#want(item, "text")}`);
      return [];
    });
  }

  view(key: string): View | null {
    const value = this.raw(key);
    return value === undefined ? null : new View(this.#ledger, this.source, value, this.at(key));
  }

  views(key: string): View[] {
    return (this.list(key) ?? []).map((item, i) => new View(this.#ledger, this.source, item, `${this.at(key)}[${i}]`));
  }

  map(key: string): Record<string, string> {
    const view = this.view(key);
    if (view === null) return {};
    return Object.fromEntries(
      view.keys().flatMap((name) => {
        const value = view.raw(name);
        if (typeof value === "string" || typeof value === "number" || typeof value === "boolean") {
          return [[name, String(value)]];
        }
        view.say("lost", name, this.#want(value, "text"));
        return [];
      }),
    );
  }

  /** Keys that mean nothing to us, as they should. */
  skip(...keys: string[]): void {
    for (const key of keys) this.#read.add(key);
  }

  /** Lists every key that nobody has read. @returns whether there was one */
  done(effect: Effect, reason = "has no counterpart"): boolean {
    const rest = this.keys().filter((key) => !this.#read.has(key) && this.#value[key] !== null);
    for (const key of rest) this.say(effect, key, reason);
    return rest.length > 0;
  }

  #want(found: unknown, want: string): string {
    return `found ${describeFound(found)}, want ${want}: it is left out`;
  }
}
