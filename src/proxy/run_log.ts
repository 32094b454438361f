/** The log of this process. */
import { writeSync } from "node:fs";
import { createLogger, type LogFields, type Logger, type LogLevel } from "../base/log.ts";

/** @param fields stand in every line */
export function processLog(level: LogLevel, fields: LogFields = {}): Logger {
  return createLogger({ level, write: writeLine, now: () => Date.now(), fields });
}

/** `process.stderr` would load the runtime's streams, 3.5 MB of memory, for a few lines a day. */
function writeLine(line: string): void {
  try {
    writeSync(2, line);
  } catch {
    // Nobody reads the log any more; that is no reason to end.
  }
}
