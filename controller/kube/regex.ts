/**
 * Regular expressions in the configuration run in a proxy against what strangers send. RE2 (which the Gateway API's users
 * know) has neither look-around nor back-references and takes linear time; we refuse what it lacks, and repeats inside
 * repeats, which take exponential time in a backtracking engine.
 */

/** Longest expression, characters: as the Gateway API limits the value of a path. */
export const MAX_REGEX_LENGTH = 1024;
/** Most copies a counted repeat {n,m} may ask for: RE2's own limit. */
const MAX_REPEAT = 1000;

/** @returns what is wrong and wanted, or null when the expression may be used */
export function checkRegex(source: string): string | null {
  if (source.length > MAX_REGEX_LENGTH) return `found ${source.length} characters, want at most ${MAX_REGEX_LENGTH}`;
  try {
    new RegExp(`^(?:${source})$`, "u");
  } catch (error) {
    const reason = error instanceof Error ? error.message.replace(/^Invalid regular expression: /, "") : "";
    return `found ${JSON.stringify(source)}, want a regular expression (${reason})`;
  }
  return checkShape(source);
}

/** One pass over a valid expression: which groups hold a repeat, and which groups are repeated. */
function checkShape(source: string): string | null {
  const holdsRepeat: boolean[] = [false];
  let closedHeld = false; // the group that just closed holds a repeat
  let inClass = false;
  for (let i = 0; i < source.length; i++) {
    const char = source[i];
    if (char === "\\") {
      const next = source[i + 1] ?? "";
      if (!inClass && (/[1-9]/.test(next) || next === "k")) return "found a back-reference, want an expression without";
      i++;
      closedHeld = false;
      continue;
    }
    if (inClass) {
      if (char === "]") inClass = false;
      closedHeld = false;
      continue;
    }
    if (char === "[") inClass = true;
    else if (char === "(") {
      if (/^\(\?<?[=!]/.test(source.slice(i, i + 4))) return "found look-around, want an expression without";
      holdsRepeat.push(false);
      i += groupPrefix(source, i);
    } else if (char === ")") {
      closedHeld = holdsRepeat.pop() ?? false;
      if (closedHeld) holdsRepeat[holdsRepeat.length - 1] = true;
      continue;
    } else if (char === "*" || char === "+" || char === "{") {
      const most = char === "{" ? counted(source, i) : Infinity;
      if (most > MAX_REPEAT && most !== Infinity) return `found a repeat of ${most}, want at most ${MAX_REPEAT}`;
      if (closedHeld && most > 1) return "found a repeat inside a repeat, such as (a+)+, want only one of them";
      if (most > 1) holdsRepeat[holdsRepeat.length - 1] = true;
    }
    closedHeld = false;
  }
  return null;
}

/** Characters after "(" that belong to its opening: "?:", "?<name>". */
function groupPrefix(source: string, at: number): number {
  return /^\((\?:|\?<[^>]*>)/.exec(source.slice(at))?.[1]?.length ?? 0;
}

/** Upper bound of "{n}", "{n,}", "{n,m}". */
function counted(source: string, at: number): number {
  const match = /^\{(\d+)(,(\d*))?\}/.exec(source.slice(at, at + 24));
  if (match === null) return Infinity; // longer than any bound that would be allowed
  if (match[2] === undefined) return Number(match[1]);
  return match[3] === undefined || match[3] === "" ? Infinity : Number(match[3]);
}
