/** One YAML file to resources or problems: all or nothing, so that half a change is never in force. */
import { type Document, LineCounter } from "yaml";
import { decodeResource } from "./decode.ts";
import { fileProblem, lineOf, MAX_FILE_BYTES, readDocuments } from "./_documents.ts";
import { locate } from "./_inspect.ts";
import type { Finding } from "./_reader.ts";
import { formatPath, type KeyPath, type Problem } from "./problem.ts";
import { keyOf, type Resource } from "./resources.ts";

export { fileProblem, MAX_FILE_BYTES };

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
    readDocuments(this.#file, this.#text, this.#lines, {
      object: (document, value, path) => this.#object(document, value, path),
      problem: (problem) => problem.severity === "error" ? this.#error(problem) : this.#warn(problem),
    });
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
    const line = offset === null ? lineOf(document, this.#lines) : this.#lines.linePos(offset).line;
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
    const { line, col } = offset === null
      ? { line: lineOf(document, this.#lines), col: 1 }
      : this.#lines.linePos(offset);
    const path = formatPath(finding.path);
    return { severity: finding.severity, file: this.#file, line, column: col, path, object, detail: finding.detail };
  }

  #error(problem: Problem): void {
    if (this.errors.length < MAX_PROBLEMS) this.errors.push(problem);
  }

  #warn(problem: Problem): void {
    if (this.warnings.length < MAX_PROBLEMS) this.warnings.push(problem);
  }
}
