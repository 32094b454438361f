/** Follows the files of folders: each scan compares what is there with what was read, so that a missed event costs time, not truth. */
import { statSync } from "node:fs";
import { errorText } from "../../src/base/error.ts";
import { type FileStatus, FolderState } from "./folder_state.ts";
import { listFiles, readConfigFile } from "./read_folder.ts";
import type { Resource } from "./resources.ts";

/** A file that changed this recently is most likely still being written, milliseconds. */
export const SETTLE_MS = 50;

export interface FolderScan {
  /** The objects in force may differ from before. */
  readonly changed: boolean;
  /** Something was left for a moment (a file being written, a file gone just now): scan again after SETTLE_MS. */
  readonly again: boolean;
}

export class FolderSource {
  readonly #folders: readonly string[];
  readonly #now: () => number;
  readonly #state = new FolderState();
  /** What each file looked like when it was read. */
  readonly #read = new Map<string, string>();
  /** Files that were not there in the last scan: an editor may be between removing and renaming. */
  readonly #missing = new Set<string>();
  #folderErrors: readonly string[] = [];
  #first = true;

  /** @param now wall clock, milliseconds since 1970 */
  constructor(folders: readonly string[], now: () => number) {
    this.#folders = folders;
    this.#now = now;
  }

  /** Objects in force. */
  get resources(): readonly Resource[] {
    return this.#state.resources;
  }

  /** Folders that cannot be listed now; their last good state stays in force. */
  get folderErrors(): readonly string[] {
    return this.#folderErrors;
  }

  status(): FileStatus[] {
    return this.#state.status();
  }

  /** Looks at every file, reads what is new. Never throws. */
  scan(): FolderScan {
    let changed = false;
    let again = false;
    const errors: string[] = [];
    const present = new Set<string>();
    let complete = true;
    for (const folder of this.#folders) {
      try {
        for (const file of listFiles(folder)) present.add(file);
      } catch (error) {
        errors.push(errorText(error));
        complete = false; // what cannot be listed is not gone
      }
    }
    this.#folderErrors = errors;
    for (const file of present) {
      this.#missing.delete(file);
      const look = signature(file);
      if (look !== null && look.text === this.#read.get(file)) continue;
      const age = look === null ? Infinity : this.#now() - look.mtimeMs;
      if (!this.#first && age >= 0 && age < SETTLE_MS) {
        again = true;
        continue;
      }
      this.#state.set(readConfigFile(file));
      changed = true;
      // Written while it was read: what was read holds until the next look.
      if (look !== null && look.text === signature(file)?.text) this.#read.set(file, look.text);
      else again = true;
    }
    if (complete) {
      for (const file of [...this.#state.files()]) {
        if (present.has(file)) continue;
        if (!this.#missing.has(file)) {
          this.#missing.add(file);
          again = true;
          continue;
        }
        this.#missing.delete(file);
        this.#read.delete(file);
        this.#state.remove(file);
        changed = true;
      }
    }
    if (changed) this.#state.settle();
    this.#first = false;
    return { changed, again };
  }
}

/** What changes when a file is written or replaced; null when it cannot be looked at. */
function signature(file: string): { readonly text: string; readonly mtimeMs: number } | null {
  try {
    const { ino, size, mtimeMs, ctimeMs, mode } = statSync(file);
    return { text: `${ino} ${size} ${mtimeMs} ${ctimeMs} ${mode}`, mtimeMs };
  } catch {
    return null;
  }
}
