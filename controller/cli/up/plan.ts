/** What the outer process tells the inner one, which runs in the new namespaces. */
import type { UpOptions } from "./options.ts";

/** Environment variable that carries the plan, as JSON; taken away before anything else is started. */
export const PLAN_VARIABLE = "TULLE_UP_PLAN";
/** Descriptor of the machine's network namespace, handed down when root. */
export const MACHINE_NAMESPACE_FD = 3;

export interface InnerPlan {
  readonly options: UpOptions;
  readonly stateFolder: string;
  /** Root on the machine: users can be told apart, and the machine gets a link to the bridge. */
  readonly root: boolean;
  /** User that apps run as, null for ours. */
  readonly appUid: number | null;
}

/** What the outer process must find gone at the end; written by the inner one as soon as it is known. */
export interface Traces {
  /** Process number on the machine of the inner process. */
  readonly pid: number;
  readonly machineLink: { readonly name: string; readonly index: number } | null;
  /** Paths under /run/netns. */
  readonly names: readonly string[];
  /** How many there are, for the last line. */
  readonly namespaces: number;
  readonly processes: number;
}

/** File of the traces in the state folder. */
export const TRACES_FILE = "traces.json";

/** Words that the outer process writes to the inner one's standard input. */
export const STOP = "stop";
export const KILL = "kill";

/** How to start this program again: the compiled binary, or Bun with the entry point. */
export function selfCommand(): string[] {
  const entry = Bun.main;
  return entry.startsWith("/$bunfs/") || entry.startsWith("B:/~BUN/") ? [process.execPath] : [process.execPath, entry];
}
