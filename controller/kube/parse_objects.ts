/** One YAML file to plain objects, of kinds that the mesh need not know: what tools that translate manifests read. */
import { LineCounter } from "yaml";
import { fileProblem, lineOf, readDocuments } from "./_documents.ts";
import { locate } from "./_inspect.ts";
import type { Problem } from "./problem.ts";

/** A mapping that stands where an object does, and where that is. */
export interface PlainObject {
  readonly value: Readonly<Record<string, unknown>>;
  readonly file: string;
  /** 1-based. */
  readonly line: number;
}

/** Parses a file of one or more documents or Lists. Never throws. */
export function parseObjects(file: string, text: string): { objects: PlainObject[]; problems: Problem[] } {
  const objects: PlainObject[] = [];
  const problems: Problem[] = [];
  const lines = new LineCounter();
  readDocuments(file, text, lines, {
    object: (document, value, path) => {
      const offset = locate(document, path, false);
      const line = offset === null ? lineOf(document, lines) : lines.linePos(offset).line;
      if (typeof value === "object" && value !== null && !Array.isArray(value)) {
        objects.push({ value: value as Readonly<Record<string, unknown>>, file, line }); // a mapping has text keys: inspect()
      } else {
        problems.push(fileProblem(file, `found ${typeof value}, want an object with apiVersion and kind`, line, 1));
      }
    },
    problem: (problem) => void problems.push(problem),
  });
  return { objects, problems };
}
