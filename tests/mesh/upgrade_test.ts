/** Connections that leave HTTP: WebSocket and CONNECT. */
import { afterAll, beforeAll, expect, setDefaultTimeout, test } from "bun:test";
import { type Mesh, startMesh } from "../support/mesh.ts";
import { service, workload } from "../support/resources.ts";
import { connectTcp, listenTcp, type TcpListener } from "../support/tcp.ts";

setDefaultTimeout(90_000);

const PORT = 8080;
const RAW_PORT = 8081;
let mesh: Mesh;
let echo: ReturnType<typeof Bun.serve>;
let raw: TcpListener;

beforeAll(async () => {
  mesh = await startMesh({
    workloads: [workload("front", { calls: [`web:${PORT}`, `raw:${RAW_PORT}`] }), workload("web")],
    services: [service("web", PORT, "http"), service("raw", RAW_PORT, "http", { app: "web" })],
  });
  echo = Bun.serve({
    hostname: mesh.ip("web"),
    port: PORT,
    fetch(request, server) {
      if (server.upgrade(request, { data: undefined })) return undefined;
      return new Response("plain");
    },
    websocket: {
      message(socket, data) {
        socket.send(data);
      },
    },
  });
  raw = listenTcp(mesh.ip("web"), RAW_PORT, async (peer) => {
    let head = "";
    while (!head.includes("\r\n\r\n")) head += Buffer.from(await peer.read() ?? []).toString("latin1");
    const isConnect = head.startsWith("CONNECT ");
    await peer.write(
      isConnect
        ? "HTTP/1.1 200 Established\r\n\r\n"
        : "HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: raw\r\n\r\n",
    );
    for (let bytes = await peer.read(); bytes !== null; bytes = await peer.read()) await peer.write(bytes);
    await peer.write("bye");
    peer.end();
  });
});

afterAll(async () => {
  await echo?.stop(true);
  raw?.[Symbol.dispose]();
  await mesh?.[Symbol.asyncDispose]();
});

test("a WebSocket echoes text, binary and a megabyte", async () => {
  const socket = new WebSocket(`ws://${mesh.to("front", `web:${PORT}`).authority}/socket`);
  socket.binaryType = "arraybuffer";
  const next = () =>
    new Promise<string | ArrayBuffer>((resolve, reject) => {
      socket.onmessage = (event) => resolve(event.data);
      socket.onclose = (event) => reject(new Error(`closed: ${event.code} ${event.reason}`));
      socket.onerror = () => reject(new Error("failed"));
    });
  await new Promise((resolve, reject) => {
    socket.onopen = resolve;
    socket.onerror = () => reject(new Error("the handshake failed"));
  });
  let answer = next();
  socket.send("hello");
  expect(await answer).toBe("hello");
  const big = new Uint8Array(1_000_000).map((_, at) => at % 251);
  answer = next();
  socket.send(big);
  expect(Buffer.from(await answer as ArrayBuffer).equals(big)).toBe(true);
  const closed = new Promise<number>((resolve) => socket.onclose = (event) => resolve(event.code));
  socket.close(1000);
  expect(await closed).toBe(1000);
});

test("a hundred WebSockets at once", async () => {
  const url = `ws://${mesh.to("front", `web:${PORT}`).authority}/socket`;
  const answers = await Promise.all(Array.from({ length: 100 }, (_, at) =>
    new Promise((resolve, reject) => {
      const socket = new WebSocket(url);
      socket.onopen = () => socket.send(`n${at}`);
      socket.onerror = () => reject(new Error(`socket ${at} failed`));
      socket.onmessage = (event) => {
        socket.close();
        resolve(event.data);
      };
    })));
  expect(answers).toEqual(Array.from({ length: 100 }, (_, at) => `n${at}`));
});

test("plain requests are served on the same port", async () => {
  const response = await fetch(`http://${mesh.to("front", `web:${PORT}`).authority}/`);
  expect(await response.text()).toBe("plain");
});

for (
  const [name, head] of [
    ["Upgrade to a protocol of its own", "GET / HTTP/1.1\r\nhost: raw\r\nconnection: upgrade\r\nupgrade: raw\r\n\r\n"],
    ["CONNECT", "CONNECT somewhere:1 HTTP/1.1\r\nhost: somewhere:1\r\n\r\n"],
  ] as const
) {
  test(`${name}: bytes pass both ways and half-close is kept`, async () => {
    using peer = await connectTcp(mesh.to("front", `raw:${RAW_PORT}`));
    await peer.write(head);
    let text = "";
    while (!text.includes("\r\n\r\n")) {
      const chunk = await peer.read();
      if (chunk === null) throw new Error(`ended: ${text}`);
      text += Buffer.from(chunk).toString("latin1");
    }
    expect(text).toMatch(/^HTTP\/1\.1 (101|200) /);
    await peer.write("ping");
    expect((await peer.readExactly(4)).toString()).toBe("ping");
    peer.end();
    expect((await peer.readAll()).toString()).toBe("bye");
  });
}
