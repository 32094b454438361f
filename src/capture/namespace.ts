/**
 * Network and mount namespaces of this thread (setns(2), unshare(2)), for code that stays synchronous.
 *
 * Bun runs all JavaScript of a thread on one operating system thread, so a namespace entered here holds for the calls
 * that follow, but not for work handed to pool threads (fs.promises, DNS) or to fetch's HTTP thread. Therefore: enter, do
 * synchronous work (a spawn counts: the child is born inside), leave. `fs` functions without promises are safe.
 */
import { closeSync, openSync } from "node:fs";
import { cString, errno, sys } from "./_libc.ts";
import { SystemError } from "./system_error.ts";

const CLONE_FS = 0x00000200;
const CLONE_NEWNS = 0x00020000;
const CLONE_NEWNET = 0x40000000;

const MS_NOSUID = 2;
const MS_NODEV = 4;
const MS_NOEXEC = 8;
const MS_BIND = 4096;
const MS_REC = 16384;
const MS_PRIVATE = 1 << 18;

/** Kinds of namespace that a thread can enter here. */
export type NamespaceKind = "net" | "mnt";

const CLONE_FLAG: Readonly<Record<NamespaceKind, number>> = { net: CLONE_NEWNET, mnt: CLONE_NEWNS };

/** An open namespace. It lives as long as the descriptor is open or a process is in it, and needs no other cleaning. */
export class Namespace implements Disposable {
  readonly kind: NamespaceKind;
  /** Descriptor; children do not inherit it. */
  readonly fd: number;

  private constructor(kind: NamespaceKind, fd: number) {
    this.kind = kind;
    this.fd = fd;
  }

  /** The namespace in which this thread is now. */
  static current(kind: NamespaceKind): Namespace {
    return new Namespace(kind, openSync(`/proc/thread-self/ns/${kind}`, "r"));
  }

  /** Opens a namespace by path: /proc/PID/ns/net, /run/netns/NAME, a CNI's CNI_NETNS. @throws ENOENT, EACCES of open */
  static open(kind: NamespaceKind, path: string): Namespace {
    return new Namespace(kind, openSync(path, "r"));
  }

  /** Takes over a descriptor that was inherited. */
  static ofDescriptor(kind: NamespaceKind, fd: number): Namespace {
    return new Namespace(kind, fd);
  }

  /**
   * Creates a namespace and opens it; this thread stays where it is. A new mount namespace starts as a copy in which no
   * mount is shared with the others.
   *
   * @throws SystemError: EPERM without CAP_SYS_ADMIN, ENOSPC when the machine's limit is reached
   */
  static create(kind: NamespaceKind): Namespace {
    using back = Namespace.current(kind);
    const directory = process.cwd();
    if (sys.unshare(CLONE_FLAG[kind]) !== 0) throw new SystemError(`create a ${kind} namespace`, errno());
    try {
      if (kind === "mnt") makeMountsPrivate();
      return Namespace.current(kind);
    } finally {
      enter(back);
      restoreWorkingDirectory(kind, directory);
    }
  }

  /**
   * Runs synchronous work inside and comes back, also when it throws. Anything async in `work` ends up outside.
   *
   * @throws SystemError when entering fails
   */
  run<T>(work: () => T): T {
    using back = Namespace.current(this.kind);
    const directory = process.cwd();
    enter(this);
    try {
      restoreWorkingDirectory(this.kind, directory);
      return work();
    } finally {
      enter(back);
      restoreWorkingDirectory(this.kind, directory);
    }
  }

  [Symbol.dispose](): void {
    closeSync(this.fd);
  }
}

/** Mounts a file or folder over another, in this thread's mount namespace. @throws SystemError */
export function bindMount(source: string, target: string): void {
  mount(`mount ${source} over ${target}`, source, target, null, MS_BIND);
}

/** Mounts a /proc that shows this process's PID namespace. @throws SystemError */
export function mountProc(target: string): void {
  mount(`mount proc at ${target}`, "proc", target, "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC);
}

/** No mount made from now on reaches other namespaces, nor theirs this one. @throws SystemError */
function makeMountsPrivate(): void {
  mount("make mounts private", "none", "/", null, MS_REC | MS_PRIVATE);
}

function enter(namespace: Namespace): void {
  const { kind, fd } = namespace;
  if (kind === "mnt") leaveSharedWorkingDirectory();
  if (sys.setns(fd, CLONE_FLAG[kind]) !== 0) throw new SystemError(`enter a ${kind} namespace`, errno());
}

/** Entering a mount namespace moves the thread to its root folder. */
function restoreWorkingDirectory(kind: NamespaceKind, directory: string): void {
  if (kind !== "mnt") return;
  try {
    process.chdir(directory);
  } catch {
    // The folder is gone: it was so before, and relative paths fail as they would have.
  }
}

/**
 * A mount namespace can be entered only by a thread that shares its root and working directory with no other thread. Each
 * time anew: threads that were started since share them again.
 */
function leaveSharedWorkingDirectory(): void {
  if (sys.unshare(CLONE_FS) !== 0) throw new SystemError("unshare the working directory", errno());
}

function mount(action: string, source: string, target: string, type: string | null, flags: number): void {
  const from = cString(source);
  const to = cString(target);
  const kind = type === null ? null : cString(type);
  if (sys.mount(from, to, kind, flags, null) !== 0) throw new SystemError(action, errno());
}
