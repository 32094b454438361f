/** What the kernel says about a process: CPU time and memory, of it and of its children. */
import { readdirSync, readFileSync } from "node:fs";

/** The process and all its descendants that are alive (a master and its workers). */
export function processTree(pid: number): number[] {
  const all = [pid];
  for (let at = 0; at < all.length; at++) {
    for (const task of listTasks(all[at] ?? 0)) {
      const children = readText(`/proc/${all[at]}/task/${task}/children`);
      for (const child of children.split(" ")) if (child !== "") all.push(Number(child));
    }
  }
  return all;
}

/** CPU time (user and system, all threads) in nanoseconds of the processes given. */
export function cpuNs(pids: readonly number[]): number {
  let total = 0;
  for (const pid of pids) {
    for (const task of listTasks(pid)) {
      total += Number(readText(`/proc/${pid}/task/${task}/schedstat`).split(" ")[0] ?? 0);
    }
  }
  return total;
}

export interface Memory {
  /** Resident memory, in MB of 10^6 bytes. */
  readonly rssMb: number;
  /** The private, anonymous part of it. */
  readonly anonMb: number;
}

/** Memory of the processes given, summed. */
export function memory(pids: readonly number[]): Memory {
  let rss = 0;
  let anon = 0;
  for (const pid of pids) {
    const status = readText(`/proc/${pid}/status`);
    rss += Number(/VmRSS:\s+(\d+)/.exec(status)?.[1] ?? 0);
    anon += Number(/RssAnon:\s+(\d+)/.exec(status)?.[1] ?? 0);
  }
  return { rssMb: (rss * 1024) / 1e6, anonMb: (anon * 1024) / 1e6 };
}

/** True while a process of this id exists (zombies count as gone). */
export function isAlive(pid: number): boolean {
  const state = /State:\s+(\S)/.exec(readText(`/proc/${pid}/status`))?.[1];
  return state !== undefined && state !== "Z" && state !== "X";
}

function listTasks(pid: number): string[] {
  try {
    return readdirSync(`/proc/${pid}/task`);
  } catch {
    return []; // it has ended
  }
}

function readText(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return ""; // it has ended
  }
}
