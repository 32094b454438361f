import { HeaderBlock, NO_START } from "../header_block.ts";
import { FieldSection, scanFields } from "./_fields.ts";

const section = new FieldSection(true);

/**
 * Parses a trailer section (RFC 9112 §7.1.2).
 *
 * Fields that must not come late are dropped (NOT_IN_TRAILERS in _field_names.ts: framing, routing, authentication, identity,
 * content format): a recipient that merges trailers into its header would otherwise act on what no policy saw.
 *
 * @param buf bytes; [start, end) are the field lines and the final empty line
 * @returns the trailers that may be passed on, null when none is left, or a negative code of error_code.ts
 */
export function parseTrailers(buf: Uint8Array, start: number, end: number): HeaderBlock | null | number {
  const bad = scanFields(buf, start, end, 1, section);
  if (bad < 0) return bad;
  return section.fields.length === 0 ? null : new HeaderBlock(NO_START, section.fields, -1, 0);
}
