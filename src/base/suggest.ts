/** "Did you mean …?" */

/** Most edits that still count as a slip of the fingers. */
const MAX_EDITS = 2;

/** The word nearest to what was typed. @returns null when none is within MAX_EDITS edits */
export function suggest(typed: string, words: readonly string[]): string | null {
  let best: string | null = null;
  let bestEdits = MAX_EDITS + 1;
  for (const word of words) {
    const edits = typed.length > 1 && word.startsWith(typed) ? 1 : editDistance(typed, word);
    // People seldom get the first letter wrong.
    const isLikelier = edits === bestEdits && edits <= MAX_EDITS && best?.[0] !== typed[0] && word[0] === typed[0];
    if (edits < bestEdits || isLikelier) {
      best = word;
      bestEdits = edits;
    }
  }
  return best;
}

/** Levenshtein distance: insertions, deletions and replacements of one character. */
function editDistance(a: string, b: string): number {
  if (Math.abs(a.length - b.length) > MAX_EDITS) return MAX_EDITS + 1;
  let previous = Array.from({ length: b.length + 1 }, (_, column) => column);
  for (let row = 1; row <= a.length; row++) {
    const current = [row];
    for (let column = 1; column <= b.length; column++) {
      const replaced = (previous[column - 1] ?? 0) + (a[row - 1] === b[column - 1] ? 0 : 1);
      current.push(Math.min(replaced, (previous[column] ?? 0) + 1, (current[column - 1] ?? 0) + 1));
    }
    previous = current;
  }
  return previous[b.length] ?? MAX_EDITS + 1;
}
