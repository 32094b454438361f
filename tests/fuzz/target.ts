/** What a fuzz target is: one parser, and what must hold for any bytes whatsoever. */
import type { Random } from "./random.ts";

export interface Target {
  /** What it is for, in one line. */
  readonly about: string;
  /** Inputs to begin with; one character per byte where they are text. */
  readonly seeds: readonly (string | Uint8Array)[];
  /** Tokens that mutations put in. */
  readonly dictionary?: readonly string[];
  /** Longest input that mutations make, bytes. */
  readonly maxBytes?: number;
  /** Makes inputs that are nearly right, which bytes alone rarely are. */
  generate?(random: Random): Uint8Array | string;
  /** Reads the input; throws, of any kind, when something does not hold. */
  run(input: Uint8Array): void | Promise<void>;
}

/** Longest input where a target names none. */
export const DEFAULT_MAX_BYTES = 2048;

/** What a target says when something does not hold. */
export class Finding extends Error {
  override readonly name = "Finding";
}

/** Ends the run of an input with a finding unless the condition holds. */
export function holds(condition: boolean, what: string): void {
  if (!condition) throw new Finding(what);
}

/** … unless both are the same as JSON. */
export function agree(what: string, one: unknown, other: unknown): void {
  const [a, b] = [JSON.stringify(one), JSON.stringify(other)];
  if (a !== b) throw new Finding(`${what}: ${a} and ${b}`);
}

export function bytesOf(input: string | Uint8Array): Uint8Array {
  return typeof input === "string" ? Buffer.from(input, "latin1") : input;
}

/** One character per byte. */
export function textOf(input: Uint8Array): string {
  return Buffer.from(input.buffer, input.byteOffset, input.byteLength).toString("latin1");
}

/**
 * Cuts the input into pieces, in a way that the input itself decides, so that a finding can be repeated.
 *
 * @returns pieces that together are the input, each a Buffer of its own as sockets hand them out
 */
export function chopped(input: Uint8Array): Buffer[] {
  const pieces: Buffer[] = [];
  let seed = 0x9e3779b9 ^ input.length;
  for (const byte of input.subarray(0, 64)) seed = Math.imul(seed ^ byte, 0x85ebca6b) >>> 0;
  const most = Math.max(40, input.length >> 5);
  for (let at = 0; at < input.length;) {
    seed = (Math.imul(seed, 0x19660d) + 0x3c6ef35f) >>> 0;
    const size = (seed >>> 28) < 6 ? 1 : 1 + (seed >>> 12) % most;
    pieces.push(Buffer.from(input.subarray(at, at + size)));
    at += size;
  }
  return pieces;
}
