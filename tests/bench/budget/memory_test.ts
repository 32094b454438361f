/** What a sidecar holds, in a compiled binary: just started, with a request now and then, and under load. Prints the figures. */
import { expect, setDefaultTimeout, test } from "bun:test";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { eventually } from "../../support/eventually.ts";
import { reply, serveHttp } from "../../support/http1.ts";
import { startLoad } from "../../support/http_load.ts";
import { isDirect, type Mesh, startMesh } from "../../support/mesh.ts";
import { memory } from "../../support/proc.ts";
import { service, workload } from "../../support/resources.ts";

setDefaultTimeout(90_000);

const BINARY = join(import.meta.dirname, "../../../dist/tulle");
const PORT = 8080;
/** The trim after the start has happened by then. */
const SETTLE_MS = 8_000;
const LOAD_MS = 15_000;
/** At most 5 requests a second: not worth compiled code. */
const FEW = { connections: 1, pauseMs: 200 };
const FEW_REQUESTS = 25;
/** Together some 1,000 requests a second. */
const LOAD = { connections: 20, pauseMs: 19 };
/**
 * Most memory, MB of 10^6 bytes. Measured: private 5.8–6.8 idle, 6.9–7.2 with a few requests and 12.1–15.2 after load; resident 23–28 when idle and 50–55 after load. How many
 * pages of the binary the kernel maps at once depends on how the file came into its cache: up to 5 more for a copy.
 */
const IDLE = { anonMb: 8, rssMb: 40 };
const QUIET = { anonMb: 8.5, rssMb: 48 };
const LOADED = { anonMb: 20, rssMb: 64 };

const canRun = existsSync(BINARY) && !isDirect;
if (!canRun) console.log("skipped: memory of a sidecar: dist/tulle is missing (deno task build)");

const SIDECARS = ["front", "web"];

/** Threads of the runtime's compiler; they end 10 s after their last work. */
function compilers(pid: number): number {
  const threads = readdirSync(`/proc/${pid}/task`);
  return threads.filter((thread) => threadName(pid, thread) === "JITWorker").length;
}

function threadName(pid: number, thread: string): string {
  try {
    return readFileSync(`/proc/${pid}/task/${thread}/comm`, "utf8").trimEnd();
  } catch {
    return ""; // it has ended
  }
}

function expectWithin(mesh: Mesh, when: string, most: { readonly anonMb: number; readonly rssMb: number }): void {
  for (const name of SIDECARS) {
    const { anonMb, rssMb } = memory([mesh.sidecar(name).child().pid]);
    console.log(`${name} ${when}: RSS ${rssMb.toFixed(1)} MB, private ${anonMb.toFixed(1)} MB`);
    expect(anonMb).toBeLessThan(most.anonMb);
    expect(rssMb).toBeLessThan(most.rssMb);
  }
}

test.skipIf(!canRun)(
  "a sidecar stays within its budget of memory, idle and after 1,000 requests a second",
  async () => {
    await using mesh = await startMesh({
      workloads: [workload("front", { calls: [`web:${PORT}`] }), workload("web")],
      services: [service("web", PORT, "http")],
      tulle: [BINARY],
    });
    using _app = serveHttp(mesh.ip("web"), PORT, async (_request, peer) => await peer.write(reply(200, "ok")));
    await Bun.sleep(SETTLE_MS); // memory has no event to wait for
    expectWithin(mesh, "idle", IDLE);
    const few = startLoad(mesh.to("front", `web:${PORT}`), FEW);
    await eventually(() => expect(few.ok()).toBeGreaterThan(FEW_REQUESTS));
    expect((await few.stop()).failed).toBe(0);
    expectWithin(mesh, "with a few requests", QUIET);
    const pids = SIDECARS.map((name) => mesh.sidecar(name).child().pid);
    expect(pids.map(compilers)).toEqual([0, 0]);
    const load = startLoad(mesh.to("front", `web:${PORT}`), LOAD);
    for (const pid of pids) await eventually(() => expect(compilers(pid)).toBeGreaterThan(0));
    await Bun.sleep(LOAD_MS);
    const { ok, failed } = await load.stop();
    expect(failed).toBe(0);
    console.log(`${Math.round(ok / (LOAD_MS / 1000))} requests per second`);
    expect(ok).toBeGreaterThan(LOAD_MS / 4); // even a busy machine does a quarter of it
    expectWithin(mesh, "after load", LOADED);
  },
);
