/** What methods promise about being repeated. */

/** Methods that change nothing (RFC 9110 §9.2.1): repeating one is nobody's business. */
export function isSafe(method: string): boolean {
  return method === "GET" || method === "HEAD" || method === "OPTIONS" || method === "TRACE";
}

/** Methods whose repetition changes nothing (RFC 9110 §9.2.2). */
export function isIdempotent(method: string): boolean {
  return isSafe(method) || method === "PUT" || method === "DELETE";
}
