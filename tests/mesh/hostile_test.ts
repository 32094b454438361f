/** Clients that mean harm, or behave as if: memory stays bounded, and others are served meanwhile. */
import { afterAll, beforeAll, expect, setDefaultTimeout, test } from "bun:test";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { eventually } from "../support/eventually.ts";
import { Flag, frame, FrameType, getBlock, PREFACE } from "../support/h2_frames.ts";
import { Http1Client, type HttpApp, reply, serveHttp } from "../support/http1.ts";
import { type LoadReport, startLoad } from "../support/http_load.ts";
import { isDirect, type Mesh, startMesh } from "../support/mesh.ts";
import { memory } from "../support/proc.ts";
import { type Child, startServer } from "../support/process.ts";
import { service, workload } from "../support/resources.ts";
import { connectTcp, type TcpPeer } from "../support/tcp.ts";
import { need } from "../support/tools.ts";

setDefaultTimeout(90_000);

const H1_PORT = 8080;
const H2_PORT = 8081;
const tools = need("nghttpd");
const dir = mkdtempSync(join(tmpdir(), "tulle-www-"));
/** Most private memory a sidecar may gain, in MB: a thousand megabytes are on offer. */
const MAX_GROWTH_MB = 150;
/** Longest wait of any other client, in ms; wide, for busy machines. */
const MAX_GAP_MS = 2_000;
let mesh: Mesh;
let app: HttpApp;
let h2: Child;

beforeAll(async () => {
  if (isDirect) return;
  mesh = await startMesh({
    workloads: [workload("front", { calls: [`web:${H1_PORT}`, `grpc:${H2_PORT}`] }), workload("web")],
    services: [service("web", H1_PORT, "http"), service("grpc", H2_PORT, "kubernetes.io/h2c", { app: "web" })],
  });
  app = serveHttp(mesh.ip("web"), H1_PORT, async (_request, peer) => await peer.write(reply(200, "ok")));
  if (tools === null) return;
  writeFileSync(join(dir, "big"), Buffer.alloc(10_000_000, 1));
  writeFileSync(join(dir, "index.html"), "ok");
  const argv = [tools.nghttpd, "--no-tls", "-a", mesh.ip("web"), "-d", dir, String(H2_PORT)];
  h2 = await startServer({ argv, host: mesh.ip("web"), port: H2_PORT });
});

afterAll(async () => {
  app?.[Symbol.dispose]();
  await h2?.stop();
  await mesh?.[Symbol.asyncDispose]();
  rmSync(dir, { recursive: true, force: true });
});

/** Runs `attack` under a steady load of others and returns its report and how many MB the sidecars gained at most. */
async function during(attack: () => Promise<void>): Promise<{ report: LoadReport; grownMb: number }> {
  const pids = ["front", "web"].map((name) => mesh.sidecar(name).child().pid);
  const before = pids.map((pid) => memory([pid]).anonMb);
  const load = startLoad(mesh.to("front", `web:${H1_PORT}`), { connections: 2, pauseMs: 2, requestsPerConnection: 10 });
  let grownMb = 0;
  const watch = () => pids.forEach((pid, at) => grownMb = Math.max(grownMb, memory([pid]).anonMb - (before[at] ?? 0)));
  const timer = setInterval(watch, 50);
  try {
    await attack();
    watch();
  } finally {
    clearInterval(timer);
  }
  return { report: await load.stop(), grownMb: Math.round(grownMb) };
}

function expectOthersServed(result: { report: LoadReport; grownMb: number }): void {
  console.log(
    `others: ${result.report.ok} served, longest gap ${
      Math.round(result.report.longestGapMs)
    } ms; +${result.grownMb} MB`,
  );
  expect(result.report).toMatchObject({ failed: 0, reasons: {} });
  expect(result.report.longestGapMs).toBeLessThan(MAX_GAP_MS);
  expect(result.grownMb).toBeLessThan(MAX_GROWTH_MB);
}

async function openH2(initialWindow: number): Promise<TcpPeer> {
  const peer = await connectTcp(mesh.to("front", `grpc:${H2_PORT}`));
  const setting = Buffer.from([0, 4, 0, 0, 0, 0]);
  setting.writeUInt32BE(initialWindow, 2);
  const credit = Buffer.alloc(4);
  credit.writeUInt32BE(0x7fffffff - 65_535);
  await peer.write(
    Buffer.concat([PREFACE, frame(FrameType.SETTINGS, 0, 0, setting), frame(FrameType.WINDOW_UPDATE, 0, 0, credit)]),
  );
  return peer;
}

test.skipIf(isDirect || tools === null)(
  "a client asks for 100 bodies of 10 MB with open windows and does not read",
  async () => {
    const result = await during(async () => {
      using peer = await openH2(0x7fffffff);
      const requests = Array.from(
        { length: 100 },
        (_, at) => frame(FrameType.HEADERS, 5, 2 * at + 1, getBlock("/big", "web")),
      );
      await peer.write(Buffer.concat(requests));
      await Bun.sleep(4_000);
      using other = await openH2(65_535);
      await other.write(frame(FrameType.HEADERS, Flag.END_HEADERS | Flag.END_STREAM, 1, getBlock("/", "web")));
      let bytes = "";
      while (!bytes.includes("ok")) bytes += Buffer.from(await other.read(5_000) ?? []).toString("latin1");
    });
    expectOthersServed(result);
  },
);

test.skipIf(isDirect || tools === null)("a client opens and resets 20,000 streams", async () => {
  const cancel = Buffer.from([0, 0, 0, 8]);
  const result = await during(async () => {
    using peer = await openH2(65_535);
    for (let at = 0; at < 20_000; at += 100) {
      const frames = Array.from({ length: 100 }, (_, n) => {
        const id = 2 * (at + n) + 1;
        return Buffer.concat([
          frame(FrameType.HEADERS, 5, id, getBlock("/", "web")),
          frame(FrameType.RST_STREAM, 0, id, cancel),
        ]);
      });
      try {
        await peer.write(Buffer.concat(frames));
      } catch {
        return; // it had enough: a right answer
      }
    }
    await Bun.sleep(500);
  });
  expectOthersServed(result);
});

test.skipIf(isDirect || tools === null)("a client sends endless SETTINGS, PING and empty DATA", async () => {
  const result = await during(async () => {
    for (const type of [FrameType.SETTINGS, FrameType.PING, FrameType.DATA]) {
      using peer = await openH2(65_535);
      await peer.write(frame(FrameType.HEADERS, Flag.END_HEADERS, 1, getBlock("/", "web")));
      const one = type === FrameType.PING
        ? frame(type, 0, 0, Buffer.alloc(8))
        : frame(type, 0, type === FrameType.DATA ? 1 : 0);
      const many = Buffer.concat(Array.from({ length: 5_000 }, () => one));
      try {
        for (let turn = 0; turn < 20; turn++) await Promise.race([peer.write(many), Bun.sleep(1_000)]);
      } catch {
        // It had enough: a right answer.
      }
    }
  });
  expectOthersServed(result);
});

test.skipIf(isDirect)("300 clients send their heads a byte at a time", async () => {
  const result = await during(async () => {
    const slow = await Promise.all(Array.from({ length: 300 }, () => connectTcp(mesh.to("front", `web:${H1_PORT}`))));
    const head = "GET /slow HTTP/1.1\r\nhost: web\r\nx-a: ";
    for (let at = 0; at < 30; at++) {
      await Promise.all(slow.map((peer) => peer.write(head[at] ?? "a").catch(() => {}))); // closed by then: right too
      await Bun.sleep(60);
    }
    for (const peer of slow) peer.terminate();
  });
  expectOthersServed(result);
});

test.skipIf(isDirect)("clients that vanish in the middle of requests leave nothing behind", async () => {
  const open = async () => {
    const text = await mesh.sidecar("front").metrics();
    return text.split("\n").filter((line) => line.startsWith("tcp_open_connections{") && line.includes('peer="src"'))
      .reduce((sum, line) => sum + Number(line.split(" ").at(-1)), 0);
  };
  for (let turn = 0; turn < 200; turn++) {
    using client = await Http1Client.connect(mesh.to("front", `web:${H1_PORT}`));
    await client.peer.write(
      `POST / HTTP/1.1\r\nhost: web\r\ncontent-length: 100000\r\n\r\n${"x".repeat(1 + turn * 400)}`,
    );
  }
  await eventually(async () => expect(await open()).toBe(0));
});
