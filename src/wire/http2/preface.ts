/** The client connection preface (RFC 9113 §3.4), and recognising it by its first bytes. */

/** What a client sends before its first frame. */
export const PREFACE: Uint8Array = new TextEncoder().encode("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");

/** What the first bytes of a connection say about the preface. */
export const NO = 0;
/** All bytes so far fit; there are fewer than the preface has. */
export const MAYBE = 1;
export const YES = 2;

/** Whether buf[start, end) begins with the preface, or may still become it. */
export function matchPreface(buf: Uint8Array, start: number, end: number): typeof NO | typeof MAYBE | typeof YES {
  const length = Math.min(end - start, PREFACE.length);
  for (let i = 0; i < length; i++) if (buf[start + i] !== PREFACE[i]) return NO;
  return length === PREFACE.length ? YES : MAYBE;
}
