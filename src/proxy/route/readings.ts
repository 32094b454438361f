/**
 * The ways in which applications read a path.
 *
 * A rule that allows "/public" and one that guards "/admin" are of no use if "/public/..%2fadmin" meets the first in the
 * proxy and the second in the application. Which steps an application takes (decode, resolve dots, merge slashes, leave out
 * one at the end, cut ";parameters", "#fragments" or at a NUL, treat "\" as "/") is not known, so a decision about access is
 * only taken when all readings agree.
 * An application that decodes twice is not covered: that is a fault of its own.
 */

/** Readings that are kept while the steps run: all that the steps can make. */
const MAX_READINGS = 128;

/**
 * Longest path that is read in all ways, bytes. Each reading is a copy, and the sender chooses the path: a longer one that
 * is not plain counts as ambiguous instead.
 */
export const MAX_READABLE_PATH = 2048;

/** Whether there is only one way to read the path: no escapes, dots, slashes too many, parameters, fragments, backslashes. */
export function isPlainPath(path: string): boolean {
  return !/[%;#\\]|\/[./]|.\/$/.test(path);
}

/**
 * All readings of a path that differ from it, and the resolved form of each.
 *
 * @param path as it is on the wire, without its query
 */
export function pathReadings(path: string): string[] {
  const forms = new Set<string>([path]);
  for (const step of STEPS) {
    for (const form of [...forms]) if (forms.size < MAX_READINGS) forms.add(step(form));
  }
  const out = new Set<string>();
  for (const form of forms) out.add(form).add(resolveDots(form)).add(resolveDots(mergeSlashes(form)));
  for (const form of [...out]) out.add(withoutLastSlashes(form));
  out.delete(path);
  return [...out];
}

/** In the order in which servers apply them; each is taken or not. */
const STEPS: readonly ((path: string) => string)[] = [
  (path) => path.replace(/#.*$/, ""),
  (path) => path.replace(/;[^/]*/g, ""),
  (path) => path.replace(/%(?!2f|5c)([0-9a-f]{2})/gi, byteOf),
  (path) => path.replace(/%(2f|5c)/gi, byteOf),
  (path) => path.replace(/;[^/]*/g, ""),
  (path) => path.replaceAll("\\", "/"),
  (path) => path.replace(/\0.*$/, ""),
];

function byteOf(_match: string, hex: string): string {
  return String.fromCharCode(parseInt(hex, 16));
}

function withoutLastSlashes(path: string): string {
  let end = path.length;
  while (end > 1 && path.charCodeAt(end - 1) === 0x2f) end--;
  return path.slice(0, end);
}

function mergeSlashes(path: string): string {
  return path.replace(/\/{2,}/g, "/");
}

/** RFC 3986 §5.2.4. */
function resolveDots(path: string): string {
  if (!path.includes("/.")) return path;
  const out: string[] = [];
  const parts = path.split("/");
  for (let i = 1; i < parts.length; i++) {
    const part = parts[i] as string; // in range
    const last = i === parts.length - 1;
    if (part === "..") out.pop();
    else if (part !== ".") out.push(part);
    if (last && (part === "." || part === "..")) out.push("");
  }
  return "/" + out.join("/");
}
