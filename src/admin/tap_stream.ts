/** Events as JSON lines, for one caller, bounded. */
import { type AccessEntry, formatEntry } from "../telemetry/access_log.ts";
import { matchesTap, type TapQuery } from "./tap_query.ts";

/** Lines that wait for a slow caller; later ones are dropped, and the next line says how many. */
export const MAX_WAITING_LINES = 256;

/**
 * A body that ends after `query.limit` lines. The subscription ends with the body, or when the caller goes away.
 *
 * @param now wall clock, milliseconds since 1970
 * @returns null when there are too many watchers
 */
export function tapStream(
  query: TapQuery,
  subscribe: (watcher: (entry: AccessEntry) => void) => (() => void) | null,
  now: () => number = Date.now,
): ReadableStream<Uint8Array<ArrayBuffer>> | null {
  const encoder = new TextEncoder();
  let left = query.limit;
  let dropped = 0;
  let controller: ReadableStreamDefaultController<Uint8Array<ArrayBuffer>> | null = null;
  const end = subscribe((entry) => {
    if (controller === null || left === 0 || !matchesTap(query, entry)) return;
    if ((controller.desiredSize ?? 0) <= 0) {
      dropped++;
      return;
    }
    const line = formatEntry(entry, now());
    controller.enqueue(encoder.encode(dropped === 0 ? line : `{"dropped":${dropped},${line.slice(1)}`));
    dropped = 0;
    if (--left > 0) return;
    end?.();
    controller.close();
  });
  if (end === null) return null;
  return new ReadableStream<Uint8Array<ArrayBuffer>>({
    start: (created) => void (controller = created),
    cancel: () => end(),
  }, { highWaterMark: MAX_WAITING_LINES });
}
