/** The wall clock of a process, to be set while it runs (libfaketime). Its monotonic clock stays as it is. */
import { existsSync, mkdtempSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const LIBRARIES = ["x86_64", "aarch64"].map((arch) => `/usr/lib/${arch}-linux-gnu/faketime/libfaketime.so.1`);
const library = LIBRARIES.find((path) => existsSync(path)) ?? null;

/** Why no clock can be set here, or null. */
export function missingClock(): string | null {
  return library === null ? "libfaketime is not installed (package faketime)" : null;
}

export class FakeClock implements Disposable {
  readonly #folder = mkdtempSync(join(tmpdir(), "tulle-clock-"));
  readonly #file = join(this.#folder, "offset");
  /** Environment of the processes that have this clock. */
  readonly env: Readonly<Record<string, string>> = {
    LD_PRELOAD: library ?? "",
    FAKETIME_TIMESTAMP_FILE: this.#file,
    FAKETIME_NO_CACHE: "1",
    FAKETIME_DONT_FAKE_MONOTONIC: "1",
  };

  constructor() {
    this.set(0);
  }

  /** Sets the clock to so many seconds from the right time. */
  set(offsetSeconds: number): void {
    writeFileSync(`${this.#file}.new`, `${offsetSeconds < 0 ? "" : "+"}${offsetSeconds}\n`);
    renameSync(`${this.#file}.new`, this.#file);
  }

  [Symbol.dispose](): void {
    rmSync(this.#folder, { recursive: true, force: true });
  }
}
