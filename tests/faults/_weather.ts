/** What a relay does to frames. */
export interface Weather {
  /** Added to each frame, milliseconds. */
  readonly delayMs: number;
  /** On top, at random between 0 and this: frames overtake each other. */
  readonly jitterMs: number;
  /** Share of the frames that are lost, 0–1. */
  readonly loss: number;
  /** Nothing passes. */
  readonly isCut: boolean;
  /** Larger frames are lost without a word, as on a path whose MTU nobody tells. */
  readonly maxFrame: number;
}

export const CLEAR: Weather = { delayMs: 0, jitterMs: 0, loss: 0, isCut: false, maxFrame: 65_536 };
