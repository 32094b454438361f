/** What is valid by itself but does not fit the rest: references that lead nowhere, annotations that say nothing. */
import type { Meta } from "../kube/resources.ts";

/** Most warnings kept: enough to act on, and a bound for /config. */
const MAX_WARNINGS = 1000;

/** A warning about one object. */
export interface ConfigWarning {
  /** "HTTPRoute shop/split" */
  readonly object: string;
  readonly detail: string;
}

/** Collects warnings, each once. */
export class Report {
  /** False: nobody reads it, so what only serves a warning need not be looked at. */
  readonly isKept: boolean;
  readonly #seen = new Map<string, ConfigWarning>();

  constructor(isKept: boolean) {
    this.isKept = isKept;
  }

  /** @param object as `keyOf` names it */
  warn(object: string, detail: string): void {
    if (this.isKept && this.#seen.size < MAX_WARNINGS) this.#seen.set(`${object}\n${detail}`, { object, detail });
  }

  /** An annotation that cannot be read. */
  annotation(meta: Meta, key: string, found: string, want: string): void {
    const object = `${meta.kind} ${meta.namespace === "" ? meta.name : `${meta.namespace}/${meta.name}`}`;
    this.warn(object, `annotation ${key}: found ${JSON.stringify(found.slice(0, 48))}, want ${want}`);
  }

  /** By object, then text. */
  list(): ConfigWarning[] {
    return [...this.#seen.keys()].sort().map((key) => this.#seen.get(key) as ConfigWarning); // from the map's own keys
  }
}
