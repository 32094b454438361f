/**
 * The C library's functions that every proxy needs, opened once: each `dlopen` compiles its own calls and keeps some
 * hundred kilobytes. What few processes need (becoming another user, marked sockets) opens its own when it is used.
 */
import { dlopen, FFIType, type Pointer, ptr } from "bun:ffi";

const { i32, u32 } = FFIType;

export const libc = dlopen("libc.so.6", {
  getsockopt: { args: [i32, i32, i32, FFIType.ptr, FFIType.ptr], returns: i32 },
  setsockopt: { args: [i32, i32, i32, FFIType.ptr, u32], returns: i32 },
  recv: { args: [i32, FFIType.ptr, FFIType.u64, i32], returns: i32 },
  fcntl: { args: [i32, i32, i32], returns: i32 },
  close: { args: [i32], returns: i32 },
  getrlimit: { args: [i32, FFIType.ptr], returns: i32 },
  getpriority: { args: [i32, u32], returns: i32 },
  setpriority: { args: [i32, u32, i32], returns: i32 },
}).symbols;

const pinned: NodeJS.ArrayBufferView[] = [];

/**
 * The address of memory that calls use again and again. It stays where it is and is never given back: an address does
 * not keep the memory, and a constant of a module that no function refers to is collected like any other value. The
 * kernel would then read what is not ours, or write over it.
 *
 * @param memory with an ArrayBuffer of its own: the collector may move a plain small Uint8Array
 */
export function pinnedPtr(memory: NodeJS.ArrayBufferView): Pointer {
  pinned.push(memory);
  return ptr(memory);
}

const F_DUPFD_CLOEXEC = 1030;

/** Another descriptor of the same file. @returns it, or -1 when there are none left */
export function duplicate(fd: number): number {
  return libc.fcntl(fd, F_DUPFD_CLOEXEC, 0);
}
