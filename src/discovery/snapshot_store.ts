/**
 * The last good snapshots on disk, so that a proxy that was restarted serves while the controller is away.
 *
 * One file per resource holds the SubscribeResponse as it came; it is decoded and validated like one when it is read back.
 */
import { FileError, listFolder, makeFolder, readBytes, removeFile, replaceFile } from "../os/files.ts";

/** Files that are read back: all targets and the inbound policy. */
const MAX_FILES = 1025;
/** Larger files are not ours: messages are smaller. */
const MAX_FILE_BYTES = 4 * 1024 * 1024;
/** All files together. */
const MAX_TOTAL_BYTES = 64 * 1024 * 1024;
/** Writes are gathered this long: endpoints come in bursts. */
const GATHER_MS = 200;
/** Until what could not be written is tried again: a disk that is full stays so for a while. */
const AGAIN_MS = 2000;
const SUFFIX = ".snapshot";

/** See the file's head. */
export class SnapshotStore {
  readonly #dir: string;
  readonly #onError: (error: unknown) => void;
  /** Name → contents to write, or null to remove. */
  readonly #pending = new Map<string, Uint8Array | null>();
  #timer: ReturnType<typeof setTimeout> | null = null;
  /** The last try has failed, which was reported. */
  #isFailing = false;

  /**
   * @param dir the proxy's own; made when it is not there
   * @param onError told when it cannot be written; the proxy goes on
   */
  constructor(dir: string, onError: (error: unknown) => void) {
    this.#dir = dir;
    this.#onError = onError;
  }

  /** Keeps a snapshot, soon. @param message is copied */
  save(name: string, message: Uint8Array): void {
    this.#later(name, message.slice());
  }

  /** Forgets a snapshot, soon. */
  remove(name: string): void {
    this.#later(name, null);
  }

  /** What an earlier process has left, in no order; the caller validates. */
  load(): Uint8Array[] {
    const out: Uint8Array[] = [];
    let total = 0;
    try {
      for (const file of listFolder(this.#dir).filter((name) => name.endsWith(SUFFIX)).slice(0, MAX_FILES)) {
        const message = readOne(`${this.#dir}/${file}`);
        total += message?.length ?? 0;
        if (message !== null && total <= MAX_TOTAL_BYTES) out.push(message);
      }
    } catch (error) {
      if (codeOf(error) !== "ENOENT") this.#onError(error);
    }
    return out;
  }

  /** Writes what is pending now. Each file is replaced in one step; what cannot be written is tried again later. */
  flush(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
    if (this.#pending.size === 0) return;
    let failed: unknown = null;
    for (const [name, message] of this.#pending) {
      try {
        if (message !== null) makeFolder(this.#dir);
        write(`${this.#dir}/${fileOf(name)}`, message);
        this.#pending.delete(name);
      } catch (error) {
        failed = error;
      }
    }
    if (failed !== null && !this.#isFailing) this.#onError(failed);
    this.#isFailing = failed !== null;
    if (this.#isFailing) this.#timer = setTimeout(() => this.flush(), AGAIN_MS);
  }

  #later(name: string, message: Uint8Array | null): void {
    this.#pending.set(name, message);
    this.#timer ??= setTimeout(() => this.flush(), GATHER_MS);
  }
}

function write(path: string, message: Uint8Array | null): void {
  if (message === null) removeFile(path);
  else replaceFile(path, message);
}

/** Null for what is too large to be ours. */
function readOne(path: string): Uint8Array | null {
  try {
    return readBytes(path, MAX_FILE_BYTES);
  } catch (error) {
    if (codeOf(error) === "EFBIG") return null;
    throw error;
  }
}

/** Names hold characters that file names cannot. */
function fileOf(name: string): string {
  return new Bun.CryptoHasher("sha256").update(name).digest("hex").slice(0, 32) + SUFFIX;
}

function codeOf(error: unknown): string {
  return error instanceof FileError ? error.code : "";
}
