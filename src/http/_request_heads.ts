/** Heads of requests, parsed once each while they repeat. */
import type { HeadCache } from "../wire/http1/head_cache.ts";
import { parseRequestHead, type RequestHead } from "../wire/http1/request_head.ts";

/** The head in buffer[start, end), or the code of what is wrong with it. @param cache heads seen before */
export function requestHead(
  cache: HeadCache<RequestHead>,
  buffer: Uint8Array,
  start: number,
  end: number,
): RequestHead | number {
  const known = cache.get(buffer, start, end);
  if (known !== null) return known;
  const head = parseRequestHead(buffer, start, end);
  if (typeof head !== "number") cache.put(buffer, start, end, head);
  return head;
}
