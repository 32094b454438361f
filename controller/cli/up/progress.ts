/** Lines that say how far the start and the end are. They go to stderr when stdout carries JSON. */

const GREEN = "\x1b[32m";
const RED = "\x1b[31m";
const YELLOW = "\x1b[33m";
const DIM = "\x1b[2m";
const RESET = "\x1b[0m";

export class Progress {
  readonly #out: NodeJS.WriteStream;
  readonly #colour: boolean;
  /** Called before each line, so that a table on the screen makes room. */
  beforeLine: (() => void) | null = null;

  constructor(json: boolean) {
    this.#out = json ? process.stderr : process.stdout;
    this.#colour = this.#out.isTTY === true && process.env["NO_COLOR"] === undefined;
  }

  /** Something is done. @param sinceMs `performance.now()` at its start, or null for no time */
  done(text: string, sinceMs: number | null = null): void {
    const time = sinceMs === null ? "" : this.#paint(DIM, ` ${((performance.now() - sinceMs) / 1000).toFixed(1)} s`);
    this.line(`${this.#paint(GREEN, "✓")} ${text}${time}`);
  }

  failed(text: string): void {
    this.line(`${this.#paint(RED, "✗")} ${text}`);
  }

  warn(text: string): void {
    this.line(`${this.#paint(YELLOW, "!")} ${text}`);
  }

  note(text: string): void {
    this.line(`${this.#paint(DIM, "·")} ${text}`);
  }

  line(text: string): void {
    this.beforeLine?.();
    this.#out.write(`${text}\n`);
  }

  #paint(code: string, text: string): string {
    return this.#colour ? `${code}${text}${RESET}` : text;
  }
}
