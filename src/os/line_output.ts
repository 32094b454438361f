/**
 * Writes to a descriptor that the process was given, such as stdout, without ever waiting for its reader. It must stay as
 * it is for others that have it: a terminal that is made non-blocking is so for the shell, too.
 */
import { dlopen, FFIType, type Pointer, ptr as pointerOf, read } from "bun:ffi";
import { Errno } from "./errno.ts";

const { i32, i64_fast: i64, u64, ptr } = FFIType;

const libc = dlopen("libc.so.6", {
  __errno_location: { args: [], returns: ptr },
  lseek: { args: [i32, i64, i32], returns: i64 },
  open: { args: [ptr, i32], returns: i32 },
  poll: { args: [ptr, u64, i32], returns: i32 },
  send: { args: [i32, ptr, i64, i32], returns: i64 },
  write: { args: [i32, ptr, i64], returns: i64 },
}).symbols;

const SEEK_CUR = 1;
/** O_WRONLY | O_NOCTTY | O_NONBLOCK | O_CLOEXEC */
const OPEN_FLAGS = 0o1 | 0o400 | 0o4000 | 0o2000000;
/** MSG_DONTWAIT | MSG_NOSIGNAL */
const SEND_FLAGS = 0x40 | 0x4000;
const POLLOUT = 4;
/** PIPE_BUF: a write to a pipe of so many bytes is all or nothing, and whole among those of others. */
const PIPE_BYTES = 4096;

type Way =
  /** A file on a disk, /dev/null and the like: they take all or fail. */
  | "file"
  /** A pipe or a terminal, opened once more so that it is non-blocking for us alone. */
  | "reopened"
  /** One that may not be opened: asked before each write, and has room for PIPE_BYTES when it says that it has room. */
  | "asked"
  | "socket";

/** What a LineQueue (base/line_queue.ts) writes to. */
class DescriptorOutput {
  /** Most bytes that leave as one. */
  readonly atomicBytes: number;
  readonly #fd: number;
  readonly #way: Way;

  constructor(fd: number, way: Way) {
    this.#fd = fd;
    this.#way = way;
    this.atomicBytes = way === "file" ? Infinity : PIPE_BYTES;
  }

  /** @returns bytes taken; 0 when it takes none for now, -1 when it cannot be written to */
  write(bytes: Uint8Array): number {
    if (this.#way === "asked" && !hasRoom(this.#fd)) return 0;
    for (;;) {
      const taken = this.#way === "socket"
        ? Number(libc.send(this.#fd, bytes, bytes.length, SEND_FLAGS))
        : Number(libc.write(this.#fd, bytes, bytes.length));
      if (taken > 0) return taken;
      const reason = taken < 0 ? errno() : 0;
      if (reason === Errno.EAGAIN || reason === Errno.ENOBUFS) return 0;
      if (reason !== Errno.EINTR) return -1;
    }
  }
}

/** Where lines go that are for a descriptor of this process, such as 1. It keeps a descriptor for as long as the process lives. */
export function lineOutput(fd: number): DescriptorOutput {
  if (Number(libc.lseek(fd, 0, SEEK_CUR)) >= 0) return new DescriptorOutput(fd, "file");
  if (Number(libc.send(fd, EMPTY, 0, SEND_FLAGS)) >= 0) return new DescriptorOutput(fd, "socket");
  const reopened = libc.open(new TextEncoder().encode(`/proc/self/fd/${fd}\0`), OPEN_FLAGS);
  return reopened >= 0 ? new DescriptorOutput(reopened, "reopened") : new DescriptorOutput(fd, "asked");
}

/** struct pollfd: the descriptor, what is asked, what is so. */
const pollFd = new DataView(new ArrayBuffer(8));
const EMPTY = new Uint8Array(new ArrayBuffer(1));

function hasRoom(fd: number): boolean {
  pollFd.setInt32(0, fd, true);
  pollFd.setInt16(4, POLLOUT, true);
  pollFd.setInt16(6, 0, true);
  // An error of the descriptor counts as room: the write says what it is.
  return libc.poll(pointerOf(pollFd.buffer), 1n, 0) !== 0;
}

const errnoAt = libc.__errno_location() as Pointer; // every thread has one

function errno(): number {
  return read.i32(errnoAt, 0);
}
