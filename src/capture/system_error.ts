/** Kernel errors as sentences: what was tried, what the kernel said, what to do about it. */

/** Linux error numbers that this folder's calls return (asm-generic/errno.h). */
export const Errno = {
  EPERM: 1,
  ENOENT: 2,
  EINTR: 4,
  EIO: 5,
  EAGAIN: 11,
  ENOMEM: 12,
  EACCES: 13,
  EBUSY: 16,
  EEXIST: 17,
  ENODEV: 19,
  EINVAL: 22,
  EMFILE: 24,
  ENOSPC: 28,
  ERANGE: 34,
  EAFNOSUPPORT: 97,
  EADDRINUSE: 98,
  EADDRNOTAVAIL: 99,
  ENETUNREACH: 101,
  ENOBUFS: 105,
  EOPNOTSUPP: 95,
} as const;

const NAMES = new Map<number, string>(Object.entries(Errno).map(([name, number]) => [number, name]));

/** What usually stands behind an error of these calls, and the way out. */
const HINTS: Readonly<Record<number, string>> = {
  [Errno.EPERM]: "this needs CAP_NET_ADMIN and CAP_SYS_ADMIN: run as root, or where user namespaces are allowed",
  [Errno.EACCES]: "permission denied: run as root, or where user namespaces are allowed",
  [Errno.ENOENT]:
    "the kernel does not know it: nf_tables with NAT may be missing (modules nf_tables, nft_chain_nat, nft_redir)",
  [Errno.EAFNOSUPPORT]: "the address family is switched off in this kernel",
  [Errno.EOPNOTSUPP]:
    "the kernel lacks this feature: nf_tables NAT in family inet needs Linux 5.2, veth and bridge their modules",
  [Errno.EEXIST]: "it exists already",
  [Errno.ENOSPC]: "a limit of namespaces is reached: see /proc/sys/user/max_*_namespaces",
  [Errno.EMFILE]: "too many open files: raise `ulimit -n`",
  [Errno.ENODEV]: "there is no such device",
  [Errno.EINVAL]: "the kernel refused the request as malformed or not possible here",
};

/** A system call or netlink request that the kernel refused. */
export class SystemError extends Error {
  /** Linux error number, positive. */
  readonly errno: number;
  /** Symbolic name such as "EPERM", or "errno 123". */
  readonly code: string;

  /**
   * @param action what was tried, as in "create bridge tulle0"
   * @param errno the kernel's error number, positive
   * @param detail what the kernel added (extended ack of netlink), may be empty
   */
  constructor(action: string, errno: number, detail = "") {
    const code = errnoName(errno);
    const hint = HINTS[errno];
    super(`${code}: cannot ${action}${detail === "" ? "" : ` (${detail})`}${hint === undefined ? "" : `: ${hint}`}`);
    this.name = "SystemError";
    this.errno = errno;
    this.code = code;
  }
}

/** Symbolic name of an error number. */
export function errnoName(errno: number): string {
  return NAMES.get(errno) ?? `errno ${errno}`;
}
