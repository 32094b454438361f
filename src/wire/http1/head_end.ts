import { asBuffer, CR, LF } from "./_bytes.ts";
import { BAD_LINE_END, CONTROL_BYTE, HEAD_TOO_LONG, TARGET_TOO_LONG } from "./error_code.ts";
import { MAX_HEAD_BYTES, MAX_LEADING_CRLF, MAX_METHOD_BYTES, MAX_TARGET_BYTES } from "./limits.ts";

/** Found by the runtime's vectorised search: measured 30 ns for 289 bytes, where a loop that skips by four takes 80. */
const HEAD_END = Buffer.from("\r\n\r\n", "latin1");

/** Spare room behind `end` (bytes) that the search may run into before a copy-free view is cheaper than searching it. */
const MAX_SLACK_BYTES = 2048;

/**
 * Finds the empty line that ends a head (RFC 9112 §2.1).
 *
 * While a head is incomplete its new bytes are checked, so that a peer that ends lines in a bare LF gets an answer instead of a
 * timeout; the bytes of a complete head are checked by the parser, which walks them anyway.
 *
 * @param buf bytes; the head starts at `start`, received bytes end at `end`
 * @param from where the search resumes: `start`, or the `end` of the call before; earlier bytes are not walked again
 * @returns index just past CR LF CR LF, 0 when the head is not complete yet, or a negative code (bad_line_end, control_byte,
 *   head_too_long, target_too_long)
 */
export function findHeadEnd(buf: Uint8Array, start: number, end: number, from: number): number {
  const first = from - 3 > start ? from - 3 : start;
  const found = indexOfHeadEnd(buf, first, end);
  if (found > 0) return found - start > MAX_HEAD_BYTES ? overlong(buf, start) : found;
  const bad = checkLines(buf, first, start, end);
  if (bad < 0) return bad;
  return end - start >= MAX_HEAD_BYTES ? overlong(buf, start) : 0;
}

/**
 * Skips empty lines before a request line (RFC 9112 §2.2), at most MAX_LEADING_CRLF of them.
 *
 * @returns index of the first byte that is not part of a skipped CR LF; a lone CR at the end is left for the next call
 */
export function skipLeadingCrlf(buf: Uint8Array, start: number, end: number): number {
  let pos = start;
  for (let n = 0; n < MAX_LEADING_CRLF && pos + 1 < end && buf[pos] === CR && buf[pos + 1] === LF; n++) pos += 2;
  return pos;
}

function indexOfHeadEnd(buf: Uint8Array, first: number, end: number): number {
  let bytes = asBuffer(buf);
  if (bytes.length - end > MAX_SLACK_BYTES) bytes = bytes.subarray(0, end);
  const at = bytes.indexOf(HEAD_END, first);
  return at < 0 || at + 4 > end ? 0 : at + 4;
}

/** Every LF follows a CR, every CR but the very last byte is followed by LF, and there is no NUL. */
function checkLines(buf: Uint8Array, first: number, start: number, end: number): number {
  for (let i = first; i < end; i++) {
    const b = buf[i] as number; // i < end ≤ length
    if (b > CR) continue;
    if (b === 0) return CONTROL_BYTE;
    if (b === LF && (i === start || buf[i - 1] !== CR)) return BAD_LINE_END;
    if (b === CR && i + 1 < end && buf[i + 1] !== LF) return BAD_LINE_END;
  }
  return 0;
}

/** Blames the target when not even the start line fits. */
function overlong(buf: Uint8Array, start: number): number {
  const limit = MAX_METHOD_BYTES + 1 + MAX_TARGET_BYTES;
  for (let i = start; i < start + limit; i++) if (buf[i] === LF) return HEAD_TOO_LONG;
  return TARGET_TOO_LONG;
}
