/** Large bodies pass both sidecars in constant memory, both ways, and whole. */
import { afterAll, beforeAll, expect, setDefaultTimeout, test } from "bun:test";
import { Http1Client } from "../support/http1.ts";
import { isDirect, type Mesh, startMesh } from "../support/mesh.ts";
import { memory } from "../support/proc.ts";
import { service, workload } from "../support/resources.ts";
import { connectTcp, listenTcp, type TcpListener, type TcpPeer } from "../support/tcp.ts";

setDefaultTimeout(90_000);

const PORT = 8080;
const RAW_PORT = 9000;
const GIB = 1024 * 1024 * 1024;
/** Most private memory that a sidecar may gain while a gigabyte passes: buffers, not the body. In MB. */
const MAX_GROWTH_MB = 96;
const CHUNK = new Uint8Array(1024 * 1024).map((_, at) => (at * 7 + (at >> 8)) % 256);
let mesh: Mesh;
let app: TcpListener;
let raw: TcpListener;

beforeAll(async () => {
  mesh = await startMesh({
    workloads: [workload("front", { calls: [`web:${PORT}`, `raw:${RAW_PORT}`] }), workload("web")],
    services: [service("web", PORT, "http"), service("raw", RAW_PORT, null, { app: "web" })],
  });
  app = listenTcp(mesh.ip("web"), PORT, async (peer) => {
    for (;;) await serveOne(peer);
  });
  raw = listenTcp(mesh.ip("web"), RAW_PORT, async (peer) => {
    await peer.write(await check(peer, 64 * CHUNK.length));
    peer.end();
  });
});

afterAll(async () => {
  app?.[Symbol.dispose]();
  raw?.[Symbol.dispose]();
  await mesh?.[Symbol.asyncDispose]();
});

/** GET: a gigabyte of the pattern. Otherwise: reads the body, and says whether it is the pattern. */
async function serveOne(peer: TcpPeer): Promise<void> {
  const head = await readUntilBlankLine(peer);
  if (head.startsWith("GET")) {
    await peer.write(`HTTP/1.1 200 OK\r\ncontent-length: ${GIB}\r\n\r\n`);
    for (let sent = 0; sent < GIB; sent += CHUNK.length) await peer.write(CHUNK);
    return;
  }
  const found = await check(peer, Number(/content-length: (\d+)/i.exec(head)?.[1] ?? 0));
  await peer.write(`HTTP/1.1 200 OK\r\ncontent-length: ${found.length}\r\n\r\n${found}`);
}

async function readUntilBlankLine(peer: TcpPeer): Promise<string> {
  let bytes = Buffer.alloc(0);
  for (;;) {
    const chunk = await peer.read(3_600_000);
    if (chunk === null) throw new Error("ended inside the head");
    bytes = Buffer.concat([bytes, chunk]);
    const end = bytes.indexOf("\r\n\r\n");
    if (end < 0) continue;
    peer.unread(bytes.subarray(end + 4));
    return bytes.subarray(0, end).toString("latin1");
  }
}

/** Reads `length` bytes and compares them with the pattern: "good", or where they differ first. */
async function check(peer: TcpPeer, length: number): Promise<string> {
  let at = 0;
  while (at < length) {
    const chunk = await peer.read(30_000);
    if (chunk === null) return `ended at ${at}`;
    for (let done = 0; done < chunk.length;) {
      const offset = (at + done) % CHUNK.length;
      const size = Math.min(chunk.length - done, CHUNK.length - offset);
      if (Buffer.compare(chunk.subarray(done, done + size), CHUNK.subarray(offset, offset + size)) !== 0) {
        return `differs in the ${size} bytes at ${at + done}`;
      }
      done += size;
    }
    at += chunk.length;
  }
  return "good";
}

/** Runs `work` while watching the private memory of both sidecars; returns how much each gained at most, in MB. */
async function growthMb(work: () => Promise<void>): Promise<number[]> {
  if (isDirect) {
    await work();
    return [0];
  }
  const pids = ["front", "web"].map((name) => mesh.sidecar(name).child().pid);
  const before = pids.map((pid) => memory([pid]).anonMb);
  const most = [...before];
  const timer = setInterval(
    () => pids.forEach((pid, at) => most[at] = Math.max(most[at] ?? 0, memory([pid]).anonMb)),
    50,
  );
  try {
    await work();
  } finally {
    clearInterval(timer);
  }
  return most.map((value, at) => Math.round(value - (before[at] ?? 0)));
}

test("1 GiB down", async () => {
  const grown = await growthMb(async () => {
    using peer = await connectTcp(mesh.to("front", `web:${PORT}`));
    await peer.write("GET /big HTTP/1.1\r\nhost: web\r\n\r\n");
    await readUntilBlankLine(peer);
    expect(await check(peer, GIB)).toBe("good");
  });
  console.log(`1 GiB down: private memory +${grown.join(" and +")} MB`);
  expect(Math.max(...grown)).toBeLessThan(MAX_GROWTH_MB);
});

test("1 GiB up", async () => {
  const grown = await growthMb(async () => {
    using client = await Http1Client.connect(mesh.to("front", `web:${PORT}`));
    await client.peer.write(`POST /big HTTP/1.1\r\nhost: web\r\ncontent-length: ${GIB}\r\n\r\n`);
    for (let sent = 0; sent < GIB; sent += CHUNK.length) await client.peer.write(CHUNK);
    expect((await client.readResponse()).body.toString()).toBe("good");
  });
  console.log(`1 GiB up: private memory +${grown.join(" and +")} MB`);
  expect(Math.max(...grown)).toBeLessThan(MAX_GROWTH_MB);
});

test("64 MiB of opaque bytes arrive whole", async () => {
  using peer = await connectTcp(mesh.to("front", `raw:${RAW_PORT}`));
  for (let at = 0; at < 64; at++) await peer.write(CHUNK);
  expect((await peer.readAll()).toString()).toBe("good");
});

test("20 clients that do not read hold back their own bytes only, and others are served", async () => {
  const target = mesh.to("front", `web:${PORT}`);
  const grown = await growthMb(async () => {
    const stalled = await Promise.all(Array.from({ length: 20 }, async () => {
      const peer = await connectTcp(target);
      await peer.write("GET /big HTTP/1.1\r\nhost: web\r\n\r\n");
      await readUntilBlankLine(peer);
      return peer; // its reader pauses at 1 MB
    }));
    for (let turn = 0; turn < 5; turn++) {
      using client = await Http1Client.connect(target);
      await client.peer.write(`POST /small HTTP/1.1\r\nhost: web\r\ncontent-length: ${CHUNK.length}\r\n\r\n`);
      await client.peer.write(CHUNK);
      expect((await client.readResponse()).body.toString()).toBe("good");
    }
    for (const peer of stalled) peer.terminate();
  });
  expect(Math.max(...grown)).toBeLessThan(MAX_GROWTH_MB);
});
