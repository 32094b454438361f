/** Bounds of the HTTP/1.1 codec. Each is what a peer may make us hold or walk before we answer with an error. */

/**
 * Longest head (start line and fields, bytes). 64 KiB: above what common servers accept (Node 16 KiB, nginx 32 KiB, Envoy
 * 60 KiB), so that the mesh never refuses what the application itself would have taken; small enough for 10⁴ slow clients.
 */
export const MAX_HEAD_BYTES = 64 * 1024;

/**
 * Longest request target (bytes). RFC 9112 §3 asks for at least 8000; 32 KiB because applications behind a mesh were
 * written against servers without a mesh, and the head's own limit already bounds memory. Above it 414 tells more than 431.
 */
export const MAX_TARGET_BYTES = 32 * 1024;

/** Longest method (bytes). The longest registered one has 17; RFC 9112 §3 asks for 501 above what we can handle. */
export const MAX_METHOD_BYTES = 64;

/**
 * Most field lines in a head or a trailer section: far above what clients send (10–40). Twice what hyper and Envoy allow,
 * because most servers of applications have no such limit, and none should be met that the way over HTTP/2 does not have.
 */
export const MAX_FIELDS = 200;

/** Most options in all Connection fields together: each is looked up among the fields, so the product must stay small. */
export const MAX_CONNECTION_OPTIONS = 32;

/** Most empty lines skipped before a request line (RFC 9112 §2.2 asks for at least one). */
export const MAX_LEADING_CRLF = 4;

/** Longest trailer section (bytes): trailers carry a status or a checksum, and must be held until complete. */
export const MAX_TRAILER_BYTES = 16 * 1024;

/** Most hexadecimal digits of a chunk size: 52 bits, so that every size is an exact number. */
export const MAX_CHUNK_SIZE_DIGITS = 13;

/** Longest extension of one chunk (bytes): signatures of known uploaders take less than 100. */
export const MAX_CHUNK_EXTENSION_BYTES = 1024;

/**
 * Most extension bytes not yet outweighed by data (bytes). Each data byte pays for one: honest signatures on big chunks
 * never reach it, one-byte chunks with long extensions (work without a body) do.
 */
export const MAX_EXTENSION_DEBT_BYTES = 16 * 1024;

/** Bytes after which detection must have decided: fits a request line with a long query, held for a moment per connection. */
export const MAX_DETECT_BYTES = 1024;
