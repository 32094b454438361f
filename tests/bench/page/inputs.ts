/** Results of other tools that the page shows: attacks, faults, the soak, and conformance suites. */
import { existsSync, readFileSync } from "node:fs";
import { Glob } from "bun";
import { join } from "node:path";
import type { PageInputs } from "../options.ts";

export interface AttackRow {
  readonly attack: string;
  /** Megabytes when a number. */
  readonly bound: number | string;
  readonly measured: number | string;
  /** What other clients waited meanwhile. */
  readonly othersP99Ms: number;
  readonly ok: boolean;
}

export interface FaultRow {
  readonly fault: string;
  readonly requests: number;
  readonly failed: number;
  readonly retried: number;
  readonly note: string;
  readonly ok: boolean;
}

export interface Soak {
  readonly samples: readonly {
    /** Seconds since the start. */
    readonly t: number;
    readonly proxy: string;
    readonly rssMb: number;
    readonly anonMb: number;
    readonly fds: number;
  }[];
  /** By proxy. */
  readonly slopeMbPerHour: Readonly<Record<string, number>>;
}

export interface SuiteRow {
  readonly suite: string;
  readonly version: string;
  readonly passed: number;
  readonly failed: number;
  readonly skipped: number;
  readonly failures: readonly unknown[];
}

export interface Extras {
  readonly attacks: readonly AttackRow[];
  readonly faults: readonly FaultRow[];
  readonly soak: Soak | null;
  readonly suites: readonly SuiteRow[];
  /** Files that could not be read as what they should be. */
  readonly problems: readonly string[];
}

/**
 * Reads what is given, or what is found where those tools are told to put it. A file that was named and is missing, or one
 * that is something else, becomes a problem; the page is written all the same.
 *
 * @param root of the repository
 */
export function readExtras(inputs: PageInputs, root: string): Extras {
  const problems: string[] = [];
  const read = <T>(given: string | null, usual: string, parse: (value: unknown) => T, none: T): T => {
    const path = given ?? join(root, "dist", "bench", usual);
    if (given === null && !existsSync(path)) return none;
    try {
      return parse(JSON.parse(readFileSync(path, "utf8")));
    } catch (cause) {
      problems.push(`${given ?? usual}: ${cause instanceof Error ? cause.message : String(cause)}`);
      return none;
    }
  };
  const folder = inputs.conformance ?? join(root, "tests", "conformance");
  const results = existsSync(folder) ? [...new Glob("*/result.json").scanSync({ cwd: folder })].sort() : [];
  return {
    attacks: read(inputs.attacks, "attacks.json", parseAttacks, []),
    faults: read(inputs.faults, "faults.json", parseFaults, []),
    soak: read(inputs.soak ?? keptSoak(root), "soak.json", parseSoak, null),
    suites: results.flatMap((path) => read(join(folder, path), "", parseSuites, [])),
    problems,
  };
}

/** The soak that is kept beside the code, unless there is a newer one. */
function keptSoak(root: string): string | null {
  const kept = join(root, "tests", "bench", "soak", "result.json");
  return existsSync(join(root, "dist", "bench", "soak.json")) || !existsSync(kept) ? null : kept;
}

export function parseAttacks(value: unknown): AttackRow[] {
  return rowsOf(value, "rows").map((row) => ({
    attack: textOf(row, "attack"),
    bound: numberOrText(row, "bound"),
    measured: numberOrText(row, "measured"),
    othersP99Ms: numberOf(row, "othersP99Ms"),
    ok: row["ok"] === true,
  }));
}

export function parseFaults(value: unknown): FaultRow[] {
  return rowsOf(value, "rows").map((row) => ({
    fault: textOf(row, "fault"),
    requests: numberOf(row, "requests"),
    failed: numberOf(row, "failed"),
    retried: numberOf(row, "retried"),
    note: String(row["note"] ?? ""),
    ok: row["ok"] === true,
  }));
}

export function parseSoak(value: unknown): Soak {
  const slopes = recordOf(value)["slopeMbPerHour"];
  return {
    samples: rowsOf(value, "samples").map((row) => ({
      t: numberOf(row, "t"),
      proxy: textOf(row, "proxy"),
      rssMb: numberOf(row, "rssMb"),
      anonMb: numberOf(row, "anonMb"),
      fds: numberOf(row, "fds"),
    })),
    slopeMbPerHour: slopes === undefined ? {} : recordOf(slopes) as Record<string, number>, // shown as what it is
  };
}

/** One result, or a list of them. */
export function parseSuites(value: unknown): SuiteRow[] {
  return (Array.isArray(value) ? value : [value]).map((each: unknown) => {
    const row = recordOf(each);
    return {
      suite: textOf(row, "suite"),
      version: String(row["version"] ?? ""),
      passed: numberOf(row, "passed"),
      failed: numberOf(row, "failed"),
      skipped: numberOf(row, "skipped"),
      failures: Array.isArray(row["failures"]) ? row["failures"] as unknown[] : [],
    };
  });
}

type Fields = Readonly<Record<string, unknown>>;

function rowsOf(value: unknown, key: string): Fields[] {
  const rows = recordOf(value)[key];
  if (!Array.isArray(rows)) throw new Error(`want an object with a list "${key}"`);
  return rows.map(recordOf);
}

function recordOf(value: unknown): Fields {
  if (typeof value !== "object" || value === null || Array.isArray(value)) throw new Error("want an object");
  return value as Fields; // checked
}

function textOf(row: Fields, key: string): string {
  const value = row[key];
  if (typeof value !== "string") throw new Error(`want a text "${key}"`);
  return value;
}

/** NaN when it is left out or null: JSON has no NaN. */
function numberOf(row: Fields, key: string): number {
  const value = row[key];
  if (value === undefined || value === null) return NaN;
  if (typeof value !== "number") throw new Error(`want a number "${key}"`);
  return value;
}

function numberOrText(row: Fields, key: string): number | string {
  return typeof row[key] === "string" ? row[key] : numberOf(row, key);
}
