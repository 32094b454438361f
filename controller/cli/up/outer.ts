/**
 * The outer process of `tulle up`: prepares, starts the inner one in new namespaces, hands signals on, and at the end looks
 * whether anything is left.
 */
import { closeSync, openSync } from "node:fs";
import { cleanUp, ProcessWatch } from "./clean_up.ts";
import { removeStaleNames } from "./namespace_names.ts";
import type { UpOptions } from "./options.ts";
import { type InnerPlan, KILL, PLAN_VARIABLE, selfCommand, STOP } from "./plan.ts";
import { findPrivileges } from "./privileges.ts";
import { Progress } from "./progress.ts";
import { createStateFolder } from "./state_folder.ts";

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
  using processes = new ProcessWatch(child.pid);
  const status = await child.exited;
  const clean = await cleanUp(stateFolder, options.keepState, processes, progress);
  return clean ? status : 1;
}

/** `sudo tulle up` runs the apps as the user who typed it; root's own apps run as root. */
function userWhoAskedForRoot(): number | null {
  const uid = Number(process.env["SUDO_UID"] ?? "");
  return Number.isInteger(uid) && uid > 0 ? uid : null;
}
