/** The logs of this process: its own, on stderr, and the access log, on stdout. Neither ever holds the data path up. */
import { LineQueue, LOST_LINES } from "../../base/line_queue.ts";
import { createLogger, type LogFields, type Logger, type LogLevel } from "../../base/log.ts";
import { lineOutput } from "../../os/line_output.ts";

const STDOUT = 1;
const STDERR = 2;
/**
 * Of this thread. Made as the process starts, before it gives up the rights to open them. `process.stderr` would load the
 * runtime's streams, 3.5 MB of memory, for a few lines a day, and would wait for its reader.
 */
const lines = new LineQueue(lineOutput(STDERR));
/** Of the main thread, which writes for all. */
const accessLines = Bun.isMainThread ? new LineQueue(lineOutput(STDOUT)) : null;

/** @param fields stand in every line */
export function processLog(level: LogLevel, fields: LogFields = {}): Logger {
  const log = createLogger({ level, write: (line) => lines.offer(line), now: () => Date.now(), fields });
  lines.onRecovered = (lost) => log.warn(LOST_LINES, { log: "process", lines: lost });
  return log;
}

/** Lines of the process log that were lost in this thread. */
export function lostLines(): number {
  return lines.lost;
}

/** Writes lines of the access log; one call at a time for each thread. @returns how many were lost */
export function writeAccessLines(text: string): Promise<number> {
  return accessLines?.write(text) ?? Promise.resolve(0);
}
