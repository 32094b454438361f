/** What every input that a pattern matches begins with. Private to pattern.ts. */
import type { ByteSet, Node } from "./_pattern_parse.ts";

/** How what a node matches begins. */
interface Beginning {
  /** In lower case. */
  readonly text: string;
  /** Whether there is nothing after it: what follows in the pattern may go on. */
  readonly whole: boolean;
}

/**
 * The text that every matching input begins with once both are in lower case; "" where there is none.
 *
 * It is a condition that must hold, never one that suffices: assertions are taken to hold, and case is left open so that
 * "(?i)" has a prefix, too.
 *
 * @param node of a pattern that is not refused for its length, which bounds the prefix
 */
export function lowerPrefix(node: Node): string {
  return beginning(node).text;
}

const NOTHING: Beginning = { text: "", whole: true };
const UNKNOWN: Beginning = { text: "", whole: false };

function beginning(node: Node): Beginning {
  switch (node.kind) {
    case "start":
    case "end":
      return NOTHING;
    case "set":
      return ofSet(node.set);
    case "cat": {
      let text = "";
      for (const item of node.items) {
        const next = beginning(item);
        text += next.text;
        if (!next.whole) return { text, whole: false };
      }
      return { text, whole: true };
    }
    case "alt":
      return node.items.map(beginning).reduce(common);
    case "repeat": {
      const { min, max } = node;
      if (max === 0) return NOTHING;
      if (min === 0) return UNKNOWN;
      const item = beginning(node.item);
      return item.whole ? { text: item.text.repeat(min), whole: min === max } : item;
    }
    default:
      return node satisfies never;
  }
}

/** A byte, or one letter in both cases. */
function ofSet(set: ByteSet): Beginning {
  let text = "";
  for (let byte = set.indexOf(1); byte >= 0; byte = set.indexOf(1, byte + 1)) {
    const lower = String.fromCharCode(byte).toLowerCase();
    if (text !== "" && text !== lower) return UNKNOWN;
    text = lower;
  }
  return { text, whole: text !== "" };
}

function common(a: Beginning, b: Beginning): Beginning {
  if (a.text === b.text) return { text: a.text, whole: a.whole && b.whole };
  let length = 0;
  while (length < a.text.length && a.text[length] === b.text[length]) length++;
  return { text: a.text.slice(0, length), whole: false };
}
