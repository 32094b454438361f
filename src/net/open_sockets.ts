/**
 * Sockets that this thread has open, of all kinds, and how many there may be: when descriptors run out a process can
 * neither accept nor connect, whoever used them up. The kernel gives a new descriptor the lowest free number, so the
 * number of the latest one says how many are used, by all threads and for whatever.
 */
import { duplicate, libc, pinnedPtr } from "./_libc.ts";
import { partOf } from "./threads.ts";

/**
 * Descriptors that are for other things: listeners, the controller, files, admin connections, other threads' pipes. So many
 * of few …
 */
const RESERVED_SHARE = 1 / 4;
/** … and of many no more than this, of which 256 are for admin connections. */
const MOST_RESERVED = 320;
/** The last of these are for accepting connections that are refused, and for what must not fail: a part of the reserve. */
const LAST_RESORT_SHARE = 1 / 8;
/** The usual hard limit in containers, for where the process cannot see its own. */
const USUAL_LIMIT = 20_000;
/** Of the sockets that may be open, as many as may have been accepted: most of them cause another one. */
const ACCEPTED_SHARE = 3 / 4;
const RLIMIT_NOFILE = 7;
const STDERR = 2;
/** How often to look whether there are descriptors at all, milliseconds: how long a client may hang when there are none. */
export const LOOK_MS = 1000;

class OpenSockets {
  count = 0;
  #limit = 0;
  #isFixed = false;
  /** A descriptor of nothing; -1 while it is given up. */
  #spare = -1;
  /** No descriptor was left when it was looked. */
  #isOut = false;

  /** Descriptors that the process may have (ulimit -n). */
  get limit(): number {
    if (this.#limit === 0) this.#limit = descriptorLimit();
    return this.#limit;
  }

  /** Another limit than that of the process, for tests; 0: that of the process. */
  set limit(descriptors: number) {
    this.#limit = descriptors;
    this.#isFixed = descriptors > 0;
  }

  /** Descriptors that are not for connections of the data path. */
  get reserved(): number {
    return Math.min(MOST_RESERVED, Math.ceil(this.limit * RESERVED_SHARE));
  }

  /** Sockets there may be. */
  get most(): number {
    return partOf(this.limit - this.reserved);
  }

  /** Sockets at which no more are accepted. */
  get mostAccepted(): number {
    return Math.floor(this.most * ACCEPTED_SHARE);
  }

  /** Connections that may be open only to be told that there is no room for them. */
  get mostRefused(): number {
    return this.#isOut ? 0 : partOf(Math.floor(this.#lastResort / 2));
  }

  /**
   * Sees whether there are descriptors at all, whoever took them. While there are none, one that is kept for this is given
   * up, so that connections can be accepted and told: in the kernel's queue they would hang, and wake this thread all the
   * time. Call every LOOK_MS.
   */
  look(): void {
    if (this.#spare >= 0) {
      const one = duplicate(STDERR);
      libc.close(one < 0 ? this.#spare : one);
      if (one >= 0) return;
      this.#spare = -1;
      this.#isOut = true;
      return;
    }
    const spare = duplicate(STDERR);
    const one = duplicate(STDERR);
    this.#isOut = one < 0;
    libc.close(this.#isOut ? spare : one);
    if (!this.#isOut) this.#spare = spare;
  }

  /** Why no connection may be kept that was accepted with this descriptor; null when it may. */
  noRoomFor(fd: number): string | null {
    if (!this.#isFixed) this.#limit = descriptorLimit(); // it can be changed while the process runs (prlimit)
    return this.#isOut || this.count > this.mostAccepted || fd >= this.limit - this.#lastResort ? this.#reason : null;
  }

  /** Why no connection may be made now; null when one may. It asks the kernel: two system calls. */
  noRoomToDial(): string | null {
    if (this.#isOut || this.count >= this.most) return this.#reason;
    const lowest = duplicate(STDERR);
    if (lowest >= 0) libc.close(lowest);
    return lowest < 0 || lowest >= this.limit - this.#lastResort ? this.#reason : null;
  }

  get #lastResort(): number {
    return Math.ceil(this.reserved * LAST_RESORT_SHARE);
  }

  get #reason(): string {
    return `this proxy has no file descriptor left: ${this.count} sockets in this thread, ulimit -n is ${this.limit}`;
  }
}

/** The sockets of this thread. */
export const openSockets = new OpenSockets();

/** struct rlimit { soft, hard } */
const rlimit = new BigUint64Array(new ArrayBuffer(16));
const rlimitPtr = pinnedPtr(rlimit);

/** What `ulimit -n` says; the runtime has raised it to the hard limit by now. */
function descriptorLimit(): number {
  if (libc.getrlimit(RLIMIT_NOFILE, rlimitPtr) !== 0) return USUAL_LIMIT;
  return Number(rlimit[0]);
}
