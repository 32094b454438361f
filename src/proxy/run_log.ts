/** The log of this process. */
import { createLogger, type LogFields, type Logger, type LogLevel } from "../base/log.ts";
import { writeText } from "../os/files.ts";

const STDERR = 2;

/** @param fields stand in every line */
export function processLog(level: LogLevel, fields: LogFields = {}): Logger {
  return createLogger({ level, write: writeLine, now: () => Date.now(), fields });
}

/**
 * `process.stderr` would load the runtime's streams, 3.5 MB of memory, for a few lines a day. That nobody reads the log any
 * more is no reason to end.
 */
function writeLine(line: string): void {
  writeText(STDERR, line);
}
