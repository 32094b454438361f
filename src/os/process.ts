/** What the runtime does not offer for processes: exec, reaping children of somebody else, a file that only who may look into us can read. */
import { dlopen, FFIType, ptr } from "bun:ffi";
import { writeText } from "./files.ts";

const { i32, u32 } = FFIType;
/** Opened with this module, which only an upgrade loads. */
const libc = dlopen("libc.so.6", {
  fcntl: { args: [i32, i32, i32], returns: i32 },
  close: { args: [i32], returns: i32 },
  waitpid: { args: [i32, FFIType.ptr, i32], returns: i32 },
  memfd_create: { args: [FFIType.ptr, u32], returns: i32 },
  execve: { args: [FFIType.ptr, FFIType.ptr, FFIType.ptr], returns: i32 },
}).symbols;
const F_DUPFD_CLOEXEC = 1030;
const F_GETFD = 1;
const F_SETFD = 2;
const FD_CLOEXEC = 1;
const WNOHANG = 1;
const MFD_CLOEXEC = 1;

/** Whether a descriptor is open. */
export function isDescriptor(fd: number): boolean {
  return libc.fcntl(fd, F_GETFD, 0) >= 0;
}

/** Another descriptor of the same file, the caller's to close; -1 when there is none left. */
export function duplicateDescriptor(fd: number): number {
  return libc.fcntl(fd, F_DUPFD_CLOEXEC, 0);
}

/** Says whether programs that this process executes get the descriptor. */
export function setInherited(fd: number, isInherited: boolean): void {
  libc.fcntl(fd, F_SETFD, isInherited ? 0 : FD_CLOEXEC);
}

/**
 * Replaces this process by a program, which keeps the process id (execve(2)). Threads end, descriptors that are marked
 * so stay.
 *
 * @param path of the program
 * @returns only when it failed
 */
export function execute(path: string, argv: readonly string[], env: Readonly<Record<string, string>>): void {
  const kept: unknown[] = []; // the pointers are good for as long as this is
  const variables = Object.entries(env).map(([name, value]) => `${name}=${value}`);
  libc.execve(text(path, kept), texts(argv, kept), texts(variables, kept));
}

/** Takes the end of a child that was started by the program before in this process. @returns false while it runs */
export function reap(pid: number): boolean {
  return libc.waitpid(pid, null, WNOHANG) !== 0; // -1: it is no child of ours, or somebody else took its end
}

/** @returns path of a file in memory that holds the text, and a way to close it; null where that cannot be made */
export function fileInMemory(contents: string): { readonly path: string; close(): void } | null {
  const fd = libc.memfd_create(text("tulle", []), MFD_CLOEXEC);
  if (fd < 0) return null;
  writeText(fd, contents);
  return { path: `/proc/${process.pid}/fd/${fd}`, close: () => void libc.close(fd) };
}

/** A string for C. */
function text(value: string, kept: unknown[]): ReturnType<typeof ptr> {
  const bytes = new TextEncoder().encode(value);
  const buffer = new Uint8Array(new ArrayBuffer(bytes.length + 1));
  buffer.set(bytes);
  kept.push(buffer);
  return ptr(buffer);
}

/** An array of strings for C, ended by a null pointer. */
function texts(values: readonly string[], kept: unknown[]): ReturnType<typeof ptr> {
  const pointers = new BigUint64Array(new ArrayBuffer((values.length + 1) * 8));
  values.forEach((value, i) => pointers[i] = BigInt(text(value, kept)));
  kept.push(pointers);
  return ptr(pointers);
}
