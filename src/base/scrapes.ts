/** A text that is made anew for each who asks, such as /metrics, which anybody on the network may ask for as often as he likes. */

/** Texts made within one second, at most: far above what a few Prometheus servers and a person ask for, far below what costs memory or CPU. */
const MAX_TEXTS_PER_SECOND = 16;
/** Answers within one second, at most: each is a copy of the text. */
const MAX_ANSWERS_PER_SECOND = 128;
const SECOND_MS = 1000;

/** Hands out the text; those who ask too often share one text, no older than a second, and then get none. */
export class Scrapes {
  readonly #render: () => string | Promise<string>;
  readonly #now: () => number;
  #second = -1;
  #made = 0;
  #answers = 0;
  #last: string | Promise<string> = "";

  /** @param now milliseconds of any clock that does not go back */
  constructor(render: () => string | Promise<string>, now: () => number) {
    this.#render = render;
    this.#now = now;
  }

  /** @returns the text as it is now, or as it was when this second's share was used up; null: come back in a second */
  text(): string | Promise<string> | null {
    const second = Math.floor(this.#now() / SECOND_MS);
    if (second !== this.#second) {
      this.#second = second;
      this.#made = 0;
      this.#answers = 0;
    }
    if (++this.#answers > MAX_ANSWERS_PER_SECOND) return null;
    if (this.#made === MAX_TEXTS_PER_SECOND) return this.#last;
    this.#made++;
    return this.#last = this.#render();
  }
}
