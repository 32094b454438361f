/** SPIFFE IDs (SPIFFE-ID §2), and the form that the mesh gives to workloads. */

/** Parts of a SPIFFE ID. */
export interface SpiffeId {
  readonly trustDomain: string;
  /** Starts with "/"; "" for the trust domain itself. */
  readonly path: string;
}

/** Longest ID (SPIFFE-ID §2.3). */
const MAX_SPIFFE_ID_BYTES = 2048;
/** Longest trust domain (SPIFFE-ID §2.1). */
const MAX_TRUST_DOMAIN_BYTES = 255;
const TRUST_DOMAIN = /^[a-z0-9._-]+$/;
const SEGMENT = /^[A-Za-z0-9._-]+$/;

/**
 * Reads a SPIFFE ID strictly: no upper case in scheme and trust domain, no port, query, escapes, empty or dot segments.
 *
 * @returns the parts, or null when the text is no SPIFFE ID
 */
export function parseSpiffeId(text: string): SpiffeId | null {
  if (text.length > MAX_SPIFFE_ID_BYTES || !text.startsWith("spiffe://")) return null;
  const slash = text.indexOf("/", 9);
  const trustDomain = slash < 0 ? text.slice(9) : text.slice(9, slash);
  if (trustDomain.length > MAX_TRUST_DOMAIN_BYTES || !TRUST_DOMAIN.test(trustDomain)) return null;
  const path = slash < 0 ? "" : text.slice(slash);
  if (path !== "" && !path.slice(1).split("/").every(isSegment)) return null;
  return { trustDomain, path };
}

/** Whether an ID is the controller's, in whatever trust domain the roots vouch for. */
export function isControllerId(text: string): boolean {
  return parseSpiffeId(text)?.path === "/ns/tulle/sa/controller";
}

function isSegment(segment: string): boolean {
  return SEGMENT.test(segment) && segment !== "." && segment !== "..";
}
