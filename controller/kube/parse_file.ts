/** One YAML file to resources or problems: all or nothing, so that half a change is never in force. */
import { type Document, LineCounter, parseAllDocuments } from "yaml";
import { decodeResource } from "./decode.ts";
import { inspect, locate, MAX_ALIASES, tooManyMarkers } from "./_inspect.ts";
import type { Finding } from "./_reader.ts";
import { formatPath, type KeyPath, type Problem } from "./problem.ts";
import { keyOf, type Resource } from "./resources.ts";

/** Largest file, bytes: larger ones are generated, and can be split; parsing takes tens of times the size in memory. */
export const MAX_FILE_BYTES = 1024 * 1024;
/** Most objects in one file. */
const MAX_OBJECTS = 5000;
/** Most problems kept of one file. */
const MAX_PROBLEMS = 100;

/** A resource and where it stands. */
export interface Placed {
  readonly resource: Resource;
  readonly file: string;
  /** Line of its document, 1-based. */
  readonly line: number;
}

export interface ParsedFile {
  readonly file: string;
  /** Empty when there is an error. */
  readonly resources: readonly Placed[];
  readonly errors: readonly Problem[];
  readonly warnings: readonly Problem[];
}

/**
 * Parses a file of one or more YAML (or JSON) documents. Never throws.
 * @param file name used in messages
 * @param text the whole content
 */
export function parseFile(file: string, text: string): ParsedFile {
  const parser = new FileParser(file, text);
  parser.run();
  return {
    file,
    resources: parser.errors.length === 0 ? parser.resources : [],
    errors: parser.errors,
    warnings: parser.warnings,
  };
}

/** A problem of the whole file. */
export function fileProblem(file: string, detail: string, line = 0, column = 0): Problem {
  return { severity: "error", file, line, column, path: "", object: "", detail };
}

class FileParser {
  readonly resources: Placed[] = [];
  readonly errors: Problem[] = [];
  readonly warnings: Problem[] = [];
  readonly #file: string;
  readonly #text: string;
  readonly #lines = new LineCounter();
  readonly #seen = new Map<string, number>();

  constructor(file: string, text: string) {
    this.#file = file;
    this.#text = text;
  }

  run(): void {
    const bytes = this.#text.length; // UTF-16 units; never more than the bytes
    if (bytes > MAX_FILE_BYTES) {
      this.#error(fileProblem(this.#file, `found ${bytes} bytes, want at most ${MAX_FILE_BYTES}: split the file`));
      return;
    }
    const deep = tooManyMarkers(this.#text);
    if (deep !== null) {
      this.#error(fileProblem(this.#file, 'found a line that nests by "-" or "?" without end', deep, 1));
      return;
    }
    try {
      const documents = parseAllDocuments(this.#text, {
        lineCounter: this.#lines,
        prettyErrors: false,
        uniqueKeys: false, // checked by inspect(): the parser's own check takes the square of the keys
        merge: true,
        logLevel: "silent",
      });
      for (const document of documents as Iterable<Document.Parsed>) this.#document(document); // the empty result iterates too
    } catch (error) {
      // The parser reports what is wrong with the text as values; what it throws is about limits (stack, aliases).
      this.#error(fileProblem(this.#file, `cannot be read as YAML: ${error instanceof Error ? error.message : error}`));
    }
  }

  #document(document: Document.Parsed): void {
    for (const error of document.errors) {
      const { line, col } = this.#lines.linePos(error.pos[0]);
      this.#error(fileProblem(this.#file, `not YAML: ${yamlReason(error.message)}`, line, col));
    }
    if (document.errors.length > 0) return;
    for (const warning of document.warnings) {
      const { line, col } = this.#lines.linePos(warning.pos[0]);
      this.#warn({ ...fileProblem(this.#file, yamlReason(warning.message), line, col), severity: "warning" });
    }
    const fault = inspect(document);
    if (fault !== null) {
      const { line, col } = this.#lines.linePos(fault.offset);
      this.#error(fileProblem(this.#file, fault.detail, line, col));
      return;
    }
    let value: unknown;
    try {
      value = document.toJS({ maxAliasCount: MAX_ALIASES });
    } catch {
      // Few aliases, but each expands to others: the one thing toJS refuses.
      const detail = "found aliases that expand to more than they are worth, want the objects written out";
      this.#error(fileProblem(this.#file, detail, this.#lineOf(document), 1));
      return;
    }
    if (value === null || value === undefined) return; // an empty document, such as after a last "---"
    const items = listItems(value);
    if (items === null) this.#object(document, value, []);
    else items.forEach((item, index) => this.#object(document, item, ["items", index]));
  }

  #object(document: Document.Parsed, value: unknown, path: KeyPath): void {
    if (this.resources.length >= MAX_OBJECTS) {
      this.#error(fileProblem(this.#file, `found more than ${MAX_OBJECTS} objects: split the file`));
      return;
    }
    const { resource, object, findings } = decodeResource(value, path);
    for (const finding of findings) {
      const problem = this.#place(document, finding, object);
      if (problem.severity === "error") this.#error(problem);
      else this.#warn(problem);
    }
    if (resource === null) return;
    const offset = locate(document, path, false);
    const line = offset === null ? this.#lineOf(document) : this.#lines.linePos(offset).line;
    const before = this.#seen.get(keyOf(resource));
    if (before !== undefined) {
      const detail = `found ${keyOf(resource)} a second time, the first is on line ${before}`;
      this.#error({ ...fileProblem(this.#file, detail, line, 1), object });
      return;
    }
    this.#seen.set(keyOf(resource), line);
    this.resources.push({ resource, file: this.#file, line });
  }

  #place(document: Document.Parsed, finding: Finding, object: string): Problem {
    const offset = locate(document, finding.path, finding.atKey);
    const { line, col } = offset === null ? { line: this.#lineOf(document), col: 1 } : this.#lines.linePos(offset);
    const path = formatPath(finding.path);
    return { severity: finding.severity, file: this.#file, line, column: col, path, object, detail: finding.detail };
  }

  #lineOf(document: Document.Parsed): number {
    const offset = document.contents?.range?.[0] ?? document.range[0];
    return this.#lines.linePos(offset).line;
  }

  #error(problem: Problem): void {
    if (this.errors.length < MAX_PROBLEMS) this.errors.push(problem);
  }

  #warn(problem: Problem): void {
    if (this.warnings.length < MAX_PROBLEMS) this.warnings.push(problem);
  }
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
