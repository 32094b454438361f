/**
 * Sockets that this thread has open, of all kinds, and how many there may be: when descriptors run out a process can
 * neither accept nor connect, whoever used them up.
 */
import { readText } from "../os/files.ts";
import { partOf } from "./threads.ts";

/** Descriptors that are for other things: listeners, the controller, files, admin connections, other threads' pipes. */
const RESERVED = 320;
/** The usual hard limit in containers, for where the process cannot see its own. */
const USUAL_LIMIT = 20_000;
/** Of the sockets that may be open, as many as may have been accepted: most of them cause another one. */
const ACCEPTED_SHARE = 3 / 4;

class OpenSockets {
  count = 0;
  #limit = 0;

  /** Sockets there may be. */
  get most(): number {
    if (this.#limit === 0) this.#limit = descriptorLimit();
    return partOf(Math.max(1, this.#limit - RESERVED));
  }

  /** Sockets at which no more are accepted. */
  get mostAccepted(): number {
    return Math.floor(this.most * ACCEPTED_SHARE);
  }

  /** No further connection may be made. */
  get isFull(): boolean {
    return this.count >= this.most;
  }

  /** Another limit than that of the process, for tests. */
  set limit(descriptors: number) {
    this.#limit = descriptors;
  }
}

/** The sockets of this thread. */
export const openSockets = new OpenSockets();

/** What `ulimit -n` says; the runtime has raised it to the hard limit by now. */
function descriptorLimit(): number {
  try {
    const found = /^Max open files\s+(\d+)/m.exec(readText("/proc/self/limits"))?.[1];
    return found === undefined ? USUAL_LIMIT : Number(found);
  } catch {
    return USUAL_LIMIT;
  }
}
