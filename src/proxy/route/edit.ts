/** Header edits of a rule (Gateway API HTTPHeaderFilter). */
import type { HeaderEdit } from "../../model/http_match.ts";
import { type HeaderBlock, headerBlock } from "../../wire/header_block.ts";

/**
 * The block after an edit: set, then add, then remove. Remembered on the block under the edit's identity.
 *
 * @param block request or response; not changed
 * @param edit names in lower case, none that carry framing (the decoder of the configuration has seen to that)
 */
export function applyEdit(block: HeaderBlock, edit: HeaderEdit): HeaderBlock {
  if (block.editKey === edit && block.editValue !== null) return block.editValue;
  const edited = headerBlock(block, editFields(block.fields, edit));
  block.editKey = edit;
  block.editValue = edited;
  return edited;
}

/** The plain meaning, on a list of fields [name, value, …]. */
function editFields(fields: readonly string[], edit: HeaderEdit): string[] {
  const out: string[] = [];
  for (let i = 0; i < fields.length; i += 2) {
    const name = fields[i] as string; // pairs
    if (!hasName(edit.set, 2, name) && !hasName(edit.remove, 1, name)) out.push(name, fields[i + 1] as string);
  }
  pushKept(out, edit.set, edit.remove);
  pushKept(out, edit.add, edit.remove);
  return out;
}

function pushKept(out: string[], pairs: readonly string[], removed: readonly string[]): void {
  for (let i = 0; i < pairs.length; i += 2) {
    if (!hasName(removed, 1, pairs[i] as string)) out.push(pairs[i] as string, pairs[i + 1] as string); // pairs
  }
}

function hasName(list: readonly string[], stride: number, name: string): boolean {
  for (let i = 0; i < list.length; i += stride) if (list[i] === name) return true;
  return false;
}
