/** What every conformance suite yields. */
export interface SuiteResult {
  readonly suite: string;
  readonly version: string;
  readonly passed: number;
  readonly failed: number;
  readonly skipped: number;
  readonly failures: readonly Failure[];
  /** Cases that passed by group (combination of peers, way), where the suite has groups. */
  readonly groups?: Readonly<Record<string, number>>;
  /** The suite's own report, where it writes one: kept beside the result. */
  readonly report?: { readonly file: string; readonly text: string };
  /** Set when the suite could not run at all, for instance because its tool is missing. */
  readonly skippedBecause?: string;
}

export interface Failure {
  /** Section and title, as the suite names the case. */
  readonly name: string;
  readonly detail: string;
}

export interface SuiteOptions {
  /** Runs a part that takes seconds, as `deno task test` does. */
  readonly quick: boolean;
}

/** Runs a suite; `say` prints a line for people. */
export type Suite = (say: (line: string) => void, options: SuiteOptions) => Promise<SuiteResult>;

export function skippedSuite(suite: string, reason: string): SuiteResult {
  return { suite, version: "", passed: 0, failed: 0, skipped: 1, failures: [], skippedBecause: reason };
}

/** Collects the outcome of cases. */
export class Tally {
  passed = 0;
  skipped = 0;
  readonly failures: Failure[] = [];
  readonly groups: Record<string, number> = {};

  /** A case that holds. @param group what it is counted under */
  pass(group: string): void {
    this.passAll(group, 1);
  }

  /** Several cases of a group that hold. */
  passAll(group: string, count: number): void {
    this.passed += count;
    this.groups[group] = (this.groups[group] ?? 0) + count;
  }

  fail(name: string, detail: string): void {
    this.failures.push({ name, detail: detail.trim().replace(/\s+/g, " ").slice(0, 600) });
  }

  result(suite: string, version: string): SuiteResult {
    const { passed, skipped, failures, groups } = this;
    return { suite, version, passed, failed: failures.length, skipped, failures, groups };
  }
}
