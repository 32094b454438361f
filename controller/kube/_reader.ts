/**
 * Reads a plain value (from YAML or JSON) key by key. A wrong value is recorded as a problem and replaced by a harmless
 * one, so that decoders read straight through and one pass finds every mistake; callers drop the object when there was an error.
 */
import { suggest } from "../../src/base/suggest.ts";
import { describeFound, type KeyPath } from "./problem.ts";

/** A problem without its place in a file. */
export interface Finding {
  readonly severity: "error" | "warning";
  readonly path: KeyPath;
  /** The problem is about the key itself, not its value. */
  readonly atKey: boolean;
  readonly detail: string;
}

/** Where findings go, and whether keys nobody knows are errors (our kinds) or warnings (Kubernetes' kinds). */
export interface Sink {
  readonly findings: Finding[];
  readonly unknownKeys: "error" | "warning";
}

/** Most findings kept of one object: beyond it a file is simply not what it claims to be. */
export const MAX_FINDINGS = 50;

export class Reader {
  readonly path: KeyPath;
  readonly sink: Sink;
  readonly #raw: Readonly<Record<string, unknown>>;
  readonly #known = new Set<string>();

  /** @param value anything; what is not a mapping is recorded and read as an empty one */
  constructor(value: unknown, path: KeyPath, sink: Sink) {
    this.path = path;
    this.sink = sink;
    if (isMapping(value)) {
      this.#raw = value;
    } else {
      this.#raw = {};
      if (value !== null && value !== undefined) this.fail(path, `found ${describeFound(value)}, want a mapping`);
      else this.fail(path, "found nothing, want a mapping");
    }
  }

  /** Records an error at a path. */
  fail(path: KeyPath, detail: string, atKey = false): void {
    if (this.sink.findings.length < MAX_FINDINGS) this.sink.findings.push({ severity: "error", path, atKey, detail });
  }

  /** Records a warning at a path. */
  warn(path: KeyPath, detail: string, atKey = false): void {
    if (this.sink.findings.length < MAX_FINDINGS) this.sink.findings.push({ severity: "warning", path, atKey, detail });
  }

  /** Records an error about the value of a key. */
  bad(key: string, want: string): void {
    const value = this.raw(key);
    if (value === undefined || value === null) this.fail([...this.path, key], `missing, want ${want}`);
    else this.fail([...this.path, key], `found ${describeFound(value)}, want ${want}`);
  }

  /** The value as it stands; marks the key as known. */
  raw(key: string): unknown {
    this.#known.add(key);
    return Object.hasOwn(this.#raw, key) ? this.#raw[key] : undefined;
  }

  /** True when the key has a value. */
  has(key: string): boolean {
    const value = this.raw(key);
    return value !== undefined && value !== null;
  }

  /** Keys that exist in the format but that we do not use. */
  ignore(...keys: string[]): void {
    for (const key of keys) this.#known.add(key);
  }

  /** Text that must be there. @param check returns what is wanted when the text is not it, or null */
  text(key: string, want: string, check?: (text: string) => boolean): string {
    const value = this.raw(key);
    if (typeof value === "string" && value !== "" && (check === undefined || check(value))) return value;
    const quote = typeof value === "number" || typeof value === "boolean" ? " (put it in quotes)" : "";
    this.bad(key, want + quote);
    return "";
  }

  /** Text or `fallback` when the key is absent. */
  textOr<T extends string | null>(
    key: string,
    fallback: T,
    want: string,
    check?: (text: string) => boolean,
  ): string | T {
    return this.has(key) ? this.text(key, want, check) : fallback;
  }

  /** One of a closed list; `fallback` when absent. */
  oneOf<T extends string>(key: string, values: readonly T[], fallback: T): T {
    const value = this.raw(key);
    if (value === undefined || value === null) return fallback;
    const found = values.find((candidate) => candidate === value);
    if (found !== undefined) return found;
    const near = typeof value === "string" ? suggest(value, values) : null;
    this.bad(key, `one of ${values.join(", ")}${near === null ? "" : `; did you mean ${near}?`}`);
    return fallback;
  }

  /** A whole number in a range. */
  int(key: string, min: number, max: number, what = "a number"): number {
    const value = this.raw(key);
    if (typeof value === "number" && Number.isInteger(value) && value >= min && value <= max) return value;
    this.bad(key, `${what} ${min}–${max}`);
    return min;
  }

  /** A whole number in a range, or `fallback` when absent. */
  intOr<T extends number | null>(key: string, fallback: T, min: number, max: number, what = "a number"): number | T {
    return this.has(key) ? this.int(key, min, max, what) : fallback;
  }

  /** true or false, or `fallback` when absent. */
  boolOr<T extends boolean | null>(key: string, fallback: T): boolean | T {
    const value = this.raw(key);
    if (value === undefined || value === null) return fallback;
    if (typeof value === "boolean") return value;
    this.bad(key, "true or false");
    return fallback;
  }

  /** A nested mapping that must be there. */
  object(key: string): Reader {
    const value = this.raw(key);
    if (value === undefined || value === null) {
      this.bad(key, "a mapping");
      return new Reader({}, [...this.path, key], this.sink);
    }
    return new Reader(value, [...this.path, key], this.sink);
  }

  /** A nested mapping, or null when absent. */
  objectOr(key: string): Reader | null {
    return this.has(key) ? this.object(key) : null;
  }

  /** A list of mappings; empty when absent. @param max most elements, as the kind's own definition limits them */
  objects<T>(key: string, max: number, read: (item: Reader, index: number) => T): T[] {
    return this.list(key, max, "mappings", (item, path, index) => read(new Reader(item, path, this.sink), index));
  }

  /** A list of texts; empty when absent. */
  texts(key: string, max: number, want: string, check?: (text: string) => boolean): string[] {
    return this.list(key, max, want, (item, path) => {
      if (typeof item === "string" && item !== "" && (check === undefined || check(item))) return item;
      const quote = typeof item === "number" || typeof item === "boolean" ? " (put it in quotes)" : "";
      this.fail(path, `found ${describeFound(item)}, want ${want}${quote}`);
      return "";
    });
  }

  /** A list of anything; empty when absent. */
  list<T>(key: string, max: number, want: string, read: (item: unknown, path: KeyPath, index: number) => T): T[] {
    const value = this.raw(key);
    if (value === undefined || value === null) return [];
    if (!Array.isArray(value)) {
      this.bad(key, `a list of ${want}`);
      return [];
    }
    if (value.length > max) {
      this.bad(key, `at most ${max}`);
      return [];
    }
    return value.map((item: unknown, index) => read(item, [...this.path, key, index], index));
  }

  /** A mapping of text to text; empty when absent. */
  textMap(key: string): Readonly<Record<string, string>> {
    const value = this.raw(key);
    if (value === undefined || value === null) return {};
    if (!isMapping(value)) {
      this.bad(key, "a mapping of text to text");
      return {};
    }
    const map: Record<string, string> = {};
    for (const [name, item] of Object.entries(value)) {
      if (typeof item === "string") Object.defineProperty(map, name, { value: item, enumerable: true });
      else this.fail([...this.path, key, name], `found ${describeFound(item)}, want text (put it in quotes)`);
    }
    return map;
  }

  /** Reports the keys nobody asked for. Call it last. */
  done(): void {
    for (const key of Object.keys(this.#raw)) {
      if (this.#known.has(key)) continue;
      const near = suggest(key, [...this.#known]);
      const detail = near === null
        ? `unknown key, want one of ${[...this.#known].join(", ")}`
        : `unknown key, did you mean "${near}"?`;
      if (this.sink.unknownKeys === "error") this.fail([...this.path, key], detail, true);
      else this.warn([...this.path, key], `${detail} (ignored)`, true);
    }
  }
}

function isMapping(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value) &&
    Object.getPrototypeOf(value) === Object.prototype;
}
