import { expect, test } from "bun:test";
import { editPath } from "./path_edit.ts";

test.each([
  // The Gateway API's table of HTTPPathModifier.replacePrefixMatch; slashes at the end are gone by then.
  ["/foo/bar", "/foo", "/xyz", "/xyz/bar"],
  ["/foo", "/foo", "/xyz", "/xyz"],
  ["/foo/", "/foo", "/xyz", "/xyz/"],
  ["/foo/bar", "/foo", "", "/bar"],
  ["/foo/", "/foo", "", "/"],
  ["/foo", "/foo", "", "/"],
  ["/bar", "", "/xyz", "/xyz/bar"], // the prefix "/"
  ["/", "", "/xyz", "/xyz/"],
  ["/foo?a=/foo", "/foo", "/xyz", "/xyz?a=/foo"],
  ["/foo/b?c?d", "/foo", "", "/b?c?d"],
  ["*", "", "/xyz", "*"], // OPTIONS *
  ["", "", "/xyz", ""], // CONNECT
])("editPath() of %s replaces %p by %p: %s", (path, matched, value, wanted) => {
  expect(editPath(path, { kind: "prefix", value }, matched)).toBe(wanted);
});

test("editPath() replaces the whole path and keeps the query", () => {
  expect(editPath("/a/b?q=1", { kind: "full", value: "/x" }, "/a")).toBe("/x?q=1");
});
