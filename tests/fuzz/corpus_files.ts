/** Inputs as files: a small corpus beside the targets, a larger one of earlier runs in .cache. */
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";

const ROOT = join(import.meta.dirname, "..", "..");
const CACHE = join(ROOT, ".cache", "fuzz");
/** Inputs that were found by hand or were findings keep their names; others are named by their contents. */
const BY_CONTENTS = /^[0-9a-f]{12}$/;
/** Most inputs of a target that are checked in, and their size together. */
const MAX_SAVED = 24;
const MAX_SAVED_BYTES = 10 * 1024;

const savedFolder = (target: string) => join(import.meta.dirname, "corpus", target);
const cacheFolder = (target: string) => join(CACHE, target);

/** The inputs that are checked in. */
export function readSaved(target: string): Uint8Array[] {
  return readFolder(savedFolder(target));
}

/** Those, and what earlier runs on this machine have kept. */
export function readCorpus(target: string): Uint8Array[] {
  return [...readSaved(target), ...readFolder(cacheFolder(target))];
}

/** Replaces what earlier runs have kept. */
export function writeCorpus(target: string, inputs: readonly Uint8Array[]): void {
  const folder = cacheFolder(target);
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  for (const input of inputs) writeFileSync(join(folder, contentsName(input)), input);
}

/** Replaces what is checked in by the first of these inputs, as far as they are few and small. */
export function writeSaved(target: string, inputs: readonly Uint8Array[]): void {
  const folder = savedFolder(target);
  mkdirSync(folder, { recursive: true });
  for (const name of readdirSync(folder)) if (BY_CONTENTS.test(name)) rmSync(join(folder, name));
  let bytes = 0;
  for (const input of inputs.slice(0, MAX_SAVED)) {
    bytes += input.length;
    if (bytes > MAX_SAVED_BYTES) return;
    writeFileSync(join(folder, contentsName(input)), input);
  }
}

/** @returns the file that repeats a finding */
export function writeFinding(target: string, input: Uint8Array): string {
  const folder = join(CACHE, "findings", target);
  mkdirSync(folder, { recursive: true });
  const file = join(folder, contentsName(input));
  writeFileSync(file, input);
  return file;
}

function readFolder(folder: string): Uint8Array[] {
  if (!existsSync(folder)) return [];
  return readdirSync(folder).sort().map((name) => new Uint8Array(readFileSync(join(folder, name))));
}

function contentsName(input: Uint8Array): string {
  return createHash("sha256").update(input).digest("hex").slice(0, 12);
}
