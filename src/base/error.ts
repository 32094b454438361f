/** Errors of people at a terminal: what they typed or wrote. */

/** Raised for a command line or a setting that cannot be used. `main` prints the text alone and exits with EXIT_USAGE. */
export class UsageError extends Error {
  override readonly name = "UsageError";
}

/** Exit status for a command line that cannot be used; 1 is for commands that ran and failed. */
export const EXIT_USAGE = 2;

/** Text of anything that was thrown, in one line. */
export function errorText(error: unknown): string {
  const text = error instanceof Error ? error.message || error.name : String(error);
  return text.replaceAll(/\s*\n\s*/g, " ");
}
