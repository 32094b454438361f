import { expect, test } from "bun:test";
import fc from "fast-check";
import { compilePattern, type Pattern } from "./pattern.ts";
import { somePattern } from "./pattern_fixture.ts";

function pattern(text: string): Pattern {
  const result = compilePattern(text, "regex");
  if (!result.ok) throw new Error(result.error);
  return result.value;
}

test.each([
  ["/a", "/a", true],
  ["/a", "/ab", false], // the whole input must match
  ["a|bc", "bc", true],
  ["(?:a|b)c", "bc", true],
  ["(?P<x>a)(?<y>b)", "ab", true],
  ["/v[0-9]+/.*", "/v12/x/y", true],
  ["/v[0-9]+/.*", "/v/x", false],
  ["^/a$", "/a", true],
  ["a^b", "ab", false],
  ["a$b", "ab", false],
  ["(^a|b)+$", "abb", true],
  ["a{2,3}", "aaa", true],
  ["a{2,3}", "aaaa", false],
  ["a{2}", "aa", true],
  ["a{2,}", "aaaaa", true],
  ["a{0}b", "b", true],
  ["a{,3}", "a{,3}", true], // no count: a literal, as in RE2
  ["{a}", "{a}", true],
  ["a{1,2", "a{1,2", true],
  ["a{12x}", "a{12x}", true],
  ["a{ 1}", "a{ 1}", true],
  ["a{007}", "a{007}", true], // a count has no leading zeros
  ["a{1,02}", "a{1,02}", true],
  ["(?i)AbC[x-z]", "aBcY", true],
  ["[^a-c]", "d", true],
  ["[^a-c]", "b", false],
  ["[]a]", "]", true],
  ["[a-]", "-", true],
  ["[[:digit:]_]+", "1_2", true],
  ["[\\d.-]+", "1.2-3", true],
  ["\\w+\\.\\d\\x41\\/", "ab.1A/", true],
  ["", "", true],
  ["", "a", false],
  ["(a*)*", "aaa", true],
  ["(a*)*b", "aaa", false],
  [".*?x", "aax", true],
  ["caf\u00e9", "caf\xc3\xa9", true], // the wire's bytes
  [".", "\u0100", false],
])("test() of %s on %p is %p", (text, input, matches) => {
  expect(pattern(text).test(input)).toBe(matches);
});

test.each([
  ["(", "a ')'"],
  ["a)", "a balanced ')'"],
  ["*a", "something to repeat"],
  ["a**", "one repetition operator"],
  ["[a", "a ']'"],
  ["[z-a]", "ascending order"],
  ["a{3,2}", "ascending counts"],
  ["a{1001}", "ascending counts"],
  ["a{0,60000}", "ascending counts up to 1000"],
  ["a{60000}", "ascending counts up to 1000"],
  ["a{60000,}", "ascending counts up to 1000"],
  ["a{99999999999999999999}", "ascending counts up to 1000"],
  [`a{1,${"9".repeat(400)}}`, "ascending counts up to 1000"],
  ["a{2}{60000}", "one repetition operator"],
  ["(a)\\1", "without back references"],
  ["(?=a)", "no look-around"],
  ["\\bx", "word boundaries"],
  ["\\", "escape"],
  ["[\u00e9]", "ASCII inside"],
  ["((a{99}){99}){99}", "at most 1024 steps"],
  ["a".repeat(1025), "at most 1024"],
])("compilePattern() refuses %s", (text, want) => {
  const result = compilePattern(text, "routes[0].path.regex");
  const error = result.ok ? "" : result.error;
  expect(error).toStartWith("routes[0].path.regex: found ");
  expect(error).toContain(want);
});

test("test() takes linear time where backtracking takes forever", () => {
  const evil = pattern("(a|a)*(a|aa)+(.*)*b");
  const started = performance.now();
  expect(evil.test("a".repeat(100_000))).toBe(false);
  expect(performance.now() - started).toBeLessThan(1000);
});

/** So many of a and b, in no order. */
function mixed(length: number): string {
  let text = "";
  for (let seed = 1; text.length < length; seed = (seed * 48_271) % 0x7fff_ffff) text += "ab"[(seed >> 8) & 1];
  return text;
}

test.each([".*a.{900}", "(.*a.{200}|.*b.{200}|.*ab.{200})", "(.?){500}c"])(
  "test() of %s takes linear time although it has more state sets than can be kept",
  (text) => {
    const wide = pattern(text);
    const started = performance.now();
    expect(wide.test(`${mixed(60_000)}${"\n".repeat(1_000)}`)).toBe(false);
    expect(performance.now() - started).toBeLessThan(4000); // 14 s when each byte made a set, and 0.1 s now
  },
);

test("test() stays right when its state cache overflows", () => {
  // "the 9th character from the end is a" needs 2^9 states.
  const p = pattern(".*a.{8}");
  const re = /^.*a.{8}$/;
  const word = fc.string({ unit: fc.constantFrom("a", "b"), minLength: 0, maxLength: 400 });
  fc.assert(fc.property(word, (s) => p.test(s) === re.test(s)), { numRuns: 200 });
});

test("test() knows the end of the input when its state cache has overflown", () => {
  const p = pattern("(.*a.{8}$|b+$^|.*c$)(a?$)*");
  const re = /^(?:(.*a.{8}$|b+$^|.*c$)(a?$)*)$/;
  const word = fc.string({ unit: fc.constantFrom("a", "b", "c"), minLength: 0, maxLength: 400 });
  fc.assert(fc.property(word, (s) => p.test(s) === re.test(s)), { numRuns: 300 });
});

const atom = fc.constantFrom("a", "b", "c", ".", "[ab]", "[^a]", "\\w", "\\.", "^", "$");
const { regex } = fc.letrec<{ regex: string }>((tie) => ({
  regex: fc.oneof(
    { maxDepth: 4, withCrossShrink: true },
    atom,
    fc.tuple(tie("regex"), tie("regex")).map(([x, y]) => x + y),
    fc.tuple(tie("regex"), tie("regex")).map(([x, y]) => `(${x}|${y})`),
    fc.tuple(tie("regex"), fc.constantFrom("*", "+", "?", "{2}", "{1,2}")).map(([x, op]) => `(?:${x})${op}`),
  ),
}));

test("test() agrees with the runtime's expressions on any pattern and input", () => {
  const input = fc.string({ unit: fc.constantFrom("a", "b", "c", "."), maxLength: 8 });
  fc.assert(
    fc.property(regex, fc.array(input, { minLength: 5, maxLength: 5 }), (text, inputs) => {
      const ours = pattern(text);
      const theirs = new RegExp(`^(?:${text})$`, "s");
      for (const s of inputs) expect([text, s, ours.test(s)]).toEqual([text, s, theirs.test(s)]);
    }),
    { numRuns: 300 },
  );
});

test("compilePattern() gives a pattern or an error for any text", () => {
  const text = fc.string({ unit: fc.constantFrom(..."ab()[]{}|*+?^$.\\-:,01dwx<>P=i"), maxLength: 20 });
  fc.assert(
    fc.property(text, (s) => {
      const result = compilePattern(s, "p");
      if (result.ok) result.value.test("ab01");
      else expect(result.error).toStartWith("p: found ");
    }),
    { numRuns: 1000 },
  );
});

test("test() agrees with them when its state cache has overflown, too", () => {
  const input = fc.string({ unit: fc.constantFrom("a", "b", "c", "."), maxLength: 12 });
  fc.assert(
    fc.property(regex, fc.array(input, { minLength: 5, maxLength: 5 }), (text, inputs) => {
      const wide = `(.*a.{8}c|${text})`;
      const ours = pattern(wide);
      ours.test(mixed(2_000));
      const theirs = new RegExp(`^(?:${wide})$`, "s");
      for (const s of inputs) expect([text, s, ours.test(s)]).toEqual([text, s, theirs.test(s)]);
    }),
    { numRuns: 200 },
  );
});

test("compilePattern() is done at once with repetitions of nothing, however deep", () => {
  const deep = pattern(`${"(".repeat(60)}a{0}${"){1000}".repeat(60)}b`); // 1000^60 turns, one step
  expect([deep.test("b"), deep.test("ab")]).toEqual([true, false]);
});

test.each([
  ["/api/v1/items", "/api/v1/items", "a literal"],
  ["/api/v[12]/x", "/api/v", "a class ends it"],
  ["/api/[v]1", "/api/v1", "but not one of a single byte"],
  ["/api/.*", "/api/", "any byte ends it"],
  ["/api(/x)?", "/api", "what may be absent ends it"],
  ["/api/x*", "/api/", "as above"],
  ["/api/x{0}y", "/api/y", "what is never there does not"],
  ["/api/x+y", "/api/x", "one is there, more may be"],
  ["/(ab){2}c", "/ababc", "a count of one size goes on"],
  ["/(ab){2,3}c", "/abab", "a count of several does not"],
  ["/(a[0-9]){2}c", "/a", "nor one of what is not known"],
  ["/(apple|apply)/x", "/appl", "what all alternatives begin with"],
  ["/(a|a)/x", "/a/x", "alternatives that are one"],
  ["/(a|b)/x", "/", "alternatives"],
  ["/a|/b", "/", "alternatives of the whole"],
  ["/a|", "", "an empty one"],
  ["^/a$", "/a", "assertions"],
  ["(?i)/API/x", "/api/x", "case is left open"],
  ["/A[bB]c", "/abc", "a letter in both cases is one"],
  ["/a\\.b\\x2f", "/a.b/", "escapes"],
  [".*/a", "", "anything first"],
  ["", "", "nothing"],
])("the prefix of %s is %p: %s", (text, prefix) => {
  expect(pattern(text).prefix).toBe(prefix);
});

test("each input that a pattern matches begins with its prefix", () => {
  fc.assert(
    fc.property(somePattern, ({ text, input }) => {
      const compiled = pattern(text);
      expect(compiled.test(input)).toBe(true);
      expect(input.toLowerCase()).toStartWith(compiled.prefix);
    }),
    { numRuns: 1000 },
  );
});
