/** What a fault of the table is, and how it becomes a test. */
import { expect, setDefaultTimeout, test } from "bun:test";
import { isDirect } from "../support/mesh.ts";

/** Sizes of a run: `full` for the table, `short` for every change. */
export interface Size {
  readonly isFull: boolean;
  /** Requests a second. */
  readonly rate: number;
  /** Requests that may be under way at a time. */
  readonly most: number;
  /** Requests of one fault over all its rounds, at least. */
  readonly requests: number;
  /** Requests wait longer than by default for an endpoint that restarts: on a busy machine a process takes seconds to start. */
  readonly isPatient: boolean;
}

export const FULL: Size = { isFull: true, rate: 1000, most: 500, requests: 100_000, isPatient: false };
export const SHORT: Size = { isFull: false, rate: 300, most: 24, requests: 900, isPatient: true };

/** What came of it. */
export interface Outcome {
  readonly requests: number;
  /** Requests that did not get their answer. */
  readonly failed: number;
  /** Further tries that the client's sidecar made. */
  readonly retried: number;
  /** What failed and why, or what else was measured. */
  readonly note: string;
  /** What does not hold, each in one line; none when all is well. */
  readonly problems: readonly string[];
}

/** A row of the table. */
export interface Fault {
  readonly name: string;
  /** Why it cannot be run here, or null. */
  readonly missing?: () => string | null;
  run(size: Size): Promise<Outcome>;
}

/** Longest time for one fault in a test, for machines that are busy. */
const TEST_MS = 120_000;

/** Each fault of a family, in its short size, as a test. */
export function testFaults(faults: readonly Fault[]): void {
  setDefaultTimeout(TEST_MS);
  for (const fault of faults) {
    const missing = isDirect ? "there is no mesh" : fault.missing?.() ?? null;
    if (missing !== null) console.log(`skipped: ${fault.name}: ${missing}`);
    test.skipIf(missing !== null)(fault.name, async () => {
      const { requests, failed, note, problems } = await fault.run(SHORT);
      expect(problems, `${failed} of ${requests} failed; ${note}`).toEqual([]);
    });
  }
}
