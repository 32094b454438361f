/** The order in which workloads start. */
import { waitUntilReady } from "./probe.ts";
import type { Progress } from "./progress.ts";
import { lastLines } from "./state_folder.ts";
import type { WorkloadUnit } from "./workload_unit.ts";
import { ADMIN_PORT } from "../../core/sidecar_ports.ts";

/** A part that is not ready by then is reported; the run goes on, as it may become so. */
export const READY_TIMEOUT_MS = 20_000;
/** Apps that say they listen are waited for this long before those that may call them are started. */
const LISTEN_TIMEOUT_MS = 5_000;
const LISTEN_POLL_MS = 20;
/** Log lines shown of a part that does not start. */
const SHOWN_LINES = 12;

/**
 * Starts sidecars, then the apps that say on which ports they listen, then, once they do, the others: so nobody calls a
 * server that is still starting. A unit that is closed meanwhile is left alone.
 *
 * @param signal aborted when the run stops
 * @returns how many sidecars were ready in time
 */
export async function startUnits(
  units: readonly WorkloadUnit[],
  progress: Progress,
  signal: AbortSignal,
): Promise<number> {
  const ready = await Promise.all(units.map((unit) => startSidecar(unit, progress, signal)));
  const isOpen = (unit: WorkloadUnit) => unit.place !== null && !signal.aborted;
  const servers = units.filter((unit) => unit.instance.ports.length > 0);
  for (const unit of servers.filter(isOpen)) unit.app.start();
  await untilListening(servers, progress, signal);
  for (const unit of units) if (!servers.includes(unit) && isOpen(unit)) unit.app.start();
  return ready.filter((each) => each).length;
}

/** Prints the end of a log, and where it is. */
export function showLog(progress: Progress, file: string): void {
  for (const line of lastLines(file, SHOWN_LINES)) progress.line(`    ${line}`);
  progress.line(`    (log: ${file})`);
}

/** @returns whether there is a sidecar and it was ready in time */
async function startSidecar(unit: WorkloadUnit, progress: Progress, signal: AbortSignal): Promise<boolean> {
  if (unit.sidecar === null) return false;
  unit.sidecar.start();
  const reason = await waitUntilReady(`http://${unit.ip}:${ADMIN_PORT}/ready`, READY_TIMEOUT_MS, signal);
  if (reason === "" || signal.aborted) return reason === "";
  const seconds = READY_TIMEOUT_MS / 1000;
  progress.failed(`${unit.instance.key}: the sidecar is not ready after ${seconds} s: ${reason}`);
  showLog(progress, unit.sidecarLog);
  return false;
}

async function untilListening(
  servers: readonly WorkloadUnit[],
  progress: Progress,
  signal: AbortSignal,
): Promise<void> {
  const end = performance.now() + LISTEN_TIMEOUT_MS;
  let waiting = [...servers];
  while (waiting.length > 0 && performance.now() < end && !signal.aborted) {
    await Bun.sleep(LISTEN_POLL_MS);
    waiting = waiting.filter((unit) => unit.place !== null && !unit.isListening());
  }
  if (signal.aborted) return;
  for (const { instance } of waiting) {
    progress.warn(`${instance.key}: the app does not listen on port ${instance.ports.join(", ")} yet`);
  }
}
