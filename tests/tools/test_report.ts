/** Totals of test runs. */

export interface Counts {
  readonly passed: number;
  readonly failed: number;
  readonly skipped: number;
}

/** Sum of two. */
export function addCounts(a: Counts, b: Counts): Counts {
  return { passed: a.passed + b.passed, failed: a.failed + b.failed, skipped: a.skipped + b.skipped };
}

/** "N passed, N failed", and skipped when some were. */
export function countsLine(counts: Counts): string {
  const skipped = counts.skipped > 0 ? `, ${counts.skipped} skipped` : "";
  return `${counts.passed} passed, ${counts.failed} failed${skipped}`;
}

/**
 * Reads the totals of a run. What the report does not know (files that could not be loaded) the output's summary does; a run
 * that failed without either (a crash, a missing report) counts as one failure, so that no failure is ever lost.
 *
 * @param xml the JUnit report, empty when none was written
 * @param output what the run printed
 * @param exitCode of the run
 */
export function readReport(xml: string, output: string, exitCode: number): Counts {
  const head = /<testsuites\b[^>]*>/.exec(xml)?.[0] ?? "";
  const tests = numberOf(head, "tests");
  const skipped = numberOf(head, "skipped");
  const failures = numberOf(head, "failures");
  const summary = Number([...output.matchAll(/^ (\d+) fail$/gm)].at(-1)?.[1] ?? 0);
  const failed = Math.max(failures, summary, exitCode === 0 ? 0 : 1);
  return { passed: Math.max(0, tests - skipped - failures), failed, skipped };
}

function numberOf(tag: string, attribute: string): number {
  return Number(new RegExp(`\\b${attribute}="(\\d+)"`).exec(tag)?.[1] ?? 0);
}
