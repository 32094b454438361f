/**
 * The applications behind the attacked sidecars, in processes of their own so that an attacker's work does not slow them:
 * `bun _app.ts HOST http1`, and `bun _app.ts HOST http2` for all others of _ports.ts.
 */
import type { Socket } from "bun";
import { serveH2 } from "./_h2_app.ts";
import { hostileHttp1, hostileHttp2 } from "./_hostile_app.ts";
import { BIG_BYTES, MEDIUM_BYTES, PORT } from "./_ports.ts";

const host = process.argv[2] ?? "127.0.0.1";
const medium = Buffer.alloc(MEDIUM_BYTES, 0x61);
const big = Buffer.alloc(BIG_BYTES, 0x61);
const noise = Buffer.alloc(64 * 1024, 0x61);

/** Bodies by path; -1: never answered. */
function bodyBytes(path: string): number {
  return path === "/big" ? BIG_BYTES : path === "/medium" ? MEDIUM_BYTES : path === "/never" ? -1 : 2;
}

function makeNoise(socket: { write(bytes: Uint8Array): number }): void {
  while (socket.write(noise) === noise.length);
}

/** What the bystander uses too. */
function serveHttp1(): void {
  Bun.serve({
    hostname: host,
    port: PORT.http1,
    idleTimeout: 0,
    development: false,
    async fetch(request, server) {
      const path = new URL(request.url).pathname;
      if (path === "/socket") return server.upgrade(request) ? undefined : new Response("no upgrade", { status: 400 });
      if (request.method === "POST") await request.arrayBuffer();
      const bytes = bodyBytes(path);
      if (bytes < 0) return await new Promise<Response>(() => {});
      return new Response(bytes === BIG_BYTES ? big : bytes === MEDIUM_BYTES ? medium : "ok");
    },
    websocket: { message: (socket, message) => void socket.send(message) },
  });
}

/** One answer for each connection, from the one copy of the body. */
function serveFiles(): void {
  const answer = Buffer.concat([Buffer.from(`HTTP/1.1 200 OK\r\ncontent-length: ${BIG_BYTES}\r\n\r\n`), big]);
  const left = new WeakMap<object, Uint8Array>();
  const drain = (socket: Socket) => {
    const rest = left.get(socket);
    if (rest !== undefined) left.set(socket, rest.subarray(Math.max(0, socket.write(rest))));
  };
  Bun.listen({
    hostname: host,
    port: PORT.files,
    socket: {
      data(socket) {
        if ((left.get(socket)?.length ?? 0) > 0) return;
        left.set(socket, answer);
        drain(socket);
      },
      drain,
      error() {},
    },
  });
}

function serveOthers(): void {
  serveFiles();
  serveH2(host, PORT.http2, (_connection, _id, path) => bodyBytes(path));
  Bun.listen({
    hostname: host,
    port: PORT.noise,
    socket: {
      open(socket) {
        socket.pause();
        makeNoise(socket);
      },
      drain: makeNoise,
      data() {},
      error() {},
    },
  });

  hostileHttp1(host, PORT.hostile1);
  hostileHttp2(host, PORT.hostile2);
}

if (process.argv[3] === "http1") serveHttp1();
else serveOthers();
