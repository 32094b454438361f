/** What is wrong with a file of the configuration, said so that it can be mended without reading a manual. */

/** Keys from the document's root to a value: `["spec", "ports", 0, "port"]`. */
export type KeyPath = readonly (string | number)[];

/** One error or warning. Errors refuse the whole file, warnings do not. */
export interface Problem {
  readonly severity: "error" | "warning";
  /** File name as the operator knows it; empty when the object did not come from a file. */
  readonly file: string;
  /** 1-based; 0 when unknown. */
  readonly line: number;
  /** 1-based; 0 when unknown. */
  readonly column: number;
  /** "spec.ports[0].port"; empty when the problem is not about a key. */
  readonly path: string;
  /** Object it is about, "Service shop/web"; empty when the object could not be named. */
  readonly object: string;
  /** `found "eighty", want a number 1–65535`. */
  readonly detail: string;
}

/** Renders a key path as people write it. */
export function formatPath(path: KeyPath): string {
  let text = "";
  for (const part of path) {
    if (typeof part === "number") text += `[${part}]`;
    else if (/^[A-Za-z_][\w-]*$/.test(part)) text += text === "" ? part : `.${part}`;
    else text += `[${JSON.stringify(part)}]`;
  }
  return text;
}

/** One line: `shop.yaml:12:7: spec.ports[0].port: found "eighty", want a number 1–65535 (Service shop/web)`. */
export function formatProblem(problem: Problem): string {
  let place = problem.file;
  if (problem.line > 0) place += `:${problem.line}:${problem.column}`;
  const path = problem.path === "" ? "" : `${problem.path}: `;
  const object = problem.object === "" ? "" : ` (${problem.object})`;
  return `${place === "" ? "" : `${place}: `}${path}${problem.detail}${object}`;
}

/** Longest text of a found value that a message repeats, characters: enough to recognise it, short enough for a log line. */
const FOUND_MAX = 48;

/** Renders a value for "found …". */
export function describeFound(value: unknown): string {
  if (value === undefined || value === null) return "nothing";
  if (Array.isArray(value)) return value.length === 0 ? "an empty list" : `a list of ${value.length}`;
  if (typeof value === "object") return "a mapping";
  const text = typeof value === "string" ? JSON.stringify(value) : String(value);
  return text.length > FOUND_MAX ? `${text.slice(0, FOUND_MAX)}…` : text;
}
