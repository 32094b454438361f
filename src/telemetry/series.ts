/** A counter and a gauge for one set of labels. */
import type { Droppable, IdleTracker } from "./idle.ts";
import { type Labels, labelText } from "./labels.ts";
import type { Family, Registry } from "./registry.ts";

/** Counts one thing. Cheap to keep, and safe: its series is dropped when idle and comes back, from 0, when it counts again. */
export class CounterSeries implements Droppable {
  readonly #registry: Registry;
  readonly #idle: IdleTracker;
  readonly #family: Family;
  readonly #text: string;
  #handle = -1;

  constructor(registry: Registry, idle: IdleTracker, family: Family, labels: Labels) {
    this.#registry = registry;
    this.#idle = idle;
    this.#family = family;
    this.#text = labelText(labels);
  }

  /** Adds to the counter. @param n 0 or more */
  add(n: number): void {
    if (this.#handle < 0) {
      this.#handle = this.#registry.openText(this.#family, this.#text);
      this.#idle.track(this);
    }
    this.#registry.add(this.#handle, n);
  }

  get isOpen(): boolean {
    return this.#handle >= 0;
  }

  activity(): number {
    return this.#registry.values[this.#handle] ?? 0;
  }

  drop(): void {
    this.#registry.close(this.#family, this.#text, this.#handle);
    this.#handle = -1;
  }
}

/** Shows one state. It stays until it is closed. */
export class GaugeSeries {
  readonly #registry: Registry;
  readonly #family: Family;
  readonly #text: string;
  #handle = -1;

  constructor(registry: Registry, family: Family, labels: Labels) {
    this.#registry = registry;
    this.#family = family;
    this.#text = labelText(labels);
  }

  /** Shows a value. */
  set(value: number): void {
    if (this.#handle < 0) this.#handle = this.#registry.openText(this.#family, this.#text);
    this.#registry.set(this.#handle, value);
  }

  /** Ends the series: what it described is gone. `set` brings it back. */
  close(): void {
    if (this.#handle >= 0) this.#registry.close(this.#family, this.#text, this.#handle);
    this.#handle = -1;
  }
}
