import { expect, test } from "bun:test";
import fc from "fast-check";
import { PrefixChains } from "./prefix_chains.ts";

/** The texts that this one begins with, longest first. */
function found(chains: PrefixChains<number>, text: string): string[] {
  const all: string[] = [];
  for (let node = chains.longest(text); node !== null; node = node.shorter) all.push(node.prefix);
  return all;
}

function chainsOf(texts: readonly string[]): PrefixChains<number> {
  return new PrefixChains(new Map(texts.map((text, at) => [text, at])));
}

test.each([
  ["/a/b/c", ["/a/b", "/a", "/"]],
  ["/a/b", ["/a/b", "/a", "/"]],
  ["/a/bz", ["/a/b", "/a", "/"]],
  ["/a/a", ["/a", "/"]],
  ["/a/c/e", ["/a", "/"]], // "/a/c/d" stands between
  ["/b", ["/"]],
  ["/\u00ff", ["/"]],
  ["", []],
  ["!", []],
  ["z", []],
])("the prefixes of %p are %p", (text, want) => {
  expect(found(chainsOf(["/a/b", "/a", "/", "/a/c/d", "/q"]), text)).toEqual(want);
});

test("longest() leads to all texts that one begins with, and to no others", () => {
  const word = fc.string({ unit: fc.constantFrom("a", "b", "/"), maxLength: 6 });
  fc.assert(
    fc.property(fc.uniqueArray(word, { maxLength: 30 }), word, (texts, text) => {
      const want = texts.filter((prefix) => text.startsWith(prefix)).sort((a, b) => b.length - a.length);
      expect(found(chainsOf(texts), text)).toEqual(want);
    }),
    { numRuns: 500 },
  );
});
