/** What the two sides of the attacks agree on. */

/** Ports of the applications. */
export const PORT = {
  /** HTTP/1.1 that behaves. */
  http1: 8080,
  /** HTTP/1.1 that answers every request with a body of BIG_BYTES, in a process that the bystander does not use. */
  files: 8085,
  /** HTTP/2 that behaves. */
  http2: 8081,
  /** Sends bytes without an end, and reads none. */
  noise: 8082,
  /** HTTP/1.1 that does not behave; the path says how. */
  hostile1: 8083,
  /** The same for HTTP/2. */
  hostile2: 8084,
} as const;

/** Bodies of /medium and /big. */
export const MEDIUM_BYTES = 200_000;
export const BIG_BYTES = 10_000_000;
