/** Text of one file → the objects of its YAML (or JSON) documents as plain data. What would be costly or ambiguous is a problem. */
import { type Document, LineCounter, parseAllDocuments } from "yaml";
import { inspect, MAX_ALIASES, tooManyMarkers } from "./_inspect.ts";
import type { KeyPath, Problem } from "./problem.ts";

/** Largest file, bytes: larger ones are generated, and can be split; parsing takes tens of times the size in memory. */
export const MAX_FILE_BYTES = 1024 * 1024;

/** A problem of the whole file. */
export function fileProblem(file: string, detail: string, line = 0, column = 0): Problem {
  return { severity: "error", file, line, column, path: "", object: "", detail };
}

/** What is made of a file as it is read. */
export interface DocumentVisitor {
  /** @param path of the object in its document: empty, or that of an item of a List */
  object(document: Document.Parsed, value: unknown, path: KeyPath): void;
  problem(problem: Problem): void;
}

/**
 * Reads the documents of a file one after the other; a faulty one is reported and left out. Never throws.
 * @param lines filled with the places of lines, for offsets in the documents
 */
export function readDocuments(file: string, text: string, lines: LineCounter, visitor: DocumentVisitor): void {
  const bytes = text.length; // UTF-16 units; never more than the bytes
  if (bytes > MAX_FILE_BYTES) {
    visitor.problem(fileProblem(file, `found ${bytes} bytes, want at most ${MAX_FILE_BYTES}: split the file`));
    return;
  }
  const deep = tooManyMarkers(text);
  if (deep !== null) {
    visitor.problem(fileProblem(file, 'found a line that nests by "-" or "?" without end', deep, 1));
    return;
  }
  try {
    const documents = parseAllDocuments(text, {
      lineCounter: lines,
      prettyErrors: false,
      uniqueKeys: false, // checked by inspect(): the parser's own check takes the square of the keys
      merge: true,
      logLevel: "silent",
    });
    // The empty result iterates too.
    for (const document of documents as Iterable<Document.Parsed>) readDocument(file, document, lines, visitor);
  } catch (error) {
    // The parser reports what is wrong with the text as values; what it throws is about limits (stack, aliases).
    visitor.problem(fileProblem(file, `cannot be read as YAML: ${error instanceof Error ? error.message : error}`));
  }
}

function readDocument(file: string, document: Document.Parsed, lines: LineCounter, visitor: DocumentVisitor): void {
  for (const error of document.errors) {
    const { line, col } = lines.linePos(error.pos[0]);
    visitor.problem(fileProblem(file, `not YAML: ${yamlReason(error.message)}`, line, col));
  }
  if (document.errors.length > 0) return;
  for (const warning of document.warnings) {
    const { line, col } = lines.linePos(warning.pos[0]);
    visitor.problem({ ...fileProblem(file, yamlReason(warning.message), line, col), severity: "warning" });
  }
  const fault = inspect(document);
  if (fault !== null) {
    const { line, col } = lines.linePos(fault.offset);
    visitor.problem(fileProblem(file, fault.detail, line, col));
    return;
  }
  let value: unknown;
  try {
    value = document.toJS({ maxAliasCount: MAX_ALIASES });
  } catch {
    // Few aliases, but each expands to others: the one thing toJS refuses.
    const detail = "found aliases that expand to more than they are worth, want the objects written out";
    visitor.problem(fileProblem(file, detail, lineOf(document, lines), 1));
    return;
  }
  if (value === null || value === undefined) return; // an empty document, such as after a last "---"
  const items = listItems(value);
  if (items === null) visitor.object(document, value, []);
  else items.forEach((item, index) => visitor.object(document, item, ["items", index]));
}

/** Line on which a document begins, 1-based. */
export function lineOf(document: Document.Parsed, lines: LineCounter): number {
  return lines.linePos(document.contents?.range?.[0] ?? document.range[0]).line;
}

/** Items of a `kind: List`, as `kubectl get -o yaml` prints; null for anything else. */
function listItems(value: unknown): readonly unknown[] | null {
  if (typeof value !== "object" || value === null) return null;
  const { kind, items } = value as { kind?: unknown; items?: unknown }; // checked below
  return typeof kind === "string" && kind.endsWith("List") && Array.isArray(items) ? items : null;
}

function yamlReason(message: string): string {
  return message.replace(/\s+/g, " ").trim();
}
