/**
 * The outer process of `tulle up`: prepares, starts the inner one in new namespaces, hands signals on, and at the end looks
 * whether anything is left.
 */
import { closeSync, existsSync, openSync, readdirSync, readFileSync, readlinkSync } from "node:fs";
import { join } from "node:path";
import { errorText } from "../../../src/base/error.ts";
import { RouteNetlink } from "../../../src/capture/route_netlink.ts";
import { removeNames, removeStaleNames } from "./namespace_names.ts";
import type { UpOptions } from "./options.ts";
import { type InnerPlan, KILL, PLAN_VARIABLE, selfCommand, STOP, type Traces, TRACES_FILE } from "./plan.ts";
import { findPrivileges } from "./privileges.ts";
import { Progress } from "./progress.ts";
import { createStateFolder, removeFolder } from "./state_folder.ts";

/** The kernel takes a namespace apart a moment after its last process. */
const GONE_TIMEOUT_MS = 5_000;
const GONE_POLL_MS = 50;
/** A terminal tells its whole process group, and those above us may tell us again: within this time it is the same wish. */
const REPEATED_SIGNAL_MS = 1_000;

/** Runs the mesh. @returns the exit status */
export async function runOuter(options: UpOptions): Promise<number> {
  const progress = new Progress(options.output === "json");
  const privileges = findPrivileges(options.rootless);
  if (privileges.kind === "none") {
    progress.failed(`cannot make namespaces: ${privileges.missing}`);
    return 1;
  }
  const root = privileges.kind === "root";
  if (root) removeStaleNames();
  else progress.note("not root: everything runs in a user namespace, and its addresses are reachable from inside only");
  const stateFolder = createStateFolder();
  const plan: InnerPlan = { options, stateFolder, root, appUid: root ? userWhoAskedForRoot() : null };
  const machine = openSync("/proc/self/ns/net", "r");
  const child = Bun.spawn([...privileges.command, ...selfCommand(), "up"], {
    env: { ...process.env, [PLAN_VARIABLE]: JSON.stringify(plan) },
    stdio: ["pipe", "inherit", "inherit", machine],
    detached: true, // a session of its own: Ctrl-C reaches us alone, and we stop it in order
  } as { stdio: ["pipe", "inherit", "inherit", number]; env: Record<string, string> }); // `detached` is absent from bun-types
  closeSync(machine);
  const say = (word: string) => {
    child.stdin.write(`${word}\n`);
    child.stdin.flush();
  };
  let askedAt = 0;
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
    process.on(signal, () => {
      const again = askedAt > 0 && performance.now() - askedAt > REPEATED_SIGNAL_MS;
      if (askedAt === 0) {
        askedAt = performance.now();
        progress.line("\nstopping: workloads, sidecars, controller (once more: at once)");
        say(STOP);
      } else if (again) say(KILL);
    });
  }
  const status = await child.exited;
  const clean = await cleanUp(options, stateFolder, progress);
  return clean ? status : 1;
}

/** `sudo tulle up` runs the apps as the user who typed it; root's own apps run as root. */
function userWhoAskedForRoot(): number | null {
  const uid = Number(process.env["SUDO_UID"] ?? "");
  return Number.isInteger(uid) && uid > 0 ? uid : null;
}

/** Removes what a killed inner process has left, and looks whether all is gone. @returns whether it is */
async function cleanUp(options: UpOptions, stateFolder: string, progress: Progress): Promise<boolean> {
  const traces = readTraces(stateFolder);
  if (traces !== null) removeNames(traces.names);
  if (options.keepState) progress.note(`logs and state are in ${stateFolder}`);
  else removeFolder(stateFolder);
  if (traces === null) return true;
  const end = performance.now() + GONE_TIMEOUT_MS;
  let left = whatIsLeft(traces);
  while (left.length > 0 && performance.now() < end) {
    await Bun.sleep(GONE_POLL_MS);
    left = whatIsLeft(traces);
  }
  if (left.length > 0) {
    progress.failed(`left behind: ${left.join(", ")}`);
    return false;
  }
  const link = traces.machineLink === null ? "" : `, the link ${traces.machineLink}`;
  const state = options.keepState ? "" : `, ${stateFolder}`;
  progress.done(
    `nothing is left: ${traces.namespaces.length} namespaces, ${traces.processes} processes${link} and ` +
      `${traces.names.length} names${state} are gone`,
  );
  return true;
}

function readTraces(stateFolder: string): Traces | null {
  try {
    return JSON.parse(readFileSync(join(stateFolder, TRACES_FILE), "utf8")) as Traces; // written by our own inner process
  } catch {
    return null; // it never came that far
  }
}

/** Processes still in one of the namespaces, the link, names: as text, empty when all is gone. */
function whatIsLeft(traces: Traces): string[] {
  const left = traces.names.filter((path) => existsSync(path));
  const namespaces = new Set(traces.namespaces);
  for (const pid of readdirSync("/proc").filter((name) => /^\d+$/.test(name))) {
    for (const kind of ["net", "mnt", "pid"]) {
      const name = linkOf(`/proc/${pid}/ns/${kind}`);
      if (name !== null && namespaces.has(name)) left.push(`process ${pid} in ${name}`);
    }
  }
  if (traces.machineLink === null) return left;
  try {
    using links = new RouteNetlink();
    if (links.linkNames().includes(traces.machineLink)) left.push(`link ${traces.machineLink}`);
  } catch (error) {
    left.push(errorText(error));
  }
  return left;
}

function linkOf(path: string): string | null {
  try {
    return readlinkSync(path);
  } catch {
    return null; // ended meanwhile, or another user's
  }
}
