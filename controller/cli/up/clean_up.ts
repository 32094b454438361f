/** The end of a run: removes what a killed inner process has left, and looks whether all is gone. */
import { closeSync, openSync, readdirSync, readFileSync, readlinkSync } from "node:fs";
import { join } from "node:path";
import { RouteNetlink } from "../../../src/capture/route_netlink.ts";
import { removeNames, stillNamed } from "./namespace_names.ts";
import { type Traces, TRACES_FILE } from "./plan.ts";
import type { Progress } from "./progress.ts";
import { removeFolder } from "./state_folder.ts";

/** The kernel ends the processes of a PID namespace a moment after the first one. */
const GONE_TIMEOUT_MS = 5_000;
const POLL_MS = 50;

/**
 * Finds the processes of a run. All of them are in one PID namespace, which none can leave. The namespace is held open, for
 * its number would otherwise be given to the next one.
 */
export class ProcessWatch implements Disposable {
  #fd: number | null = null;
  readonly #timer: ReturnType<typeof setInterval>;

  /** @param unsharePid process that creates the namespace for its child */
  constructor(unsharePid: number) {
    const own = linkOf("/proc/self/ns/pid");
    const path = `/proc/${unsharePid}/ns/pid_for_children`;
    this.#timer = setInterval(() => {
      const name = linkOf(path);
      if (name === null || name === "" || name === own) return; // not yet
      clearInterval(this.#timer);
      try {
        this.#fd = openSync(path, "r");
      } catch {
        // It ended at once, and its namespace with it.
      }
    }, POLL_MS);
  }

  /** Numbers of the processes that are alive. */
  left(): string[] {
    const namespace = this.#fd === null ? null : linkOf(`/proc/self/fd/${this.#fd}`);
    if (namespace === null) return [];
    const pids = readdirSync("/proc").filter((name) => /^\d+$/.test(name));
    return pids.filter((pid) => linkOf(`/proc/${pid}/ns/pid`) === namespace);
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer);
    if (this.#fd !== null) closeSync(this.#fd);
  }
}

/**
 * Cleans up after the inner process has ended, in whatever way.
 *
 * @param keepState leave the state folder
 * @returns whether nothing is left; it is also said
 */
export async function cleanUp(
  stateFolder: string,
  keepState: boolean,
  processes: ProcessWatch,
  progress: Progress,
): Promise<boolean> {
  const traces = readTraces(stateFolder);
  if (traces !== null) {
    removeNames(traces.names, traces.pid);
    removeLink(traces);
  }
  if (keepState) progress.note(`logs and state are in ${stateFolder}`);
  else removeFolder(stateFolder);
  const end = performance.now() + GONE_TIMEOUT_MS;
  let left = whatIsLeft(traces, processes);
  while (left.length > 0 && performance.now() < end) {
    await Bun.sleep(POLL_MS);
    left = whatIsLeft(traces, processes);
  }
  if (left.length > 0) progress.failed(`left behind: ${left.join(", ")}`);
  else if (traces !== null) {
    progress.done(`nothing is left: ${whatIsGone(traces, keepState ? null : stateFolder)} are gone`);
  }
  return left.length === 0;
}

function whatIsGone({ processes, namespaces, machineLink, names }: Traces, stateFolder: string | null): string {
  const gone = [`${processes} processes`, `${namespaces} namespaces`];
  if (machineLink !== null) gone.push(`the link ${machineLink.name}`, `${names.length} names in /run/netns`);
  if (stateFolder !== null) gone.push(stateFolder);
  return `${gone.slice(0, -1).join(", ")} and ${gone.at(-1)}`;
}

function readTraces(stateFolder: string): Traces | null {
  try {
    return JSON.parse(readFileSync(join(stateFolder, TRACES_FILE), "utf8")) as Traces; // written by our own inner process
  } catch {
    return null; // it never came that far
  }
}

/** As text, empty when all is gone. */
function whatIsLeft(traces: Traces | null, processes: ProcessWatch): string[] {
  const left = processes.left().map((pid) => `process ${pid}`);
  if (traces === null) return left;
  left.push(...stillNamed(traces.names, traces.pid));
  if (hasLink(traces)) left.push(`the link ${traces.machineLink?.name}`);
  return left;
}

/** Whether the link is there and still ours: its name may have gone to another run, its number is not given again. */
function hasLink({ machineLink }: Traces): boolean {
  if (machineLink === null) return false;
  using links = new RouteNetlink();
  return links.findLink(machineLink.name) === machineLink.index;
}

function removeLink(traces: Traces): void {
  if (traces.machineLink === null || !hasLink(traces)) return;
  using links = new RouteNetlink();
  try {
    links.deleteLink(traces.machineLink.name);
  } catch {
    // It went away by itself; if not, it is reported as left.
  }
}

function linkOf(path: string): string | null {
  try {
    return readlinkSync(path);
  } catch {
    return null; // ended meanwhile, or another user's
  }
}
