/**
 * The system calls of this folder, by bun:ffi.
 *
 * Every buffer handed to the kernel must come from `nativeBytes`: a small plain Uint8Array may be moved by the garbage
 * collector after its address was taken, and the kernel would then read or write memory that is no longer ours.
 */
import { dlopen, FFIType, type Pointer, ptr, read } from "bun:ffi";

const { i32, u32, i64, u64 } = FFIType;
const pointer = FFIType.ptr;

const libc = dlopen("libc.so.6", {
  __errno_location: { args: [], returns: pointer },
  unshare: { args: [i32], returns: i32 },
  setns: { args: [i32, i32], returns: i32 },
  mount: { args: [pointer, pointer, pointer, u64, pointer], returns: i32 },
  umount2: { args: [pointer, i32], returns: i32 },
  socket: { args: [i32, i32, i32], returns: i32 },
  bind: { args: [i32, pointer, u32], returns: i32 },
  setsockopt: { args: [i32, i32, i32, pointer, u32], returns: i32 },
  getsockopt: { args: [i32, i32, i32, pointer, pointer], returns: i32 },
  send: { args: [i32, pointer, u64, i32], returns: i64 },
  recv: { args: [i32, pointer, u64, i32], returns: i64 },
  if_nametoindex: { args: [pointer], returns: u32 },
});

/** C functions; each returns -1 on failure and leaves the reason in `errno()`. */
export const sys = libc.symbols;

/** Bytes whose address stays the same for as long as they are referenced. */
export function nativeBytes(length: number): Uint8Array<ArrayBuffer> {
  return new Uint8Array(new ArrayBuffer(length));
}

/** Address of bytes made by `nativeBytes` (or of a view on them). */
export function address(bytes: Uint8Array): Pointer {
  return ptr(bytes);
}

/** Text as a C string in bytes that do not move. */
export function cString(text: string): Uint8Array<ArrayBuffer> {
  const encoded = new TextEncoder().encode(text);
  const bytes = nativeBytes(encoded.length + 1);
  bytes.set(encoded);
  return bytes;
}

/** Error number of the last call of this thread that failed. Read it at once: any further call may change it. */
export function errno(): number {
  const location = sys.__errno_location();
  return location === null ? 0 : read.i32(location, 0);
}
