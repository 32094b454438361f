/** Applies a JSON patch as far as the injector writes them (RFC 6902: add, replace). Pure. */
import type { PatchOperation } from "./inject.ts";

/**
 * @returns the patched document; the given one stays as it is
 * @throws Error when a path leads nowhere, which is a mistake of the patch
 */
export function applyPatch<T>(document: T, patch: readonly PatchOperation[]): T {
  const copy = structuredClone(document);
  for (const { op, path, value } of patch) {
    const keys = path.slice(1).split("/").map((key) => key.replaceAll("~1", "/").replaceAll("~0", "~"));
    const last = keys.pop() ?? "";
    let parent: unknown = copy;
    for (const key of keys) {
      parent = (parent as Record<string, unknown> | undefined)?.[key]; // lists have their indices as keys
      if (parent === undefined || parent === null) throw new Error(`bad_patch: ${path}: nothing is at ${key}`);
    }
    if (Array.isArray(parent)) {
      if (op === "replace") parent[Number(last)] = value;
      else parent.splice(last === "-" ? parent.length : Number(last), 0, value);
      continue;
    }
    const object = parent as Record<string, unknown>; // no list, no scalar: a path of ours ends in one of the two
    if (op === "replace" && !(last in object)) throw new Error(`bad_patch: ${path}: nothing to replace`);
    object[last] = value;
  }
  return copy;
}
