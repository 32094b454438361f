/** Walks a parsed YAML document before it becomes plain data: what would be costly or ambiguous there is refused here. */
import { type Document, isAlias, isMap, isNode, isSeq, type Node, Scalar } from "yaml";
import type { KeyPath } from "./problem.ts";

/** Most aliases in one document: people share a few blocks; "billion laughs" and quadratic look-ups need thousands. */
export const MAX_ALIASES = 100;
/** Deepest nesting: no kind nests beyond 12, and what follows recurses. */
export const MAX_DEPTH = 64;
/** Most "-" and "?" at the start of one line: each nests one level, and the parser's time grows with their product. */
const MAX_MARKERS = 64;

/** What is wrong, and the offset in the text. */
export interface Fault {
  readonly detail: string;
  readonly offset: number;
}

/** @returns the first fault of the document's shape, or null */
export function inspect(document: Document.Parsed): Fault | null {
  const stack: { node: Node; depth: number }[] = [];
  if (document.contents !== null) stack.push({ node: document.contents, depth: 0 });
  let aliases = 0;
  for (let entry = stack.pop(); entry !== undefined; entry = stack.pop()) {
    const { node, depth } = entry;
    const offset = node.range?.[0] ?? 0;
    if (depth > MAX_DEPTH) return { detail: `found more than ${MAX_DEPTH} levels of nesting`, offset };
    if (isAlias(node) && ++aliases > MAX_ALIASES) {
      return { detail: `found more than ${MAX_ALIASES} aliases, want the objects written out`, offset };
    }
    if (isSeq(node)) {
      for (const item of node.items) if (isNode(item)) stack.push({ node: item, depth: depth + 1 });
    } else if (isMap(node)) {
      const keys = new Set<unknown>();
      for (const { key, value } of node.items) {
        const at = isNode(key) ? key.range?.[0] ?? offset : offset;
        if (!(key instanceof Scalar)) return { detail: "found a key that is not plain text", offset: at };
        const name = String(key.value);
        if (keys.has(name) && name !== "<<") {
          return { detail: `found the key ${JSON.stringify(name)} twice`, offset: at };
        }
        keys.add(name);
        if (isNode(value)) stack.push({ node: value, depth: depth + 1 });
      }
    }
  }
  return null;
}

/** First line that nests by markers more than MAX_MARKERS deep, or null. To be asked before parsing. */
export function tooManyMarkers(text: string): number | null {
  let line = 1, markers = 0, lineStart = true;
  for (let i = 0; i < text.length; i++) {
    const char = text.charCodeAt(i);
    if (char === 0x0a) {
      line++;
      markers = 0;
      lineStart = true;
    } else if (lineStart && (char === 0x2d || char === 0x3f)) {
      const next = text[i + 1];
      if ((next === " " || next === "\t") && ++markers > MAX_MARKERS) return line;
    } else if (char !== 0x20 && char !== 0x09) {
      lineStart = false;
    }
  }
  return null;
}

/** Offset of the value (or the key) at a path; of the nearest parent when the path ends early. */
export function locate(document: Document.Parsed, path: KeyPath, atKey: boolean): number | null {
  let node: Node | null = document.contents;
  let offset = node?.range?.[0] ?? null;
  for (let i = 0; i < path.length; i++) {
    if (isAlias(node)) node = node.resolve(document) ?? null;
    const part = path[i];
    let next: unknown = null;
    if (isMap(node)) {
      const pair = node.items.find((item) => (item.key instanceof Scalar ? String(item.key.value) : null) === part);
      if (pair === undefined) return offset;
      if (isNode(pair.key) && pair.key.range) offset = pair.key.range[0];
      if (atKey && i === path.length - 1) return offset;
      next = pair.value;
    } else if (isSeq(node) && typeof part === "number") {
      next = node.items[part];
    }
    if (!isNode(next)) return offset;
    node = next;
    if (node.range && !(node instanceof Scalar && node.source === "")) offset = node.range[0];
  }
  return offset;
}
