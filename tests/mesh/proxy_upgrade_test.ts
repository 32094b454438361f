/** New programs take the place of sidecars while all kinds of traffic run through them. */
import { afterAll, expect, setDefaultTimeout, test } from "bun:test";
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { eventually } from "../support/eventually.ts";
import { fetchOnce, Http1Client, reply, serveHttp } from "../support/http1.ts";
import { startLoad } from "../support/http_load.ts";
import { isDirect, type Mesh, type MeshOptions, startMesh } from "../support/mesh.ts";
import { isAlive, processTree } from "../support/proc.ts";
import { sumOf } from "../support/prometheus.ts";
import { service, workload } from "../support/resources.ts";
import { connectTcp, listenTcp } from "../support/tcp.ts";
import { tulleCommand } from "../support/tulle_command.ts";
import { processesWith, Upgrades } from "../support/upgrades.ts";
import { serveGrpc, startGrpcLoad, startGrpcStream, startOpaqueLoad, startOpaqueStream } from "./_upgrade_traffic.ts";

setDefaultTimeout(120_000);

const HTTP = 8080;
const GRPC = 50051;
const OPAQUE = 9000;
/** Upgrades in a row of each sidecar. */
const TURNS = 5;
const scripts = mkdtempSync(join(tmpdir(), "tulle-upgrade-"));

afterAll(() => rmSync(scripts, { recursive: true, force: true }));

function start(more: Partial<MeshOptions> = {}): Promise<Mesh> {
  const { env, ...rest } = more;
  return startMesh({
    workloads: [workload("front", { calls: [`web:${HTTP}`, `rpc:${GRPC}`, `raw:${OPAQUE}`] }), workload("back")],
    services: [
      service("web", HTTP, "http", { app: "back" }),
      service("rpc", GRPC, "grpc", { app: "back" }),
      service("raw", OPAQUE, "tulle.dev/opaque", { app: "back" }),
    ],
    env: { TULLE_KEEP_PID: "never", TULLE_UPGRADE_GRACE: "10m", ...env },
    ...rest,
  });
}

function countOf(text: string, part: string): number {
  return text.split(part).length - 1;
}

function script(name: string, text: string): string {
  const path = join(scripts, name);
  writeFileSync(path, text);
  chmodSync(path, 0o755);
  return path;
}

for (const workers of [1, 2]) {
  test.skipIf(isDirect)(
    `${TURNS} upgrades of both sidecars under load, ${workers} thread(s): nothing fails, streams live on`,
    async () => {
      await using mesh = await start({ workers });
      await using upgrades = new Upgrades();
      using _web = serveHttp(mesh.ip("back"), HTTP, async (_request, peer) => await peer.write(reply(200, "ok")));
      using _raw = listenTcp(mesh.ip("back"), OPAQUE, async (peer) => {
        for (let chunk = await peer.read(); chunk !== null; chunk = await peer.read()) await peer.write(chunk);
        peer.end();
      });
      using _rpc = await serveGrpc(mesh.ip("back"), GRPC);
      const web = mesh.to("front", `web:${HTTP}`);
      const [rpc, raw] = [mesh.to("front", `rpc:${GRPC}`), mesh.to("front", `raw:${OPAQUE}`)];
      const loads = {
        keptAlive: startLoad(web, { connections: 4, pauseMs: 1 }),
        newConnections: startLoad(web, { connections: 4, requestsPerConnection: 1 }),
        grpc: startGrpcLoad(rpc),
        opaque: startOpaqueLoad(raw, 2),
      };
      const streams = [startGrpcStream(rpc), startOpaqueStream(raw)];
      const pids: number[] = [];
      for (let turn = 0; turn < TURNS; turn++) {
        for (const name of ["front", "back"]) pids.push((await upgrades.of(mesh.sidecar(name))).pid);
        streams.push(startGrpcStream(rpc), startOpaqueStream(raw));
      }
      const counts = Object.values(loads).map((load) => load.ok());
      await eventually(() =>
        Object.values(loads).forEach((load, at) => expect(load.ok()).toBeGreaterThan(counts[at] ?? 0))
      );
      for (const stream of streams) expect(await stream.stop()).toEqual({ echoes: expect.any(Number), error: "" });
      for (const [name, load] of Object.entries(loads)) {
        const { ok, failed, reasons } = await load.stop();
        expect({ name, failed, reasons }).toEqual({ name, failed: 0, reasons: {} });
        expect(ok).toBeGreaterThan(20);
      }
      expect(new Set(pids).size).toBe(2 * TURNS);
      // With the last stream the processes before end.
      await eventually(() => expect(upgrades.alive().sort()).toEqual(pids.slice(-2).sort()), 30_000);
    },
  );
}

test.skipIf(isDirect)("a program that does not come to serve changes nothing, and the command says why", async () => {
  await using mesh = await start();
  await using upgrades = new Upgrades();
  using _web = serveHttp(mesh.ip("back"), HTTP, async (_request, peer) => await peer.write(reply(200, "ok")));
  const front = mesh.sidecar("front");
  const load = startLoad(mesh.to("front", `web:${HTTP}`), { connections: 2, requestsPerConnection: 3 });
  const silent = script("silent", "#!/bin/sh\nexec sleep 60\n");
  const failing = script("failing", "#!/bin/sh\necho 'cannot run here' >&2\nexit 7\n");
  const attempts: [readonly string[], RegExp][] = [
    [["--binary", join(scripts, "missing")], /missing cannot be started: .*ENOENT/],
    [["--binary", script("data", "not a program")], /data (cannot be started|ended with status)/],
    [["--binary", failing], /failing ended with status 7 before it served: its output is in the log/],
    [["--binary", silent, "--timeout", "500ms"], /silent not ready within 0.5 s: it says nothing/],
  ];
  for (const [argv, reason] of attempts) {
    const { code, stdout, stderr } = await upgrades.command(front, ...argv);
    expect({ code, stdout }).toEqual({ code: 1, stdout: "" });
    expect(stderr).toMatch(reason);
  }
  expect(front.child().output()).toContain("cannot run here");
  expect((await load.stop()).failed).toBe(0);
  expect(front.child().gone()).toBeNull();
  expect((await fetchOnce(mesh.to("front", `web:${HTTP}`), "/")).status).toBe(200);
  // Nothing is left of them, and a good one works afterwards.
  await eventually(() =>
    expect(processesWith(`TULLE_STATE_DIR=${mesh.dir}/state-front\0`)).toEqual([front.child().pid])
  );
  const { before } = await upgrades.of(front);
  expect(before.pid).toBe(front.child().pid);
});

test.skipIf(isDirect)("a successor that cannot get ready says what it waits for", async () => {
  await using mesh = await start();
  await using upgrades = new Upgrades();
  const front = mesh.sidecar("front");
  // Without the state that was kept, and without a controller, it has nothing to serve by.
  await mesh.controller.child().stop();
  rmSync(join(mesh.dir, "state-front"), { recursive: true });
  const { code, stderr } = await upgrades.command(front, "--timeout", "1s");
  expect(code).toBe(1);
  expect(stderr).toMatch(/not ready within 1 s: .*no certificate yet/);
  expect(front.child().gone()).toBeNull();
});

test.skipIf(isDirect)("without a controller the successor serves by the state that was kept", async () => {
  await using mesh = await start();
  await using upgrades = new Upgrades();
  using _web = serveHttp(mesh.ip("back"), HTTP, async (_request, peer) => await peer.write(reply(200, "ok")));
  expect((await fetchOnce(mesh.to("front", `web:${HTTP}`), "/")).status).toBe(200);
  await mesh.controller.child().stop();
  for (const name of ["front", "back"]) await upgrades.of(mesh.sidecar(name));
  expect((await fetchOnce(mesh.to("front", `web:${HTTP}`), "/")).status).toBe(200);
});

test.skipIf(isDirect)("upgrades while certificates rotate", async () => {
  await using mesh = await start({ leafLifetime: "10s" });
  await using upgrades = new Upgrades();
  using _web = serveHttp(mesh.ip("back"), HTTP, async (_request, peer) => await peer.write(reply(200, "ok")));
  const load = startLoad(mesh.to("front", `web:${HTTP}`), { connections: 4, requestsPerConnection: 5, pauseMs: 1 });
  const until = performance.now() + 16_000;
  let turns = 0;
  for (; performance.now() < until; turns++) {
    for (const name of ["front", "back"]) await upgrades.of(mesh.sidecar(name));
    await Bun.sleep(1_000);
  }
  expect(turns).toBeGreaterThan(2);
  expect(await load.stop()).toMatchObject({ failed: 0, reasons: {} });
});

test.skipIf(isDirect)("another program than its own is run only for whoever may look into the proxy", async () => {
  await using mesh = await start();
  const { adminUrl } = mesh.sidecar("front");
  const binary = script("other", "#!/bin/sh\nexit 1\n");
  const ask = (proof: string) =>
    fetch(`${adminUrl}/upgrade?binary=${binary}`, { method: "POST", headers: { "tulle-proof": proof } });
  const refused = await ask("guess");
  expect(refused.status).toBe(401);
  const { proof } = await refused.json() as { proof: string };
  expect(proof).toStartWith(`/proc/${mesh.sidecar("front").child().pid}/fd/`);
  const secret = await Bun.file(proof).text();
  expect((await ask(secret)).status).toBe(502);
  expect((await ask(secret)).status).toBe(401); // good for once
});

test.skipIf(isDirect)(
  "SIGUSR2 upgrades to the same file; an idle connection is ended after its next request",
  async () => {
    await using mesh = await start();
    await using upgrades = new Upgrades();
    using _web = serveHttp(mesh.ip("back"), HTTP, async (_request, peer) => await peer.write(reply(200, "ok")));
    using idle = await Http1Client.connect(mesh.to("front", `web:${HTTP}`));
    expect((await idle.get("/")).status).toBe(200);
    const old = mesh.sidecar("front").child();
    old.signal("SIGUSR2");
    const [, pid] = await old.waitForOutput(/the successor serves.*"pid":(\d+)/, 30_000);
    const last = await idle.get("/");
    expect(last.status).toBe(200);
    expect(last.headers).toContainEqual(["connection", "close"]);
    expect(await old.exited).toBe(0);
    expect(isAlive(Number(pid))).toBe(true);
    // What served then is what answers now, and can be upgraded in turn.
    expect((await upgrades.of(mesh.sidecar("front"))).before.pid).toBe(Number(pid));
  },
);

test.skipIf(isDirect)("a connection that outlives the grace is cut off, and the process before ends", async () => {
  await using mesh = await start({ env: { TULLE_UPGRADE_GRACE: "1s" } });
  await using upgrades = new Upgrades();
  using _raw = listenTcp(mesh.ip("back"), OPAQUE, async (peer) => void await peer.readAll(600_000));
  using peer = await connectTcp(mesh.to("front", `raw:${OPAQUE}`));
  await peer.write("hello");
  await eventually(async () => {
    expect(sumOf(await mesh.sidecar("front").metrics(), "tcp_open_connections", { peer: "src" })).toBe(1);
  });
  const old = mesh.sidecar("front").child();
  const { before } = await upgrades.of(mesh.sidecar("front"));
  expect(before).toMatchObject({ pid: old.pid, connections: 1 });
  expect(await old.exited).toBe(0);
  expect(old.output()).toContain('"connections cut off at the end of the upgrade\'s grace","connections":1');
  // Not as if it had ended in order.
  expect(await peer.closed).toBe("ECONNRESET");
});

test.skipIf(isDirect)("when the successor ends while the process before is there, that one serves again", async () => {
  await using mesh = await start();
  await using upgrades = new Upgrades();
  using _web = serveHttp(mesh.ip("back"), HTTP, async (_request, peer) => await peer.write(reply(200, "ok")));
  using _raw = listenTcp(mesh.ip("back"), OPAQUE, async (peer) => void await peer.readAll(600_000));
  using stream = await connectTcp(mesh.to("front", `raw:${OPAQUE}`)); // keeps the process before alive
  await stream.write("hello");
  const front = mesh.sidecar("front");
  await eventually(async () => {
    expect(sumOf(await front.metrics(), "tcp_open_connections", { peer: "src" })).toBe(1);
  });
  const { pid } = await upgrades.of(front);
  process.kill(pid, "SIGKILL");
  await front.child().waitForOutput(/this process serves again/);
  for (let turn = 0; turn < 5; turn++) {
    expect((await fetchOnce(mesh.to("front", `web:${HTTP}`), "/")).status).toBe(200);
  }
  expect((await fetch(`${front.adminUrl}/ready`)).status).toBe(200);
  expect((await upgrades.of(front)).before.pid).toBe(front.child().pid);
});

test.skipIf(isDirect)(
  "a process id that must stay stays: the new program comes back into it, and nothing else is left",
  async () => {
    await using mesh = await start({ env: { TULLE_KEEP_PID: "always" } });
    await using upgrades = new Upgrades();
    using _web = serveHttp(mesh.ip("back"), HTTP, async (_request, peer) => await peer.write(reply(200, "ok")));
    using _raw = listenTcp(mesh.ip("back"), OPAQUE, async (peer) => void await peer.readAll(600_000));
    const front = mesh.sidecar("front");
    const load = startLoad(mesh.to("front", `web:${HTTP}`), { connections: 4, requestsPerConnection: 10, pauseMs: 1 });
    for (let turn = 0; turn < 3; turn++) {
      using stream = await connectTcp(mesh.to("front", `raw:${OPAQUE}`)); // keeps the process before alive
      await stream.write("hello");
      await eventually(async () => {
        expect(sumOf(await front.metrics(), "tcp_read_bytes_total", { peer: "src" })).toBeGreaterThan(0);
      });
      const { pid, keepsPid, before } = await upgrades.of(front);
      expect({ keepsPid, before: before.pid }).toEqual({ keepsPid: true, before: front.child().pid });
      // Until it has, the process that stands in takes no other upgrade.
      const again = await upgrades.command(front);
      expect(again).toMatchObject({ code: 1, stderr: expect.stringContaining("the upgrade before is not over") });
      stream[Symbol.dispose]();
      await eventually(() => expect(isAlive(pid)).toBe(false), 30_000);
      await eventually(() =>
        expect(processesWith(`TULLE_STATE_DIR=${mesh.dir}/state-front\0`)).toEqual([front.child().pid])
      );
    }
    expect(await load.stop()).toMatchObject({ failed: 0, reasons: {} });
    expect(front.child().gone()).toBeNull();
    expect(await front.child().stop()).toBe(0);
  },
);

test.skipIf(isDirect || process.getuid?.() !== 0)(
  "process 1 of a container stays, with its children reaped",
  async () => {
    // A process id namespace of its own: there the sidecar is process 1.
    const tulle = ["unshare", "--pid", "--fork", "--mount-proc", "--kill-child", ...tulleCommand()];
    await using mesh = await start({ tulle, workers: 2, env: { TULLE_KEEP_PID: "auto" } });
    using _web = serveHttp(mesh.ip("back"), HTTP, async (_request, peer) => await peer.write(reply(200, "ok")));
    const front = mesh.sidecar("front");
    const tree = processTree(front.child().pid);
    expect(tree).toHaveLength(2); // unshare, and process 1
    const load = startLoad(mesh.to("front", `web:${HTTP}`), { connections: 4, requestsPerConnection: 10, pauseMs: 1 });
    for (let turn = 1; turn <= 3; turn++) {
      const answer = await (await fetch(`${front.adminUrl}/upgrade`, { method: "POST" })).json();
      expect(answer).toMatchObject({ ok: true, keepsPid: true, before: { pid: 1 } });
      await eventually(() => {
        const output = front.child().output();
        if (countOf(output, "serves again; this one finishes") !== turn) throw new Error(output);
      }, 30_000);
      await eventually(() => expect(processTree(front.child().pid)).toEqual(tree), 30_000);
    }
    expect(await load.stop()).toMatchObject({ failed: 0, reasons: {} });
    expect((await fetch(`${front.adminUrl}/ready`)).status).toBe(200);
  },
);

test.skipIf(isDirect)("SIGTERM while another process stands in ends both", async () => {
  await using mesh = await start({ env: { TULLE_KEEP_PID: "always", TULLE_DRAIN_GRACE: "1s" } });
  await using upgrades = new Upgrades();
  using _raw = listenTcp(mesh.ip("back"), OPAQUE, async (peer) => void await peer.readAll(600_000));
  using stream = await connectTcp(mesh.to("front", `raw:${OPAQUE}`));
  await stream.write("hello");
  const front = mesh.sidecar("front");
  await eventually(async () => {
    expect(sumOf(await front.metrics(), "tcp_open_connections", { peer: "src" })).toBe(1);
  });
  const { pid } = await upgrades.of(front);
  front.child().signal("SIGTERM");
  expect(await front.child().exited).toBe(0);
  expect(isAlive(pid)).toBe(false);
});

test.skipIf(isDirect)(
  "a process that still finishes does not mind that its successor is replaced in turn",
  async () => {
    await using mesh = await start();
    await using upgrades = new Upgrades();
    using _raw = listenTcp(mesh.ip("back"), OPAQUE, async (peer) => void await peer.readAll(600_000));
    using stream = await connectTcp(mesh.to("front", `raw:${OPAQUE}`)); // keeps the first process alive
    await stream.write("hello");
    const front = mesh.sidecar("front");
    await eventually(async () => {
      expect(sumOf(await front.metrics(), "tcp_open_connections", { peer: "src" })).toBe(1);
    });
    const second = await upgrades.of(front);
    const third = await upgrades.of(front);
    expect(third.before.pid).toBe(second.pid);
    await eventually(() => expect(isAlive(second.pid)).toBe(false));
    // If the first one served again, it would be asked now and then.
    for (let turn = 0; turn < 20; turn++) {
      expect(sumOf(await front.metrics(), "tcp_open_connections", { peer: "src" })).toBe(0);
    }
    stream[Symbol.dispose]();
    expect(await front.child().exited).toBe(0);
  },
);
