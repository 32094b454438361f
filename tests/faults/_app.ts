/**
 * An application that faults happen to: the same answers over HTTP/1.1, HTTP/2 and gRPC, each on a port of its own.
 *
 *     bun _app.ts NAME HOST HTTP1 HTTP2 GRPC    ports; 0 for none
 *
 * Settings by environment: DELAY_MS (time to answer), KEEP_ALIVE_MS (an HTTP/1.1 connection idle for longer is closed, -1
 * for never). It writes a line for each POST before it answers, "P <id>", so that the count survives a kill. SIGTERM ends it
 * gracefully: what runs is answered, idle connections are closed.
 */
import * as grpc from "@grpc/grpc-js";
import { createServer as createHttp2Server, type Http2Session, type ServerHttp2Stream } from "node:http2";
import { createHash } from "node:crypto";
import { writeSync } from "node:fs";
import { reply, serveHttp } from "../support/http1.ts";
import type { TcpPeer } from "../support/tcp.ts";

const [name = "app", host = "127.0.0.1", ...ports] = process.argv.slice(2);
const [http1Port = 0, http2Port = 0, grpcPort = 0] = ports.map(Number);
const delayMs = Number(process.env["DELAY_MS"] ?? 0);
const keepAliveMs = Number(process.env["KEEP_ALIVE_MS"] ?? -1);
const stoppers: (() => Promise<void>)[] = [];
let leaving = false;

function seen(method: string, id: string): void {
  if (method === "POST") writeSync(1, `P ${id}\n`);
}

async function wait(): Promise<void> {
  if (delayMs > 0) await Bun.sleep(delayMs);
}

/** Sends a body back, and says what it was. */
async function echo(body: Buffer, peer: TcpPeer): Promise<void> {
  const sum = createHash("sha256").update(body).digest("hex");
  await peer.write(`HTTP/1.1 200 OK\r\ncontent-length: ${body.length}\r\nx-sha256: ${sum}\r\n\r\n`);
  await peer.write(body);
}

function serveHttp1(): void {
  const busy = new Set<TcpPeer>();
  const timers = new Map<TcpPeer, ReturnType<typeof setTimeout>>();
  const app = serveHttp(host, http1Port, async (request, peer) => {
    clearTimeout(timers.get(peer));
    busy.add(peer);
    const id = request.path.slice(1);
    if (id === "hash") return await echo(request.body, peer);
    seen(request.method, id);
    await wait();
    await peer.write(reply(200, `${name} ${id}`, leaving ? { connection: "close" } : {}));
    busy.delete(peer);
    if (leaving) peer.end();
    else if (keepAliveMs >= 0) timers.set(peer, setTimeout(() => peer.end(), keepAliveMs));
  });
  stoppers.push(async () => {
    app.stop();
    for (const peer of app.open()) if (!busy.has(peer)) peer.end();
    while (app.open().size > 0) await Bun.sleep(5);
  });
}

function serveHttp2(): void {
  const sessions = new Set<Http2Session>();
  const server = createHttp2Server();
  server.on("session", (session) => {
    sessions.add(session);
    session.on("close", () => sessions.delete(session));
    session.on("error", () => {});
  });
  server.on("stream", (stream: ServerHttp2Stream, headers) => {
    const id = String(headers[":path"]).slice(1);
    seen(String(headers[":method"]), id);
    stream.on("error", () => {});
    stream.resume();
    void wait().then(() => {
      if (stream.destroyed) return;
      stream.respond({ ":status": 200 });
      stream.end(`${name} ${id}`);
    });
  });
  server.listen(http2Port, host);
  stoppers.push(async () => {
    server.close();
    for (const session of sessions) session.close();
    while (sessions.size > 0) await Bun.sleep(5);
  });
}

async function serveGrpc(): Promise<void> {
  const bytes = (value: Buffer) => value;
  const server = new grpc.Server();
  server.addService(
    {
      Ask: {
        path: "/fault.App/Ask",
        requestStream: false,
        responseStream: false,
        requestSerialize: bytes,
        requestDeserialize: bytes,
        responseSerialize: bytes,
        responseDeserialize: bytes,
      },
    },
    {
      Ask(call: grpc.ServerUnaryCall<Buffer, Buffer>, answer: grpc.sendUnaryData<Buffer>) {
        const id = call.request.toString();
        seen("POST", id);
        void wait().then(() => answer(null, Buffer.from(`${name} ${id}`)));
      },
    },
  );
  await new Promise<void>((resolve, reject) => {
    server.bindAsync(`${host}:${grpcPort}`, grpc.ServerCredentials.createInsecure(), (error) => {
      if (error === null) resolve();
      else reject(error);
    });
  });
  stoppers.push(() => new Promise((resolve) => server.tryShutdown(() => resolve())));
}

if (http1Port > 0) serveHttp1();
if (http2Port > 0) serveHttp2();
if (grpcPort > 0) await serveGrpc();
process.on("SIGTERM", () => {
  leaving = true;
  void Promise.all(stoppers.map((stop) => stop())).then(() => process.exit(0));
});
writeSync(1, "ready\n");
