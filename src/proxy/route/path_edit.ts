/** Edits of a path (Gateway API HTTPPathModifier), as it is on the wire. */
import type { PathEdit } from "../../model/route_plan.ts";

/**
 * The path after an edit.
 *
 * @param path with its query, which stays; "*" and the empty one of CONNECT stay as they are
 * @param matched the prefix that the request's rule matches, without a slash at the end; "" stands for "/"
 */
export function editPath(path: string, edit: PathEdit, matched: string): string {
  if (path.charCodeAt(0) !== 0x2f) return path;
  const mark = path.indexOf("?");
  const end = mark < 0 ? path.length : mark;
  const query = path.slice(end);
  if (edit.kind === "full") return edit.value + query;
  const replaced = edit.value + path.slice(matched.length, end);
  return (replaced === "" ? "/" : replaced) + query;
}
