/** The text of /metrics, which anybody on the network may ask for as often as he likes. */

/** Texts made within one second, at most: far above what a few Prometheus servers and a person ask for, far below what costs memory or CPU. */
const MAX_TEXTS_PER_SECOND = 16;
const SECOND_MS = 1000;

/** Hands out the metrics; those who ask too often share one text, no older than a second. */
export class Scrapes {
  readonly #render: () => string | Promise<string>;
  readonly #now: () => number;
  #second = -1;
  #made = 0;
  #last: string | Promise<string> = "";

  /** @param now milliseconds of any clock that does not go back */
  constructor(render: () => string | Promise<string>, now: () => number) {
    this.#render = render;
    this.#now = now;
  }

  /** @returns the metrics as they are now, or as they were when this second's share was used up */
  text(): string | Promise<string> {
    const second = Math.floor(this.#now() / SECOND_MS);
    if (second !== this.#second) {
      this.#second = second;
      this.#made = 0;
    }
    if (this.#made === MAX_TEXTS_PER_SECOND) return this.#last;
    this.#made++;
    return this.#last = this.#render();
  }
}
