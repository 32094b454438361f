/**
 * Arithmetic of flow-control windows (RFC 9113 §6.9).
 *
 * A window is what may still be sent. It is at most 2^31-1; a SETTINGS that lowers the initial size may make it negative:
 * 65 535 allowed and 60 000 sent leave 5 535; a new initial size of 16 384 makes that 5 535 + (16 384 - 65 535) = -43 616.
 */

/** Largest window, bytes. */
export const MAX_WINDOW_BYTES = 0x7fff_ffff;
/** Both initial windows before anything was said about them, bytes. */
export const DEFAULT_WINDOW_BYTES = 65_535;
/** What the functions below return instead of a window that would be too large: FLOW_CONTROL_ERROR. */
export const WINDOW_OVERFLOW: number = MAX_WINDOW_BYTES + 1;

/** The window after a WINDOW_UPDATE of `increment` (1 … 2^31-1) bytes, or WINDOW_OVERFLOW (§6.9.1). */
export function widen(window: number, increment: number): number {
  return Math.min(window + increment, WINDOW_OVERFLOW);
}

/** The window of an open stream after the initial size changed, maybe negative, or WINDOW_OVERFLOW (§6.9.2). */
export function rebase(window: number, oldInitial: number, newInitial: number): number {
  return Math.min(window + newInitial - oldInitial, WINDOW_OVERFLOW);
}
