import { expect, test } from "bun:test";
import { request } from "./_builders.ts";
import { applyEdit } from "./edit.ts";

const fields = ["x-a", "1", "x-b", "2", "x-a", "3", "x-c", "4"];
const edit = { set: ["x-a", "new"], add: ["x-b", "more", "x-d", "5"], remove: ["x-c", "x-e"] };

test("applyEdit() replaces, adds and removes", () => {
  const edited = applyEdit(request("GET", "/p", "h", fields), edit);
  expect(edited.fields).toEqual(["x-b", "2", "x-a", "new", "x-b", "more", "x-d", "5"]);
  expect([edited.method, edited.path, edited.authority]).toEqual(["GET", "/p", "h"]);
});

test("applyEdit() removes what it has set and added before", () => {
  const edited = applyEdit(request("GET", "/", "h", []), { set: ["a", "1"], add: ["b", "2"], remove: ["a", "b"] });
  expect(edited.fields).toEqual([]);
});

test("applyEdit() gives the same block for the same edit, another for another", () => {
  const block = request("GET", "/", "h", fields);
  const first = applyEdit(block, edit);
  expect(applyEdit(block, edit)).toBe(first);
  expect(applyEdit(block, { ...edit })).not.toBe(first);
});
