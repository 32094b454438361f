import { expect, test } from "bun:test";
import fc from "fast-check";
import { FolderState } from "./folder_state.ts";
import { parseFile } from "./parse_file.ts";
import { formatProblem } from "./problem.ts";
import { keyOf } from "./resources.ts";

function namespaces(...names: string[]): string {
  return names.map((name) => `---\napiVersion: v1\nkind: Namespace\nmetadata: {name: ${name}}\n`).join("");
}

function settled(state: FolderState, files: Readonly<Record<string, string | null>>): string[] {
  for (const [file, text] of Object.entries(files)) {
    if (text === null) state.remove(file);
    else state.set(parseFile(file, text));
  }
  state.settle();
  return state.resources.map(keyOf).sort();
}

test("settle() keeps the last good state of a file that broke, and lets others go on", () => {
  const state = new FolderState();
  settled(state, { "a.yaml": namespaces("a"), "b.yaml": namespaces("b") });
  expect(settled(state, { "a.yaml": "{", "b.yaml": namespaces("c") })).toEqual(["Namespace a", "Namespace c"]);
  expect(state.status().map((file) => file.state)).toEqual(["last_good", "current"]);
});

test("settle() has nothing of a file that never was good", () => {
  const state = new FolderState();
  expect(settled(state, { "a.yaml": "{" })).toEqual([]);
  expect(state.status()[0]?.state).toBe("refused");
});

test("settle() refuses the second file with an object, naming both places, until the first lets go", () => {
  const state = new FolderState();
  settled(state, { "b.yaml": namespaces("x") });
  expect(settled(state, { "a.yaml": namespaces("y", "x") })).toEqual(["Namespace x"]);
  const [problem] = state.status()[0]?.errors ?? [];
  expect(problem === undefined ? "" : formatProblem(problem)).toBe(
    "a.yaml:6:1: Namespace x stands in b.yaml:2 already: keep one of the two",
  );
  expect(settled(state, { "b.yaml": namespaces("z") })).toEqual(["Namespace x", "Namespace y", "Namespace z"]);
});

test("settle() lets an object move from one file to another in one step", () => {
  const state = new FolderState();
  settled(state, { "a.yaml": namespaces("x"), "b.yaml": namespaces("y") });
  expect(settled(state, { "b.yaml": namespaces("y", "x"), "a.yaml": "" })).toEqual(["Namespace x", "Namespace y"]);
  expect(state.status().map((file) => file.errors.length)).toEqual([0, 0]);
});

test("settle() after any events gives what a fresh list gives", () => {
  const file = fc.constantFrom("a.yaml", "b.yaml", "c.yaml");
  // Each file has names of its own: who wins a conflict depends on who came first, by design.
  const event = fc.tuple(file, fc.option(fc.subarray(["1", "2", "3"]), { nil: null }));
  fc.assert(
    fc.property(fc.array(event, { maxLength: 12 }), fc.array(fc.boolean()), (events, settles) => {
      const state = new FolderState();
      const last: Record<string, string | null> = {};
      events.forEach(([name, items], index) => {
        const text = items === null ? null : namespaces(...items.map((item) => `${name[0]}${item}`));
        last[name] = text;
        if (settles[index] === true) settled(state, { [name]: text });
        else if (text === null) state.remove(name);
        else state.set(parseFile(name, text));
      });
      expect(settled(state, {})).toEqual(settled(new FolderState(), last));
    }),
    { numRuns: 200, interruptAfterTimeLimit: 1500 },
  );
});
