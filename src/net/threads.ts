/** How many threads of this process run the data path: what is limited per process is divided among them. */

let threads = 1;

/** Says so, in each of the threads; before anything that has a limit is made. */
export function setThreads(count: number): void {
  threads = count;
}

/** How many there are, for what is divided exactly. */
export function threadCount(): number {
  return threads;
}

/** This thread's part of a limit of the process: the parts add up to no more than the limit, but each is at least 1. */
export function partOf(limit: number): number {
  return Math.max(1, Math.floor(limit / threads));
}
