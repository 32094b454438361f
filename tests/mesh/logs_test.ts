/** Logs that cannot be written: requests go on, lines are lost and counted, and afterwards a line says how many. */
import { expect, setDefaultTimeout, test } from "bun:test";
import { closeSync, constants, mkdtempSync, openSync, readSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { sumOf } from "../faults/_shop.ts";
import { eventually } from "../support/eventually.ts";
import { reply, serveHttp } from "../support/http1.ts";
import { startLoad } from "../support/http_load.ts";
import { isDirect, type Mesh, startMesh, tulleCommand } from "../support/mesh.ts";
import { service, workload } from "../support/resources.ts";

setDefaultTimeout(90_000);

const PORT = 8080;
/** Lines of the access log, of some 350 bytes: they fill a pipe and the queue behind it more than once. */
const REQUESTS = 4_500;
const ENV = { TULLE_ACCESS_LOG: "json", TULLE_LOG_LEVEL: "debug" };

/** A pipe with a reader (3) and a writer (4). */
const PIPE = 'F=$(mktemp -u); mkfifo "$F"; exec 3<>"$F" 4>"$F"; rm "$F";';

/** Every process of the mesh begins as a shell, which says where its output goes. */
function through(script: string): readonly string[] {
  return ["sh", "-c", `${script}`, "sh", ...tulleCommand()];
}

async function startShop(tulle: readonly string[]): Promise<Mesh> {
  return await startMesh({
    workloads: [workload("front", { calls: [`web:${PORT}`] }), workload("web")],
    services: [service("web", PORT, "http")],
    env: ENV,
    tulle,
  });
}

/** Requests without one that fails; then both sidecars still answer who asks them, and end when they are told to. */
async function serves(mesh: Mesh, inBetween: () => Promise<void>): Promise<void> {
  using _app = serveHttp(mesh.ip("web"), PORT, async (_request, peer) => await peer.write(reply(200, "ok")));
  const load = startLoad(mesh.to("front", `web:${PORT}`), { connections: 16, path: `/${"a".repeat(200)}` });
  await eventually(() => expect(load.ok()).toBeGreaterThan(REQUESTS), 40_000);
  await inBetween();
  const report = await load.stop();
  expect(report).toMatchObject({ failed: 0, reasons: {} });
  for (const name of ["front", "web"]) {
    expect(sumOf(await mesh.sidecar(name).metrics(), "tulle_access_log_dropped_total")).toBeGreaterThan(0);
  }
}

async function ends(mesh: Mesh): Promise<void> {
  for (const part of [mesh.sidecar("front"), mesh.sidecar("web"), mesh.controller]) {
    expect([part.name, await part.child().stop(20_000)]).toEqual([part.name, 0]);
  }
}

test.skipIf(isDirect)("a log that nobody reads, and that is read at last", async () => {
  const dir = mkdtempSync(join(tmpdir(), "tulle-logs-"));
  try {
    const fifo = `${dir}/\${TULLE_WORKLOAD_NAME:-controller}`;
    // Descriptor 3 reads, so that the pipe is not broken; nobody ever reads from it.
    await using mesh = await startShop(through(`mkfifo ${fifo}; exec "$@" 3<>${fifo} >${fifo} 2>&1`));
    await serves(mesh, async () => {
      const fd = openSync(join(dir, "front-0"), constants.O_RDONLY | constants.O_NONBLOCK);
      const lines = await readUntil(fd, (text) => text.includes("were lost"));
      closeSync(fd);
      const told = lines.find((line) => line.includes("were lost")) ?? "";
      expect(JSON.parse(told)).toMatchObject({ level: "warn", log: "access", lines: expect.any(Number) });
      for (const line of lines) JSON.parse(line); // none is cut, none runs into the next
    });
    await ends(mesh);
  } finally {
    rmSync(dir, { recursive: true });
  }
});

test.skipIf(isDirect)("logs on a disk that is full", async () => {
  await using mesh = await startShop(through('exec "$@" >/dev/full 2>&1'));
  await serves(mesh, async () => {});
  await ends(mesh);
});

test.skipIf(isDirect)("logs whose reader is gone", async () => {
  await using mesh = await startShop(through(`${PIPE} exec "$@" >&4 2>&1 3<&- 4>&-`));
  await serves(mesh, async () => {});
  await ends(mesh);
});

/** Whole lines that come out of a pipe until they are what is wanted. */
async function readUntil(fd: number, isEnough: (text: string) => boolean): Promise<string[]> {
  const piece = Buffer.alloc(65_536);
  let text = "";
  await eventually(() => {
    for (;;) {
      let got = 0;
      try {
        got = readSync(fd, piece, 0, piece.length, null);
      } catch {
        // Nothing more for now.
      }
      if (got === 0) break;
      text += piece.toString("utf8", 0, got);
    }
    if (!isEnough(text.slice(0, text.lastIndexOf("\n")))) throw new Error(`only: …${text.slice(-500)}`);
  }, 20_000);
  return text.slice(0, text.lastIndexOf("\n")).split("\n");
}
