/**
 * The inner process of `tulle up`: first process of a PID namespace, root of its network and mount namespaces. When it
 * ends, however it ends, the kernel ends everything below it and the namespaces are gone.
 */
import { readlinkSync } from "node:fs";
import { errorText } from "../../../src/base/error.ts";
import { mountProc, Namespace } from "../../../src/capture/namespace.ts";
import { LiveView } from "./live_view.ts";
import { MeshRun } from "./mesh_run.ts";
import { type InnerPlan, KILL, MACHINE_NAMESPACE_FD, PLAN_VARIABLE, selfCommand } from "./plan.ts";
import { Progress } from "./progress.ts";
import { readClaims } from "./prove/claims.ts";
import { Proof } from "./prove/proof.ts";
import { prepareSelf } from "./self_binary.ts";
import { removeFolder } from "./state_folder.ts";

/** How long is measured for the claims when the run has no end. */
const PROOF_MS = 15_000;
/** What happens before this does not count for shares and rates: balancers learn, breakers open. */
const MAX_WARM_UP_MS = 5_000;

/** The outer process was killed: its end closed our standard input. */
let outerIsGone = false;

/** Runs until the time is up or the outer process says stop. @returns the exit status */
export async function runInner(planText: string): Promise<number> {
  delete process.env[PLAN_VARIABLE];
  const plan = JSON.parse(planText) as InnerPlan; // written by our own outer process
  const progress = new Progress(plan.options.output === "json");
  const stop = listenForStop();
  const pid = Number(readlinkSync("/proc/self")); // the machine's /proc is still mounted: this is the number there
  try {
    mountProc("/proc");
  } catch {
    // Not allowed in some containers. Programs then see the machine's process numbers, which does no harm.
  }
  let run: MeshRun;
  try {
    const machine = plan.root ? Namespace.ofDescriptor("net", MACHINE_NAMESPACE_FD) : null;
    run = new MeshRun(plan, progress, machine, pid, prepareSelf(selfCommand(), plan.stateFolder));
  } catch (error) {
    progress.failed(errorText(error));
    return 1;
  }
  let status = 1;
  let stopping = false;
  void stop.then(() => (stopping = true));
  try {
    using proof = newProof(run, plan, progress);
    const ready = await Promise.race([run.start(), stop.then(() => false)]);
    if (ready) status = await live(run, plan, progress, stop, proof);
    else if (stopping) status = 0;
  } catch (error) {
    progress.failed(errorText(error));
  }
  const begin = performance.now();
  const killed = await run.stop();
  progress.done(killed.length === 0 ? "stopped in order" : `stopped; had to kill ${killed.join(", ")}`, begin);
  if (outerIsGone && !plan.options.keepState) removeFolder(plan.stateFolder); // nobody else will
  return status;
}

function newProof(run: MeshRun, plan: InnerPlan, progress: Progress): Proof | null {
  const { proveFile, minSuccessPercent } = plan.options;
  return proveFile === null ? null : new Proof(run, readClaims(proveFile), minSuccessPercent, progress);
}

/** From ready to the end: table, changes, proof. @returns the exit status */
async function live(
  run: MeshRun,
  plan: InnerPlan,
  progress: Progress,
  stop: Promise<void>,
  proof: Proof | null,
): Promise<number> {
  const { options } = plan;
  for (const line of run.addresses()) progress.line(line);
  const hint = run.hint();
  if (hint !== null) progress.note(hint);
  if (options.forMs === null) progress.note("Ctrl-C stops everything");
  const view = new LiveView(options.output);
  progress.beforeLine = () => view.clear();
  let stopped = false;
  void stop.then(() => (stopped = true));
  const watchUntil = async (endMs: number) => {
    while (!stopped && performance.now() < endMs) {
      await Promise.race([Bun.sleep(Math.min(options.intervalMs, Math.max(0, endMs - performance.now()))), stop]);
      if (stopped) return;
      await run.follow();
      view.show(await run.scrape());
    }
  };
  const begin = performance.now();
  const end = options.forMs === null ? Infinity : begin + options.forMs;
  let status = 0;
  if (proof !== null) {
    const window = options.forMs ?? PROOF_MS;
    await watchUntil(begin + Math.min(window / 3, MAX_WARM_UP_MS));
    await proof.begin();
    await watchUntil(begin + window);
    view.finish();
    if (stopped) progress.failed("stopped before the claims were judged");
    const claims = stopped ? null : await proof.conclude(stop);
    if (claims !== null && options.output === "json") process.stdout.write(`${JSON.stringify({ claims })}\n`);
    status = claims !== null && claims.every((each) => each.holds !== false) ? 0 : 1;
  }
  await watchUntil(end);
  view.finish();
  return status;
}

/**
 * The outer process holds our standard input: a line says stop, its end says that the outer process is gone. A second
 * line means now.
 */
function listenForStop(): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  process.stdin.on("data", (chunk: Buffer) => {
    if (chunk.toString().includes(KILL)) process.exit(1);
    resolve();
  });
  process.stdin.on("end", () => {
    outerIsGone = true;
    resolve();
  });
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(signal, () => resolve());
  return promise;
}
