/** Finds and reads the configuration files of a folder. */
import { readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { fileProblem, MAX_FILE_BYTES, type ParsedFile, parseFile } from "./parse_file.ts";

/** Most files of one folder: beyond it the folder is most likely the wrong one. */
export const MAX_FILES = 1000;

/** Paths of the configuration files of a folder, sorted. @throws Error when it cannot be listed */
export function listFiles(folder: string): string[] {
  let names: string[];
  try {
    names = readdirSync(folder);
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code; // fs throws nothing else
    const remedy = code === "ENOENT"
      ? "it does not exist: create it, or name another one"
      : code === "ENOTDIR"
      ? "it is a file: name the folder it is in"
      : code === "EACCES"
      ? `it may not be read by uid ${process.getuid?.() ?? "?"}: change its mode`
      : String(error);
    throw new Error(`bad_folder: cannot read ${folder}: ${remedy}`);
  }
  const files = names.filter((name) => /^[^.].*\.(ya?ml|json)$/i.test(name)).sort();
  if (files.length > MAX_FILES) {
    throw new Error(`bad_folder: found ${files.length} files in ${folder}, want at most ${MAX_FILES}`);
  }
  return files.map((name) => join(folder, name));
}

/** Reads and parses one file; what cannot be read is an error of that file. Never throws. */
export function readConfigFile(file: string): ParsedFile {
  try {
    const { size } = statSync(file);
    if (size > MAX_FILE_BYTES) {
      return refused(file, `found ${size} bytes, want at most ${MAX_FILE_BYTES}: split the file`);
    }
    const text = new TextDecoder("utf-8", { fatal: true }).decode(readFileSync(file));
    return parseFile(file, text);
  } catch (error) {
    if (error instanceof TypeError) return refused(file, "found bytes that are not UTF-8, want text");
    return refused(file, `cannot be read: ${error instanceof Error ? error.message : String(error)}`);
  }
}

function refused(file: string, detail: string): ParsedFile {
  return { file, resources: [], errors: [fileProblem(file, detail)], warnings: [] };
}
