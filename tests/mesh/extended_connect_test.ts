/** WebSocket of an HTTP/2 client (RFC 8441) to applications that do not speak it: real ones, by Node.js. */
import { afterAll, beforeAll, expect, setDefaultTimeout, test } from "bun:test";
import { isDirect, type Mesh, startMesh } from "../support/mesh.ts";
import { type Child, run, startProcess } from "../support/process.ts";
import { service, workload } from "../support/resources.ts";
import { need } from "../support/tools.ts";

setDefaultTimeout(60_000);

const tools = need("node");
const isPossible = tools !== null && !isDirect; // directly, the client would not even ask
/** A port that nothing is said about, one that is declared HTTP/1.1, and one where the answer is no WebSocket. */
const PORT = { http2: 8080, http1: 8081, plain: 8082 };
let mesh: Mesh;
let servers: Child;

/** An HTTP/2 server without extended CONNECT, an HTTP/1.1 server that switches to echo, and one that does not switch. */
const SERVERS = `
  const [host] = process.argv.slice(1);
  const { createHash } = require("node:crypto");
  require("node:http2").createServer((request, response) => response.end("plain")).listen(${PORT.http2}, host);
  const echo = require("node:http").createServer();
  echo.on("upgrade", (request, socket) => {
    const key = request.headers["sec-websocket-key"] + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
    const accept = createHash("sha1").update(key).digest("base64");
    socket.write("HTTP/1.1 101 Switching Protocols\\r\\nupgrade: websocket\\r\\nconnection: upgrade\\r\\n" +
      "sec-websocket-accept: " + accept + "\\r\\nx-method: " + request.method + "\\r\\n\\r\\n");
    socket.pipe(socket);
  });
  echo.listen(${PORT.http1}, host);
  require("node:http").createServer((request, response) => response.end("plain")).listen(${PORT.plain}, host,
    () => console.log("ready"));
`;

/** Asks for a WebSocket, sends "hello" and the end, and prints what comes back. */
const CLIENT = `
  const [url] = process.argv.slice(1);
  const session = require("node:http2").connect(url);
  session.on("remoteSettings", () => {
    const stream = session.request({ ":method": "CONNECT", ":protocol": "websocket", ":path": "/", ":scheme": "http",
      ":authority": "web", "sec-websocket-version": "13" }, { endStream: false });
    let answer = {}, text = "";
    stream.on("response", (headers) => answer = headers);
    stream.on("data", (chunk) => text += chunk);
    stream.on("close", () => {
      console.log(JSON.stringify({ status: answer[":status"], error: answer["tulle-error"] ?? null,
        method: answer["x-method"] ?? null, accept: answer["sec-websocket-accept"] ?? null, text }));
      session.close();
    });
    stream.end("hello");
  });
`;

beforeAll(async () => {
  if (!isPossible) return;
  const services = [service("h2", PORT.http2), service("h1", PORT.http1, "http"), service("found", PORT.http1)];
  const all = [...services, service("plain", PORT.plain)].map((one) => ({ ...one, app: "web" }));
  mesh = await startMesh({
    workloads: [workload("front", { calls: all.map((one) => `${one.name}:${one.ports[0]?.port}`) }), workload("web")],
    services: all,
  });
  servers = startProcess({ argv: [tools.node, "-e", SERVERS, mesh.ip("web")], name: "servers" });
  await servers.waitForOutput(/ready/);
});

afterAll(async () => {
  await servers?.stop();
  await mesh?.[Symbol.asyncDispose]();
});

async function ask(target: string): Promise<Record<string, unknown>> {
  const url = `http://${mesh.to("front", target).authority}`;
  const done = await run({ argv: [tools?.node ?? "", "-e", CLIENT, url], name: "client" });
  if (done.code !== 0) throw new Error(done.stderr);
  return JSON.parse(done.stdout) as Record<string, unknown>;
}

test.skipIf(!isPossible)(
  "an HTTP/2 application that does not announce extended CONNECT: 501 with the reason",
  async () => {
    const { status, error } = await ask(`h2:${PORT.http2}`);
    expect([status, error]).toEqual([501, "no_upgrade"]);
  },
);

for (const name of ["h1", "found"]) {
  test.skipIf(!isPossible)(`an HTTP/1.1 application gets an upgrade, end included (${name})`, async () => {
    const { status, method, accept, text } = await ask(`${name}:${PORT.http1}`);
    expect([status, method, accept, text]).toEqual([200, "GET", null, "hello"]);
  });
}

test.skipIf(!isPossible)("an application that answers an upgrade with a page opens no tunnel", async () => {
  const { status, error } = await ask(`plain:${PORT.plain}`);
  expect([status, error]).toEqual([501, "no_upgrade"]);
});
