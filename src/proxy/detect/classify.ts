/** What a connection speaks, by its first bytes. */
import { looksLikeHttp1, NO, YES } from "../../wire/http1/detect.ts";
import * as preface from "../../wire/http2/preface.ts";

/** Bytes after which a connection that is neither is opaque, whatever may follow. */
export const MAX_SNIFF_BYTES = 8192;

export type Classified = "http1" | "http2" | "opaque" | "more";

/** Classifies the bytes [0, length) of a client; "more" while they fit HTTP but do not prove it. */
export function classify(buffer: Uint8Array, length: number): Classified {
  if (length === 0) return "more";
  const h2 = preface.matchPreface(buffer, 0, length);
  if (h2 === preface.YES) return "http2";
  const h1 = looksLikeHttp1(buffer, 0, length);
  if (h1 === YES) return "http1";
  if (h1 === NO && h2 === preface.NO) return "opaque";
  return length < MAX_SNIFF_BYTES ? "more" : "opaque";
}
