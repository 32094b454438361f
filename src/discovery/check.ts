/** Collects what is wrong with a message while it is read on: the first problem is what gets reported. */
import type { ProtoReader } from "../wire/protobuf/reader.ts";
import type { Result } from "../base/result.ts";

/** One per message that is decoded. */
export class Check {
  /** "path: found X, want Y"; "" while all is well. */
  error = "";

  fail(path: string, found: string, want: string): void {
    if (this.error === "") this.error = `${path}: found ${found}, want ${want}`;
  }

  /** Takes the value of another reading, or its error and the stand-in. */
  take<T>(result: Result<T>, standIn: T): T {
    if (result.ok) return result.value;
    if (this.error === "") this.error = result.error;
    return standIn;
  }

  /** A number within bounds. */
  range(path: string, value: number, min: number, max: number): number {
    if (value < min || value > max) this.fail(path, String(value), `${min}–${max}`);
    return value;
  }

  /** The outcome of the whole message. */
  result<T>(value: T, reader: ProtoReader, path: string): Result<T> {
    if (reader.failed) {
      return { ok: false, error: `${path}: found malformed protobuf, want a message of tulle.discovery.v1` };
    }
    return this.error === "" ? { ok: true, value } : { ok: false, error: this.error };
  }
}

/** Reads a nested message with `read`, and passes its failure on. */
export function nested<T>(reader: ProtoReader, read: (message: ProtoReader) => T): T {
  const message = reader.message();
  const value = read(message);
  reader.join(message);
  return value;
}
