/** Which fields may come behind a body. */
import { knownFieldByName, NOT_IN_TRAILERS } from "./_field_names.ts";

/**
 * Whether a field belongs into a head alone (RFC 9110 §6.5.1: framing, routing, authentication, identity, content format).
 *
 * @param name in lower case
 */
export function isOfHeadOnly(name: string): boolean {
  return ((knownFieldByName(name)?.flags ?? 0) & NOT_IN_TRAILERS) !== 0;
}
