/**
 * Reviews that are under way, and what of them is held. Anybody who reaches the port may send some: the API servers' are
 * known by nothing but their addresses, so each address has its share.
 */
import { Shares } from "./_shares.ts";

/** Largest review, bytes: objects are limited to 1.5 MiB by etcd, and an update carries two. */
const MAX_REVIEW_BYTES = 4 * 1024 * 1024;
/**
 * Most reviews under way. An API server has 600 requests under way at most, as it is installed; one alone may have half of
 * these, two a third each.
 */
const MAX_REVIEWS = 2048;
/**
 * Most bytes of all reviews under way: the pods of 2,048 reviews with 32 KB each. Read into objects they take some five times
 * as much, of the 1 GiB that a controller has.
 */
const MAX_HELD_BYTES = 64 * 1024 * 1024;
/** Time for a review to arrive, milliseconds. An API server asks for five seconds at most (TIMEOUT_SECONDS of the manifests). */
const ARRIVAL_MS = 10_000;

/** Why a review is not answered, with the HTTP status that says so. An API server then does what failurePolicy says. */
export type Refusal =
  | { readonly kind: "busy"; readonly status: 429 }
  | { readonly kind: "too_large"; readonly status: 413 }
  | { readonly kind: "late"; readonly status: 408 };

const BUSY: Refusal = { kind: "busy", status: 429 };
const TOO_LARGE: Refusal = { kind: "too_large", status: 413 };
const LATE: Refusal = { kind: "late", status: 408 };

export interface ReviewLimits {
  readonly reviews: number;
  readonly heldBytes: number;
  readonly reviewBytes: number;
  readonly arrivalMs: number;
}

export const REVIEW_LIMITS: ReviewLimits = {
  reviews: MAX_REVIEWS,
  heldBytes: MAX_HELD_BYTES,
  reviewBytes: MAX_REVIEW_BYTES,
  arrivalMs: ARRIVAL_MS,
};

export class Reviews {
  readonly #limits: ReviewLimits;
  readonly #reviews: Shares;
  readonly #bytes: Shares;

  constructor(limits: ReviewLimits = REVIEW_LIMITS) {
    this.#limits = limits;
    this.#reviews = new Shares(limits.reviews);
    this.#bytes = new Shares(limits.heldBytes);
  }

  /** How many are under way. */
  get underWay(): number {
    return this.#reviews.used;
  }

  /** Bytes of those that are under way. */
  get heldBytes(): number {
    return this.#bytes.used;
  }

  /**
   * Reads a review and answers it. What it takes of the caller's share is given back when it is answered, or refused.
   *
   * @param body left where it stands by a refusal; the caller ends its stream
   * @throws what `answer` throws, and what the body does
   */
  async run<T>(
    caller: string,
    body: AsyncIterable<Uint8Array>,
    answer: (text: string) => Promise<T>,
  ): Promise<{ readonly kind: "answer"; readonly answer: T } | Refusal> {
    if (!this.#reviews.enter(caller)) return BUSY;
    const held = { bytes: 0, ended: false };
    try {
      const text = await this.#arrival(caller, body, held);
      return typeof text === "string" ? { kind: "answer", answer: await answer(text) } : text;
    } finally {
      held.ended = true;
      this.#bytes.leave(caller, held.bytes);
      this.#reviews.leave(caller);
    }
  }

  async #arrival(caller: string, body: AsyncIterable<Uint8Array>, held: Held): Promise<string | Refusal> {
    let timer: ReturnType<typeof setTimeout> | undefined;
    const late = new Promise<Refusal>((resolve) => timer = setTimeout(() => resolve(LATE), this.#limits.arrivalMs));
    try {
      return await Promise.race([this.#collect(caller, body, held), late]);
    } finally {
      clearTimeout(timer);
    }
  }

  async #collect(caller: string, body: AsyncIterable<Uint8Array>, held: Held): Promise<string | Refusal> {
    const chunks: Uint8Array[] = [];
    for await (const chunk of body) {
      if (held.ended) return LATE;
      if (held.bytes + chunk.length > this.#limits.reviewBytes) return TOO_LARGE;
      if (!this.#bytes.enter(caller, chunk.length)) return BUSY;
      held.bytes += chunk.length;
      chunks.push(chunk);
    }
    return Buffer.concat(chunks).toString();
  }
}

interface Held {
  bytes: number;
  /** Nothing more may be taken: what was held has been given back. */
  ended: boolean;
}
