/**
 * How many threads of this process run the data path, and how much memory it has: what is limited per process is divided
 * among the threads, and what takes memory is less where there is little.
 */

/** What a busy proxy needs before anything waits: its program's pages, the runtime, collected late. */
const BASE_BYTES = 64 * 1024 * 1024;
/** Beyond that, memory with which all limits are whole. It is twice the bytes that may wait, which are the most of it. */
const WHOLE_BYTES = 256 * 1024 * 1024;
/** The least share of a limit, however little memory there is: some clients must be served. */
const LEAST_SHARE = 1 / 32;

let threads = 1;
let memoryShare = 1;

/** Says so, in each of the threads; before anything that has a limit is made. */
export function setThreads(count: number): void {
  threads = count;
}

/** Says how much memory the process may have, in each of the threads; before anything that has a limit is made. */
export function setMemory(limitBytes: number): void {
  memoryShare = Math.min(1, Math.max(LEAST_SHARE, (limitBytes - BASE_BYTES) / WHOLE_BYTES));
}

/** How many there are, for what is divided exactly. */
export function threadCount(): number {
  return threads;
}

/** This thread's part of a limit of the process: the parts add up to no more than the limit, but each is at least 1. */
export function partOf(limit: number): number {
  return Math.max(1, Math.floor(limit / threads));
}

/** The same of a limit on what takes memory. */
export function partOfMemory(limit: number): number {
  return partOf(limit * memoryShare);
}
