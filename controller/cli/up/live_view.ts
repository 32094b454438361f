/** Shows the numbers of each look: a table that is redrawn on a terminal, printed now and then elsewhere, or JSON. */
import { MeshStats, type Scrape } from "./mesh_stats.ts";
import { renderTable } from "./stats_table.ts";

/** Elsewhere than on a terminal the table is printed this often. */
const PRINT_EVERY_MS = 5_000;
const DEFAULT_WIDTH = 120;
/** Erases from the cursor to the end of the screen. */
const ERASE_BELOW = "\x1b[J";

export class LiveView {
  readonly #output: "table" | "json";
  readonly #stats = new MeshStats();
  readonly #printed = new MeshStats();
  #lastPrintMs = -Infinity;
  #linesOnScreen = 0;

  constructor(output: "table" | "json") {
    this.#output = output;
  }

  show(scrapes: readonly Scrape[]): void {
    const now = performance.now();
    if (this.#output === "json") {
      const rows = this.#stats.look(scrapes, now);
      process.stdout.write(`${JSON.stringify({ time: new Date().toISOString(), rows })}\n`);
    } else if (process.stdout.isTTY) {
      this.#redraw(renderTable(this.#stats.look(scrapes, now), process.stdout.columns || DEFAULT_WIDTH));
    } else if (now - this.#lastPrintMs >= PRINT_EVERY_MS) {
      this.#lastPrintMs = now;
      const lines = renderTable(this.#printed.look(scrapes, now), DEFAULT_WIDTH);
      process.stdout.write(`\n${lines.join("\n")}\n`);
    }
  }

  /** What was drawn stays; whatever is printed next begins below. */
  finish(): void {
    this.#linesOnScreen = 0;
  }

  /** Erases the drawn table, so that lines can be printed in its place. */
  clear(): void {
    if (this.#linesOnScreen > 0) process.stdout.write(`\x1b[${this.#linesOnScreen}A\r${ERASE_BELOW}`);
    this.#linesOnScreen = 0;
  }

  #redraw(lines: readonly string[]): void {
    const shown = lines.slice(0, Math.max(3, (process.stdout.rows || 40) - 2)); // taller tables would scroll away
    this.clear();
    process.stdout.write(`${shown.join("\n")}\n`);
    this.#linesOnScreen = shown.length;
  }
}
