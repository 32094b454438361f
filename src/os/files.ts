/**
 * Small files, by the C library. `node:fs` would cost every idle proxy a third of a megabyte of private memory, for a few
 * files that are read at the start and written once a day. All calls block: they are for files in memory and /proc.
 */
import { dlopen, FFIType, type Pointer, read } from "bun:ffi";
import { Errno, errnoName } from "./errno.ts";

const { i32, i64_fast: i64, u32, ptr } = FFIType;

const libc = dlopen("libc.so.6", {
  __errno_location: { args: [], returns: ptr },
  open: { args: [ptr, i32, u32], returns: i32 },
  read: { args: [i32, ptr, i64], returns: i64 },
  write: { args: [i32, ptr, i64], returns: i64 },
  close: { args: [i32], returns: i32 },
  rename: { args: [ptr, ptr], returns: i32 },
  unlink: { args: [ptr], returns: i32 },
  mkdir: { args: [ptr, u32], returns: i32 },
  getdents64: { args: [i32, ptr, i64], returns: i64 },
  readlink: { args: [ptr, ptr, i64], returns: i64 },
}).symbols;

const O_RDONLY = 0;
const O_WRONLY = 1;
const O_CREAT = 0o100;
const O_TRUNC = 0o1000;
const O_CLOEXEC = 0o2000000;
/** For the proxy's own eyes: keys are among its files. */
const FILE_MODE = 0o600;
const FOLDER_MODE = 0o700;
/** Read at a time, bytes: all of most files. */
const PIECE_BYTES = 16 * 1024;
/** PATH_MAX */
const MAX_PATH_BYTES = 4096;
/** struct linux_dirent64: its length stands at byte 16, its name from byte 19 on. */
const ENTRY_LENGTH_AT = 16;
const ENTRY_NAME_AT = 19;

/** What the kernel refused. */
export class FileError extends Error {
  /** "ENOENT" and the like. */
  readonly code: string;

  constructor(action: string, path: string, errno: number) {
    const code = errnoName(errno);
    super(`${code}: cannot ${action} ${path}`);
    this.name = "FileError";
    this.code = code;
  }
}

/** The text of a file (UTF-8). Throws FileError. @param maxBytes a longer one is refused with "EFBIG" */
export function readText(path: string, maxBytes = Infinity): string {
  return readAll(path, maxBytes).toString();
}

/** The bytes of a file. Throws FileError. @param maxBytes a longer one is refused with "EFBIG" */
export function readBytes(path: string, maxBytes = Infinity): Uint8Array {
  return readAll(path, maxBytes);
}

/** Replaces a file in one step: what reads it sees all of the old or all of the new contents. Throws FileError. */
export function replaceFile(path: string, contents: string | Uint8Array): void {
  const bytes = typeof contents === "string" ? new TextEncoder().encode(contents) : contents;
  const draft = `${path}.${process.pid}.new`; // during an upgrade two proxies may write the same file
  const fd = open(draft, O_WRONLY | O_CREAT | O_TRUNC);
  const written = writeAll(fd, bytes);
  const reason = written ? 0 : errno();
  libc.close(fd);
  if (!written) throw discard(draft, new FileError("write", draft, reason));
  if (libc.rename(cString(draft), cString(path)) !== 0) throw discard(draft, failure("replace", path));
}

/** Where the disk is full, what is left of a draft would keep it so. */
function discard(draft: string, error: FileError): FileError {
  libc.unlink(cString(draft));
  return error;
}

/** Removes a file; does nothing when there is none. Throws FileError. */
export function removeFile(path: string): void {
  if (libc.unlink(cString(path)) !== 0 && errno() !== Errno.ENOENT) throw failure("remove", path);
}

/** Makes a folder and those above it; does nothing when it is there. Throws FileError. */
export function makeFolder(path: string): void {
  if (libc.mkdir(cString(path), FOLDER_MODE) === 0 || errno() === Errno.EEXIST) return;
  const above = path.slice(0, path.lastIndexOf("/"));
  if (errno() !== Errno.ENOENT || above === "") throw failure("make", path);
  makeFolder(above);
  if (libc.mkdir(cString(path), FOLDER_MODE) !== 0 && errno() !== Errno.EEXIST) throw failure("make", path);
}

/** What `listFolder` reads into, kept: some folders are read many times a second. */
let entries: Uint8Array<ArrayBuffer> | null = null;

/** Names in a folder, in no order. Throws FileError. */
export function listFolder(path: string): string[] {
  const names: string[] = [];
  const piece = entries ??= bytesOf(PIECE_BYTES);
  const view = new DataView(piece.buffer);
  const fd = open(path, O_RDONLY);
  for (;;) {
    const got = Number(libc.getdents64(fd, piece, PIECE_BYTES));
    const reason = got < 0 ? errno() : 0;
    if (got <= 0) libc.close(fd);
    if (got < 0) throw new FileError("list", path, reason);
    if (got === 0) return names;
    for (let at = 0; at < got; at += view.getUint16(at + ENTRY_LENGTH_AT, true)) {
      const start = at + ENTRY_NAME_AT;
      const name = Buffer.from(piece.buffer, start, piece.indexOf(0, start) - start).toString();
      if (name !== "." && name !== "..") names.push(name);
    }
  }
}

/** Where a symbolic link points. Throws FileError. */
export function linkTarget(path: string): string {
  const target = bytesOf(MAX_PATH_BYTES);
  const length = Number(libc.readlink(cString(path), target, MAX_PATH_BYTES));
  if (length < 0) throw failure("read", path);
  return Buffer.from(target.buffer, 0, length).toString();
}

/** Writes text to a descriptor that is open, such as 2. @returns false when not all of it could be written */
export function writeText(fd: number, text: string): boolean {
  return writeAll(fd, new TextEncoder().encode(text));
}

function readAll(path: string, maxBytes: number): Buffer {
  const fd = open(path, O_RDONLY);
  const pieces: Buffer[] = [];
  let total = 0;
  for (;;) {
    const piece = bytesOf(PIECE_BYTES);
    const got = Number(libc.read(fd, piece, PIECE_BYTES));
    const reason = got < 0 ? errno() : 0;
    if (got < 0 && reason === Errno.EINTR) continue;
    total += got;
    if (got <= 0 || total > maxBytes) libc.close(fd);
    if (got < 0) throw new FileError("read", path, reason);
    if (total > maxBytes) throw new FileError("read", path, Errno.EFBIG);
    if (got === 0) break;
    pieces.push(Buffer.from(piece.buffer, 0, got));
  }
  return pieces.length === 1 ? pieces[0] as Buffer : Buffer.concat(pieces); // one is there
}

function writeAll(fd: number, bytes: Uint8Array): boolean {
  let rest = bytes;
  while (rest.length > 0) {
    const taken = Number(libc.write(fd, rest, rest.length));
    if (taken > 0) rest = rest.subarray(taken);
    else if (taken === 0 || errno() !== Errno.EINTR) return false;
  }
  return true;
}

function open(path: string, flags: number): number {
  for (;;) {
    const fd = libc.open(cString(path), flags | O_CLOEXEC, FILE_MODE);
    if (fd >= 0) return fd;
    if (errno() !== Errno.EINTR) throw failure(flags === O_RDONLY ? "read" : "write", path);
  }
}

/** Says the reason of the last call that failed; before any other call. */
function failure(action: string, path: string): FileError {
  return new FileError(action, path, errno());
}

const errnoAt = libc.__errno_location() as Pointer; // every thread has one

function errno(): number {
  return read.i32(errnoAt, 0);
}

/** As C wants a path. A NUL byte in it would cut it short. */
function cString(path: string): Uint8Array {
  if (path.includes("\0")) throw new FileError("use", JSON.stringify(path), Errno.EINVAL);
  const encoded = new TextEncoder().encode(path);
  const bytes = bytesOf(encoded.length + 1);
  bytes.set(encoded);
  return bytes;
}

/** Bytes that stay where they are, which those of a plain small array need not. */
function bytesOf(length: number): Uint8Array<ArrayBuffer> {
  return new Uint8Array(new ArrayBuffer(length));
}
