/**
 * The folder in which one `tulle up` keeps what its parts need: tokens, addresses, logs. It goes away at the end; one that
 * a killed run left is removed by the next.
 */
import { chmodSync, chownSync, existsSync, mkdirSync, mkdtempSync, openSync, readdirSync, readFileSync } from "node:fs";
import { closeSync, fstatSync, ftruncateSync, readSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const PREFIX = "tulle-up-";
/** Names the process that owns the folder: "<pid> <start time>". */
const OWNER_FILE = "owner";
/** Largest log file, bytes; then it starts anew. The folder may be in memory. */
const MAX_LOG_BYTES = 8 * 1024 * 1024;
/** How much of a log is read to show its last lines. */
const TAIL_BYTES = 16 * 1024;

/** Removes folders whose owner is gone, then makes a new one. @returns its absolute path */
export function createStateFolder(): string {
  for (const name of readdirSync(tmpdir())) {
    if (!name.startsWith(PREFIX)) continue;
    const folder = join(tmpdir(), name);
    if (!isOwned(folder)) removeFolder(folder);
  }
  const folder = mkdtempSync(join(tmpdir(), PREFIX));
  writeFileSync(join(folder, OWNER_FILE), `${process.pid} ${startTime(process.pid)}\n`);
  chmodSync(folder, 0o711); // the sidecars' user finds its way to its own files, and nobody lists them
  return folder;
}

/** Deletes a folder with all that is in it; one that belongs to somebody else stays. */
export function removeFolder(folder: string): void {
  try {
    rmSync(folder, { recursive: true, force: true });
  } catch {
    // Another user's: not ours to remove.
  }
}

/** Makes a folder that only one user may enter. @param uid owner, null for the current user */
export function privateFolder(path: string, uid: number | null): string {
  mkdirSync(path, { recursive: true, mode: 0o711 });
  if (uid !== null) chownSync(path, uid, uid);
  return path;
}

/** Writes a file that only one user may read. */
export function privateFile(path: string, text: string, uid: number | null): void {
  writeFileSync(path, text, { mode: 0o600 });
  if (uid !== null) chownSync(path, uid, uid);
}

/** Last lines of a log. @param count how many at most */
export function lastLines(file: string, count: number): string[] {
  if (!existsSync(file)) return [];
  const fd = openSync(file, "r");
  try {
    const size = fstatSync(fd).size;
    const buffer = Buffer.alloc(Math.min(size, TAIL_BYTES));
    readSync(fd, buffer, 0, buffer.length, size - buffer.length);
    return buffer.toString("utf8").split("\n").filter((line) => line !== "").slice(-count);
  } finally {
    closeSync(fd);
  }
}

/** Empties a log that has become too long; its writer appends, so it goes on at the start. */
export function boundLog(file: string): void {
  if (!existsSync(file)) return;
  const fd = openSync(file, "r+");
  try {
    if (fstatSync(fd).size > MAX_LOG_BYTES) ftruncateSync(fd, 0);
  } finally {
    closeSync(fd);
  }
}

/** Whether a process of this number that started at this time is alive: a number alone may have been given anew. */
export function isAlive(pid: number, started: string): boolean {
  return started !== "" && startTime(pid) === started;
}

/** Start time of a process as the kernel counts it, "" when there is no such process. */
export function startTime(pid: number): string {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    return stat.slice(stat.lastIndexOf(")") + 2).split(" ")[19] ?? ""; // field 22 of the line, 20th after the name
  } catch {
    return "";
  }
}

function isOwned(folder: string): boolean {
  try {
    const [pid, started] = readFileSync(join(folder, OWNER_FILE), "utf8").trim().split(" ");
    return isAlive(Number(pid), started ?? "");
  } catch {
    return false;
  }
}
