/**
 * The log of a process: one JSON object a line, on a sink that the caller gives. For events of the process (start, refused
 * configuration, rotation, drain), never for requests: those have metrics and the access log.
 */

export type LogLevel = "debug" | "info" | "warn" | "error";

/** Levels from the most to the least talkative. */
export const LOG_LEVELS: readonly LogLevel[] = ["debug", "info", "warn", "error"];

/** Values that a line may carry beside its message. */
export type LogFields = Readonly<Record<string, string | number | boolean | null | readonly string[]>>;

export interface Logger {
  debug(message: string, fields?: LogFields): void;
  info(message: string, fields?: LogFields): void;
  warn(message: string, fields?: LogFields): void;
  error(message: string, fields?: LogFields): void;
}

/** Lines a second after which a message is held back: a peer that fails in a loop must not fill a disk. */
export const MAX_LINES_PER_SECOND = 100;

export interface LogOptions {
  /** Lines below this level are not written. */
  readonly level: LogLevel;
  /** Takes one line with its line feed. */
  readonly write: (line: string) => void;
  /** Wall clock, milliseconds since 1970. */
  readonly now: () => number;
  /** Stand in every line. */
  readonly fields?: LogFields;
}

/** A logger. Beyond MAX_LINES_PER_SECOND lines are dropped; the next second's first line says how many (`suppressed`). */
export function createLogger(options: LogOptions): Logger {
  const lowest = LOG_LEVELS.indexOf(options.level);
  let second = 0;
  let lines = 0;
  let suppressed = 0;
  function log(level: LogLevel, message: string, fields: LogFields | undefined): void {
    if (LOG_LEVELS.indexOf(level) < lowest) return;
    const now = options.now();
    const thisSecond = Math.floor(now / 1000);
    if (thisSecond !== second) {
      second = thisSecond;
      lines = 0;
    }
    if (++lines > MAX_LINES_PER_SECOND) {
      suppressed++;
      return;
    }
    const entry: Record<string, unknown> = {
      time: new Date(now).toISOString(),
      level,
      message,
      ...options.fields,
      ...fields,
    };
    if (suppressed > 0) entry.suppressed = suppressed;
    suppressed = 0;
    options.write(JSON.stringify(entry) + "\n");
  }
  return {
    debug: (message, fields) => log("debug", message, fields),
    info: (message, fields) => log("info", message, fields),
    warn: (message, fields) => log("warn", message, fields),
    error: (message, fields) => log("error", message, fields),
  };
}
