/** What is in force of a set of files: the last good state of each, with no object in two of them. Pure. */
import { type ParsedFile, type Placed } from "./parse_file.ts";
import type { Problem } from "./problem.ts";
import { keyOf, type Resource } from "./resources.ts";

/** A file as an operator wants to see it. */
export interface FileStatus {
  readonly file: string;
  /** "current": its newest content is in force. "last_good": it is broken, an older content is. "refused": it never was good. */
  readonly state: "current" | "last_good" | "refused";
  readonly objects: number;
  readonly errors: readonly Problem[];
  readonly warnings: readonly Problem[];
}

interface FileEntry {
  latest: ParsedFile;
  /** What is in force of this file; null when it never was good. */
  good: readonly Placed[] | null;
  /** Objects of `latest` that another file holds already. */
  conflicts: readonly Problem[];
}

/** Files by name. After any sequence of `set` and `remove`, call `settle` once. */
export class FolderState {
  readonly #files = new Map<string, FileEntry>();
  #resources: readonly Resource[] = [];

  /** Takes the newest content of a file. */
  set(parsed: ParsedFile): void {
    const entry = this.#files.get(parsed.file);
    if (entry === undefined) this.#files.set(parsed.file, { latest: parsed, good: null, conflicts: [] });
    else entry.latest = parsed;
  }

  /** Forgets a file and its objects. */
  remove(file: string): void {
    this.#files.delete(file);
  }

  /** Names of the files known. */
  files(): IterableIterator<string> {
    return this.#files.keys();
  }

  /** Objects in force after the last `settle`. */
  get resources(): readonly Resource[] {
    return this.#resources;
  }

  /**
   * Decides what is in force. An object that stands in two files belongs to the one that had it first (by name, when both
   * are new); the other file is refused as a whole until the conflict is gone.
   */
  settle(): void {
    const owners = new Map<string, Placed>();
    const names = [...this.#files.keys()].sort();
    const undecided: FileEntry[] = [];
    for (const name of names) {
      const entry = this.#files.get(name) as FileEntry; // from the map's own keys
      entry.conflicts = [];
      if (entry.latest.errors.length === 0 && entry.good !== entry.latest.resources) undecided.push(entry);
      else if (entry.good !== null) claim(owners, entry.good);
    }
    for (const entry of undecided) {
      const conflicts = entry.latest.resources.flatMap((placed) => conflict(owners, placed));
      if (conflicts.length === 0) entry.good = entry.latest.resources;
      entry.conflicts = conflicts;
      if (entry.good !== null) claim(owners, entry.good);
    }
    this.#resources = [...owners.values()].map((placed) => placed.resource);
  }

  /** Every file with its errors and warnings, by name. */
  status(): FileStatus[] {
    return [...this.#files.keys()].sort().map((file) => {
      const { latest, good, conflicts } = this.#files.get(file) as FileEntry; // from the map's own keys
      const errors = [...latest.errors, ...conflicts];
      const state = errors.length === 0 ? "current" : good === null ? "refused" : "last_good";
      return { file, state, objects: good?.length ?? 0, errors, warnings: latest.warnings };
    });
  }
}

/** Takes what nobody holds yet. */
function claim(owners: Map<string, Placed>, placed: readonly Placed[]): void {
  for (const item of placed) {
    const key = keyOf(item.resource);
    if (!owners.has(key)) owners.set(key, item);
  }
}

function conflict(owners: ReadonlyMap<string, Placed>, placed: Placed): Problem[] {
  const object = keyOf(placed.resource);
  const owner = owners.get(object);
  if (owner === undefined) return [];
  const detail = `${object} stands in ${owner.file}:${owner.line} already: keep one of the two`;
  return [{ severity: "error", file: placed.file, line: placed.line, column: 1, path: "", object: "", detail }];
}
