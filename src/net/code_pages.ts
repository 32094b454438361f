/**
 * Gives up the pages of the program's own file that only the start needed.
 *
 * A compiled binary maps some 100 MB of file; the start touches 40 MB of it (the runtime's set-up, the parser, code that
 * never runs again). Clean pages of a file can be dropped at any time: what is needed again comes back from the page cache,
 * by a minor fault. Only mappings without a single changed page are touched, since changes would be lost.
 */
import { dlopen, FFIType } from "bun:ffi";
import { linkTarget, readText } from "../os/files.ts";

const MADV_DONTNEED = 4;
/** Smaller mappings are not worth a call. */
const MIN_BYTES = 256 * 1024;

/** A range of addresses of this process. */
export interface MappedRange {
  readonly start: bigint;
  readonly length: bigint;
}

/**
 * The ranges of a file that may be dropped.
 *
 * @param smaps text of /proc/PID/smaps (proc_pid_smaps(5))
 * @param path the file
 * @returns read-only private mappings of it with no page of their own
 */
export function droppableRanges(smaps: string, path: string): MappedRange[] {
  const out: MappedRange[] = [];
  let range: MappedRange | null = null;
  // No regular expressions: the runtime would keep the last text that one was used on, 50 KB here.
  for (const line of smaps.split("\n")) {
    if (line.startsWith("Anonymous:")) {
      if (range !== null && line.endsWith(" 0 kB")) out.push(range);
      range = null;
    } else if (isHead(line)) range = droppableRange(line, path);
  }
  return out;
}

/** The first line of a mapping begins with an address, the others with a name. */
function isHead(line: string): boolean {
  const c = line.charCodeAt(0);
  return (c >= 0x30 && c <= 0x39) || (c >= 0x61 && c <= 0x66);
}

function droppableRange(head: string, path: string): MappedRange | null {
  const [addresses = "", permissions = ""] = head.split(" ", 2);
  if ((permissions !== "r-xp" && permissions !== "r--p") || !head.endsWith(` ${path}`)) return null;
  const [start = "", end = ""] = addresses.split("-");
  const length = BigInt(`0x${end}`) - BigInt(`0x${start}`);
  return length >= MIN_BYTES ? { start: BigInt(`0x${start}`), length } : null;
}

/** Drops them. Does nothing where /proc cannot be read. */
export function dropCodePages(): void {
  try {
    const ranges = droppableRanges(readText("/proc/self/smaps"), linkTarget("/proc/self/exe"));
    if (ranges.length === 0) return;
    const { symbols, close } = dlopen("libc.so.6", {
      madvise: { args: [FFIType.u64, FFIType.u64, FFIType.i32], returns: FFIType.i32 },
    });
    for (const { start, length } of ranges) symbols.madvise(start, length, MADV_DONTNEED);
    close();
  } catch {
    // Memory is given back where that is possible; nothing depends on it.
  }
}
