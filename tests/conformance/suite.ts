/** What every conformance suite yields. */
export interface SuiteResult {
  readonly suite: string;
  readonly version: string;
  readonly passed: number;
  readonly failed: number;
  readonly skipped: number;
  readonly failures: readonly Failure[];
  /** Set when the suite could not run at all, for instance because its tool is missing. */
  readonly skippedBecause?: string;
}

export interface Failure {
  /** Section and title, as the suite names the case. */
  readonly name: string;
  readonly detail: string;
}

/** Runs a suite; `say` prints a line for people. */
export type Suite = (say: (line: string) => void) => Promise<SuiteResult>;

export function skippedSuite(suite: string, reason: string): SuiteResult {
  return { suite, version: "", passed: 0, failed: 0, skipped: 1, failures: [], skippedBecause: reason };
}
