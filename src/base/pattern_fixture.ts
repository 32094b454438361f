/** Patterns for tests of properties, each with an input that it matches. */
import fc from "fast-check";
import { compilePattern } from "./pattern.ts";

/** A pattern and an input that matches it. */
export interface MatchedPattern {
  readonly text: string;
  readonly input: string;
}

const literal = fc.constantFrom("a", "b", "A", "/", "\xc3").map((c) => ({
  text: c === "\xc3" ? "\\xc3" : c,
  input: c,
}));
const choice = fc.constantFrom(["[aA]", "A"], ["[ab]", "b"], [".", "/"], ["[^/]", "a"], ["\\w", "B"], ["[b]", "b"])
  .map(([text = "", input = ""]) => ({ text, input }));

const { node } = fc.letrec<{ node: MatchedPattern }>((tie) => ({
  node: fc.oneof(
    { maxDepth: 3, depthSize: "medium" },
    { weight: 3, arbitrary: literal },
    { weight: 1, arbitrary: choice },
    {
      weight: 3,
      arbitrary: fc.array(tie("node"), { minLength: 1, maxLength: 4 }).map((items) => ({
        text: `(?:${items.map(({ text }) => text).join("")})`,
        input: items.map(({ input }) => input).join(""),
      })),
    },
    {
      weight: 1,
      arbitrary: fc.tuple(fc.array(tie("node"), { minLength: 1, maxLength: 3 }), fc.nat()).map(([items, taken]) => ({
        text: `(${items.map(({ text }) => text).join("|")})`,
        input: items[taken % items.length]?.input ?? "",
      })),
    },
    {
      weight: 1,
      arbitrary: fc.tuple(
        tie("node"),
        fc.constantFrom(["?", 0], ["?", 1], ["*", 0], ["*", 2], ["+", 1], ["+", 2], ["{2}", 2], ["{1,2}", 1], [
          "{0}",
          0,
        ]),
      ).map(([{ text, input }, [sign, times]]) => ({
        text: `(?:${text})${sign}`,
        input: input.repeat(times as number), // second of the pairs above
      })),
    },
  ),
}));

/** As a path has them: a few texts in common, so that one pattern's prefix begins another's. */
export const somePattern: fc.Arbitrary<MatchedPattern> = fc.tuple(
  fc.constantFrom("", "(?i)"),
  fc.constantFrom("", "/", "/a", "/a/b", "/A"),
  node,
).map(([flag, start, { text, input }]) => ({ text: `${flag}${start}${text}`, input: `${start}${input}` }))
  .filter(({ text }) => compilePattern(text, "").ok); // all but the longest
