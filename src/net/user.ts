/** Becoming another user once the listeners are open. */
import { dlopen, FFIType, ptr } from "bun:ffi";

const { i32, u32, u64 } = FFIType;

/**
 * Gives up root: supplementary groups, group and user. The C library applies it to all threads of the process.
 *
 * @param uid user and group to become; does nothing when the process is that user already
 * @throws Error when the process may not change its user (set-up error)
 */
export function dropPrivileges(uid: number): void {
  if (process.getuid?.() === uid) return;
  const libc = dlopen("libc.so.6", {
    setgroups: { args: [u64, FFIType.ptr], returns: i32 },
    setgid: { args: [u32], returns: i32 },
    setuid: { args: [u32], returns: i32 },
  }).symbols;
  const none = ptr(new Uint32Array(new ArrayBuffer(4)));
  if (libc.setgroups(0, none) !== 0 || libc.setgid(uid) !== 0 || libc.setuid(uid) !== 0) {
    throw new Error(`cannot become user ${uid}: start the proxy as root, or leave TULLE_UID unset`);
  }
}
