/** Kernel errors as sentences: what was tried, what the kernel said, what to do about it. */

import { Errno, errnoName } from "../os/errno.ts";

export { Errno };

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
