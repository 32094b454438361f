/** Lines on stdout and stderr of a service, which never waits for who reads them (see the queue). */
import { closeSync, constants, fstatSync, openSync, writeSync } from "node:fs";
import { LineQueue, LOST_LINES } from "../../src/base/line_queue.ts";
import { createLogger, type Logger, type LogLevel } from "../../src/base/log.ts";

/** PIPE_BUF: a write to a pipe of so many bytes is all or nothing, and whole among those of others. */
const PIPE_BYTES = 4096;
const STDERR = 2;

/** The log of this process, on stderr. */
export function serviceLog(level: LogLevel): Logger {
  const lines = lineQueue(STDERR);
  const log = createLogger({ level, write: (line) => lines.offer(line), now: Date.now });
  lines.onRecovered = (lost) => log.warn(LOST_LINES, { lines: lost });
  return log;
}

/** Lines for a descriptor of this process, such as 1. */
export function lineQueue(fd: number): LineQueue {
  const own = nonBlocking(fd);
  return new LineQueue({
    atomicBytes: own === null ? Infinity : PIPE_BYTES,
    write(bytes) {
      try {
        return writeSync(own ?? fd, bytes);
      } catch (cause) {
        return (cause as NodeJS.ErrnoException).code === "EAGAIN" ? 0 : -1; // it throws nothing else
      }
    },
  });
}

/** Opens a pipe or a terminal once more, so that it is non-blocking for us alone; null for files, which never make one wait. */
function nonBlocking(fd: number): number | null {
  try {
    const own = openSync(`/proc/self/fd/${fd}`, constants.O_WRONLY | constants.O_NONBLOCK | constants.O_NOCTTY);
    const found = fstatSync(own);
    if (found.isFIFO() || found.isCharacterDevice()) return own;
    closeSync(own);
  } catch {
    // A socket, or one that may not be opened.
  }
  return null;
}
