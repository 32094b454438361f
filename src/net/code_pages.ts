/**
 * Gives up the pages of the program's own file that only the start needed.
 *
 * A compiled binary maps some 100 MB of file; the start touches 40 MB of it (the runtime's set-up, the parser, code that
 * never runs again). Clean pages of a file can be dropped at any time: what is needed again comes back from the page cache,
 * by a minor fault. Only mappings without a single changed page are touched, since changes would be lost.
 */
import { dlopen, FFIType } from "bun:ffi";
import { readFileSync, readlinkSync } from "node:fs";

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
  for (const line of smaps.split("\n")) {
    const head = /^([0-9a-f]+)-([0-9a-f]+) (r-[x-]p) \S+ \S+ \S+ +(.*)$/.exec(line);
    if (head !== null) {
      const start = BigInt(`0x${head[1]}`);
      const length = BigInt(`0x${head[2]}`) - start;
      range = head[4] === path && length >= MIN_BYTES ? { start, length } : null;
    } else if (/^[0-9a-f]+-[0-9a-f]+ /.test(line)) range = null;
    else if (range !== null && line.startsWith("Anonymous:")) {
      if (/^Anonymous: +0 kB$/.test(line)) out.push(range);
      range = null;
    }
  }
  return out;
}

/** Drops them. Does nothing where /proc cannot be read. */
export function dropCodePages(): void {
  try {
    const ranges = droppableRanges(readFileSync("/proc/self/smaps", "utf8"), readlinkSync("/proc/self/exe"));
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
