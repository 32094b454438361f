/** Reads RE2's common syntax into a tree. Private to pattern.ts. */
import { bad, ok, type Result } from "./result.ts";

/** Longest pattern: the CRD's own limit for paths and headers. */
const MAX_PATTERN_LENGTH = 1024;
/** Highest count in {n,m}, as in RE2. */
const MAX_REPEAT = 1000;

/** 256 flags: which bytes a position takes. */
export type ByteSet = Uint8Array;

export type Node =
  | { readonly kind: "set"; readonly set: ByteSet }
  | { readonly kind: "cat"; readonly items: readonly Node[] }
  | { readonly kind: "alt"; readonly items: readonly Node[] }
  | { readonly kind: "repeat"; readonly item: Node; readonly min: number; readonly max: number }
  | { readonly kind: "start" }
  | { readonly kind: "end" };

/**
 * Parses a pattern of bytes (one character per byte).
 *
 * @returns the tree, or an error with the position
 */
export function parsePattern(text: string, path: string): Result<Node> {
  if (text.length > MAX_PATTERN_LENGTH) {
    return bad(path, `a pattern of ${text.length} bytes`, `at most ${MAX_PATTERN_LENGTH}`);
  }
  const fold = text.startsWith("(?i)");
  const reader = new Reader(text, fold ? 4 : 0, fold);
  const node = reader.alternatives();
  if (reader.error === "" && reader.at < text.length) reader.fail("a balanced ')'");
  if (reader.error !== "") return bad(path, `${JSON.stringify(text)} at position ${reader.at}`, reader.error);
  return ok(node);
}

const EMPTY: Node = { kind: "cat", items: [] };

class Reader {
  readonly text: string;
  readonly fold: boolean;
  at: number;
  /** What was wanted where reading stopped; "" while all is well. */
  error = "";

  constructor(text: string, at: number, fold: boolean) {
    this.text = text;
    this.at = at;
    this.fold = fold;
  }

  fail(want: string): Node {
    if (this.error === "") this.error = want;
    return EMPTY;
  }

  alternatives(): Node {
    const items: Node[] = [this.sequence()];
    while (this.error === "" && this.text[this.at] === "|") {
      this.at++;
      items.push(this.sequence());
    }
    return items.length === 1 ? items[0] as Node : { kind: "alt", items }; // one item exists
  }

  sequence(): Node {
    const items: Node[] = [];
    while (this.error === "" && this.at < this.text.length) {
      const c = this.text[this.at];
      if (c === "|" || c === ")") break;
      items.push(this.repeated(this.atom()));
    }
    return { kind: "cat", items };
  }

  repeated(item: Node): Node {
    const c = this.text[this.at];
    if (this.error !== "" || (c !== "*" && c !== "+" && c !== "?" && !this.#atCount())) return item;
    let min = c === "+" ? 1 : 0;
    let max = c === "?" ? 1 : -1;
    if (c === "{") {
      const m = this.#count() as RegExpExecArray; // checked by #atCount
      min = Number(m[1]);
      max = m[2] === undefined ? min : m[3] === "" ? -1 : Number(m[3]);
      if (min > MAX_REPEAT || max > MAX_REPEAT || (max >= 0 && max < min)) {
        return this.fail(`a repetition of ascending counts up to ${MAX_REPEAT}`);
      }
      this.at += m[0].length;
    } else this.at++;
    if (this.text[this.at] === "?") this.at++; // laziness does not change whether the whole matches
    const next = this.text[this.at];
    if (next === "*" || next === "+" || next === "?" || this.#atCount()) {
      return this.fail("one repetition operator, not two");
    }
    return { kind: "repeat", item, min, max };
  }

  /** A brace that is no count is a literal, as in RE2. */
  #atCount(): boolean {
    return this.text[this.at] === "{" && this.#count() !== null;
  }

  /** However many digits there are: a count that is too high is an error, and no literal. */
  #count(): RegExpExecArray | null {
    COUNT.lastIndex = this.at;
    return COUNT.exec(this.text);
  }

  atom(): Node {
    const c = this.text[this.at++] as string; // callers have checked the end
    switch (c) {
      case "(":
        return this.group();
      case "[":
        return this.class();
      case ".":
        return { kind: "set", set: negated(setOf(10)) };
      case "^":
        return { kind: "start" };
      case "$":
        return { kind: "end" };
      case "*":
      case "+":
      case "?":
        this.at--;
        return this.fail("something to repeat");
      case "\\":
        return this.escape();
      default:
        return { kind: "set", set: this.folded(setOf(c.charCodeAt(0))) };
    }
  }

  group(): Node {
    const rest = this.text.slice(this.at, this.at + 64);
    if (rest.startsWith("?")) {
      const m = /^\?(?::|P?<[A-Za-z_]\w*>)/.exec(rest);
      if (m === null) return this.fail("a plain, named or (?: group; flags only as (?i) at the start, no look-around");
      this.at += m[0].length;
    }
    const node = this.alternatives();
    if (this.error === "" && this.text[this.at++] !== ")") return this.fail("a ')'");
    return node;
  }

  escape(): Node {
    if (this.text[this.at] === "z") {
      this.at++;
      return { kind: "end" };
    }
    if (this.text[this.at] === "A") {
      this.at++;
      return { kind: "start" };
    }
    const set = this.escapedSet();
    return set === null ? EMPTY : { kind: "set", set: this.folded(set) };
  }

  /** What follows a backslash; null after an error. */
  escapedSet(): ByteSet | null {
    const c = this.text[this.at++];
    const simple = c === undefined ? -1 : SIMPLE.indexOf(c);
    if (simple >= 0) return setOf(SIMPLE_CODES[simple] as number); // same length
    switch (c) {
      case "d":
        return DIGIT;
      case "D":
        return negated(DIGIT);
      case "w":
        return WORD;
      case "W":
        return negated(WORD);
      case "s":
        return SPACE;
      case "S":
        return negated(SPACE);
      case "x": {
        const m = /^(?:([0-9a-fA-F]{2})|\{([0-9a-fA-F]{1,2})\})/.exec(this.text.slice(this.at, this.at + 4));
        if (m === null) break;
        this.at += m[0].length;
        return setOf(parseInt(m[1] ?? (m[2] as string), 16)); // one of both has matched
      }
      default:
        if (c !== undefined && !/[A-Za-z0-9]/.test(c) && c < "\x80") return setOf(c.charCodeAt(0));
    }
    this.at--;
    this.fail("an escape of RE2 without back references, word boundaries and Unicode classes");
    return null;
  }

  class(): Node {
    const set = new Uint8Array(256);
    const negate = this.text[this.at] === "^";
    if (negate) this.at++;
    for (let first = true; this.error === ""; first = false) {
      const c = this.text[this.at];
      if (c === undefined) return this.fail("a ']'");
      if (c === "]" && !first) break;
      this.classItem(set);
    }
    this.at++;
    this.folded(set);
    return { kind: "set", set: negate ? negated(set) : set };
  }

  classItem(set: ByteSet): void {
    const from = this.classByte(set);
    if (from < 0 || this.text[this.at] !== "-" || this.text[this.at + 1] === "]") return;
    this.at++;
    const to = this.classByte(set);
    if (this.error !== "") return;
    if (to < from) this.fail("a range in ascending order");
    else set.fill(1, from, to + 1);
  }

  /** Adds one member of a class. @returns its byte, or -1 when it is a set of its own */
  classByte(set: ByteSet): number {
    const c = this.text[this.at++];
    if (c === undefined) {
      this.fail("a ']'");
      return -1;
    }
    if (c === "[" && this.text[this.at] === ":") {
      const m = /^:(\^?)([a-z]+):\]/.exec(this.text.slice(this.at, this.at + 12));
      const named = m === null ? undefined : NAMED[m[2] as string]; // group 2 always matches
      if (m === null || named === undefined) {
        this.fail("a POSIX class like [:alpha:]");
        return -1;
      }
      this.at += m[0].length;
      addAll(set, m[1] === "^" ? negated(named) : named);
      return -1;
    }
    if (c === "\\") {
      const escaped = this.escapedSet();
      if (escaped === null) return -1;
      addAll(set, escaped);
      let count = 0;
      for (const flag of escaped) count += flag;
      return count === 1 ? escaped.indexOf(1) : -1;
    }
    const code = c.charCodeAt(0);
    if (code > 0x7f) {
      this.fail("ASCII inside of [ ]: a character beyond it is several bytes on the wire");
      return -1;
    }
    set[code] = 1;
    return code;
  }

  folded(set: ByteSet): ByteSet {
    if (!this.fold) return set;
    for (let lower = 97; lower <= 122; lower++) if (set[lower] || set[lower - 32]) set[lower] = set[lower - 32] = 1;
    return set;
  }
}

const COUNT = /\{(0|[1-9]\d*)(,(0|[1-9]\d*|))?\}/y;
const SIMPLE = "tnrfva";
const SIMPLE_CODES = [9, 10, 13, 12, 11, 7];
const DIGIT = ranges("09");
const WORD = ranges("09azAZ__");
const SPACE = ranges("\t\n\f\r  ");
const NAMED: Readonly<Record<string, ByteSet>> = {
  alnum: ranges("09azAZ"),
  alpha: ranges("azAZ"),
  ascii: ranges("\x00\x7f"),
  blank: ranges("\t\t  "),
  cntrl: ranges("\x00\x1f\x7f\x7f"),
  digit: DIGIT,
  graph: ranges("!~"),
  lower: ranges("az"),
  print: ranges(" ~"),
  punct: ranges("!/:@[`{~"),
  space: ranges("\t\r  "),
  upper: ranges("AZ"),
  word: WORD,
  xdigit: ranges("09afAF"),
};

function setOf(code: number): ByteSet {
  const set = new Uint8Array(256);
  set[code] = 1;
  return set;
}

/** @param pairs first and last character of each range */
function ranges(pairs: string): ByteSet {
  const set = new Uint8Array(256);
  for (let i = 0; i < pairs.length; i += 2) set.fill(1, pairs.charCodeAt(i), pairs.charCodeAt(i + 1) + 1);
  return set;
}

function negated(set: ByteSet): ByteSet {
  return set.map((flag) => 1 - flag);
}

function addAll(into: ByteSet, from: ByteSet): void {
  for (let i = 0; i < 256; i++) if (from[i]) into[i] = 1;
}
