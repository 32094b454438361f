/** Series by their labels, so that two compilations of the same route share one object. */
import type { Droppable } from "./idle.ts";
import { type Labels, labelText } from "./labels.ts";
import { MAX_SERIES } from "./registry.ts";

/** Objects after which those without open series are forgotten: some hundred bytes each. */
const MAX_CACHED = 4 * MAX_SERIES;

export class SeriesCache<T extends Droppable> {
  readonly #byText = new Map<string, T>();

  /** The object for these labels, made when there is none. @param scope keeps families with equal labels apart */
  get(labels: Labels, create: () => T, scope: string = ""): T {
    const text = scope + labelText(labels);
    const known = this.#byText.get(text);
    if (known !== undefined) return known;
    if (this.#byText.size >= MAX_CACHED) this.#forgetClosed();
    const created = create();
    this.#byText.set(text, created);
    return created;
  }

  #forgetClosed(): void {
    for (const [text, item] of this.#byText) if (!item.isOpen) this.#byText.delete(text);
  }
}
