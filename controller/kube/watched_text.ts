/** A single file whose newest readable content counts. */
import { readFileSync, statSync } from "node:fs";

export class WatchedText {
  readonly file: string;
  #read = "";

  constructor(file: string) {
    this.file = file;
  }

  /** The content when it is new since the last call, null when it is not. @throws Error of the file system */
  takeNew(): string | null {
    const { ino, size, mtimeMs, ctimeMs } = statSync(this.file);
    const look = `${ino} ${size} ${mtimeMs} ${ctimeMs}`;
    if (look === this.#read) return null;
    const text = readFileSync(this.file, "utf8");
    this.#read = look;
    return text;
  }
}
