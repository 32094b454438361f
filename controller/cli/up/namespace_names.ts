/**
 * Names under /run/netns, so that `ip netns exec tulle-front-0 …` works. They are symbolic links to a descriptor of the
 * process that holds the namespaces, not mounts: they pin nothing, and what a killed run leaves are dangling links.
 */
import { mkdirSync, readdirSync, readlinkSync, rmdirSync, statSync, symlinkSync, unlinkSync } from "node:fs";
import { join } from "node:path";

/** Where iproute2 looks. */
const FOLDER = "/run/netns";
const PREFIX = "tulle";

export class NamespaceNames {
  readonly #pid: number;
  readonly #number: number;
  readonly #folder: string;
  readonly #made = new Map<string, string>();

  /**
   * @param pid number, in the machine's PID namespace, of the process that holds the descriptors
   * @param number of this run; the first is "tulle-…", others "tulle1-…"
   */
  constructor(pid: number, number: number, folder = FOLDER) {
    this.#pid = pid;
    this.#number = number;
    this.#folder = folder;
    mkdirSync(folder, { recursive: true });
  }

  /** Full paths of the names given. */
  get paths(): string[] {
    return [...this.#made.values()];
  }

  /** Names a namespace. @param key what it is of, for `remove` @param name "front-0" @returns the name, null when taken */
  add(key: string, name: string, fd: number): string | null {
    const full = `${PREFIX}${this.#number === 0 ? "" : this.#number}-${name}`;
    const path = join(this.#folder, full);
    try {
      symlinkSync(`/proc/${this.#pid}/fd/${fd}`, path);
    } catch {
      return null; // two workloads of one name in different namespaces: the first has it
    }
    this.#made.set(key, path);
    return full;
  }

  remove(key: string): void {
    const path = this.#made.get(key);
    if (path === undefined) return;
    this.#made.delete(key);
    removeName(path);
  }

  removeAll(): void {
    for (const key of [...this.#made.keys()]) this.remove(key);
    removeEmptyFolder(this.#folder);
  }
}

/** Removes names whose process is gone, of whatever run. Call it where /proc shows the machine's processes. */
export function removeStaleNames(folder = FOLDER): void {
  for (const name of listNames(folder)) {
    const path = join(folder, name);
    try {
      if (/^\/proc\/\d+\/fd\/\d+$/.test(readlinkSync(path)) && !exists(path)) removeName(path);
    } catch {
      // Not a link: somebody else's.
    }
  }
}

/** Removes names that a run has left. @param pid of the process that held its descriptors */
export function removeNames(paths: readonly string[], pid: number): void {
  for (const path of stillNamed(paths, pid)) removeName(path);
  if (paths.length > 0) removeEmptyFolder(FOLDER);
}

/** Those of the names that are there and still of that process: a name may have gone to another run. */
export function stillNamed(paths: readonly string[], pid: number): string[] {
  return paths.filter((path) => {
    try {
      return readlinkSync(path).startsWith(`/proc/${pid}/`);
    } catch {
      return false;
    }
  });
}

function listNames(folder: string): string[] {
  try {
    return readdirSync(folder).filter((name) => name.startsWith(PREFIX));
  } catch {
    return [];
  }
}

function exists(path: string): boolean {
  try {
    statSync(path);
    return true;
  } catch {
    return false;
  }
}

function removeName(path: string): void {
  try {
    unlinkSync(path);
  } catch {
    // Gone already.
  }
}

function removeEmptyFolder(folder: string): void {
  try {
    rmdirSync(folder);
  } catch {
    // In use, or never made.
  }
}
