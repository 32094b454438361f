/**
 * Data of SVCB and HTTPS records (RFC 9460 §2.2):
 *
 *   priority(2), 0 for an alias; target, in full; parameters key(2) length(2) value, in the order of their keys
 */
import { readName } from "./name.ts";

const IPV4_HINT = 4;
const IPV6_HINT = 6;

export interface Service {
  readonly isAlias: boolean;
  readonly target: string;
  readonly hints: readonly Uint8Array[];
}

/** @returns null when the data from `start` to `end` are malformed */
export function readService(bytes: Uint8Array, start: number, end: number): Service | null {
  if (end - start < 3) return null;
  const isAlias = bytes[start] === 0 && bytes[start + 1] === 0;
  const target = readName(bytes, start + 2, false);
  if (target === null || target.end > end) return null;
  const hints: Uint8Array[] = [];
  let last = -1;
  for (let at = target.end; at < end;) {
    if (at + 4 > end) return null;
    const key = ((bytes[at] as number) << 8) | (bytes[at + 1] as number); // in range
    const from = at + 4;
    at = from + (((bytes[at + 2] as number) << 8) | (bytes[at + 3] as number)); // as above
    if (key <= last || at > end) return null;
    last = key;
    if (key !== IPV4_HINT && key !== IPV6_HINT) continue;
    const size = key === IPV4_HINT ? 4 : 16;
    if (at === from || (at - from) % size !== 0) return null;
    for (let i = from; i < at; i += size) hints.push(bytes.slice(i, i + size));
  }
  // Parameters of an alias mean nothing (§2.4.2).
  return { isAlias, target: target.name, hints: isAlias ? [] : hints };
}
