import { compilePattern } from "../../../src/base/pattern.ts";
import { agree, holds, type Target, textOf } from "../target.ts";
import type { Random } from "../random.ts";

/** Longest subject and fewest repetitions at which the runtime's own engine, which backtracks, still ends soon. */
const MAX_SUBJECT = 24;

/** A pattern, a line feed, and what it is held against. */
export const target: Target = {
  about: "patterns of routes: refused with a reason, or the answer that the runtime's expressions give",
  seeds: [
    "/a.*\n/abc",
    "(a|b)+c\nabac",
    "(?i)WEB\nweb",
    "[a-c]{2,3}\nabc",
    "\\d+\\.\\d*\n12.",
    "^a$\na",
    "[^/]+\n/",
    "(?:x?)*y\nxxy",
    "\\Qa.b\\E\na.b",
  ],
  dictionary: [
    "(?i)",
    "(?:",
    "[^",
    "]",
    "{2}",
    "{0,3}",
    "*?",
    "\\d",
    "\\w",
    "\\s",
    "\\.",
    "|",
    "\\x41",
    "[[:alpha:]]",
    "^",
    "$",
    "\\b",
  ],
  maxBytes: 80,
  generate,
  run(input) {
    const text = textOf(input);
    const at = text.indexOf("\n");
    const source = at < 0 ? text : text.slice(0, at);
    const subject = at < 0 ? "" : text.slice(at + 1, at + 1 + MAX_SUBJECT);
    const pattern = compilePattern(source, "here");
    if (!pattern.ok) return holds(pattern.error.startsWith("here"), `an error without its place: ${pattern.error}`);
    const ours = pattern.value.test(subject);
    const theirs = byRuntime(source, subject);
    if (theirs !== null) {
      agree(`${JSON.stringify(source)} on ${JSON.stringify(subject)}, ours and the runtime's`, ours, theirs);
    }
  },
};

const OTHER_MEANING = /\\[^dDwWsS.\\/|()[\]{}*+?^$-]|\[\[|\[\^?\]|&&|\(\?[^:]|[*+?}][*+?{]|[{,]0\d/;
/** Three repeats, or one of more than three times. */
const MIGHT_BACKTRACK = /[*+}].*[*+}].*[*+}]|\{\d*[4-9]|\{\d\d|,\}/;

/** Null where its syntax means something else than RE2's, or it might take long. */
function byRuntime(source: string, subject: string): boolean | null {
  const fold = source.startsWith("(?i)");
  const body = fold ? source.slice(4) : source;
  if (/[^\x20-\x7e]/.test(body + subject)) return null;
  if (OTHER_MEANING.test(body) || MIGHT_BACKTRACK.test(body)) return null;
  try {
    return new RegExp(`^(?:${body})$`, fold ? "is" : "s").test(subject);
  } catch {
    return null; // it throws where its syntax is stricter
  }
}

const ATOMS = ["a", "b", "/", ".", "\\d", "\\w", "[a-c]", "[^a]", "(a|b)", "(?:ab)", "^", "$", "\\.", "[-a]"];

function generate(random: Random): string {
  const parts = Array.from(
    { length: random.between(1, 5) },
    () => random.pick(ATOMS) + random.pick(["", "", "", "*", "+", "?", "{2}", "{0,2}", "|"]),
  );
  const subject = Array.from({ length: random.below(8) }, () => random.pick(["a", "b", "c", "/", ".", "1", "-"]));
  return `${random.oneIn(6) ? "(?i)" : ""}${parts.join("")}\n${subject.join("")}`;
}
