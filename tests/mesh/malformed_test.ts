/** What is not HTTP, or not allowed by it, is answered with a clear error, does not reach the app, and hurts nobody else. */
import { afterAll, beforeAll, expect, setDefaultTimeout, test } from "bun:test";
import { createServer, type Http2Server } from "node:http2";
import { Flag, frame, FrameType, getBlock, literalBlock, parseFrames, PREFACE } from "../support/h2_frames.ts";
import { Http1Client, type HttpApp, reply, serveHttp } from "../support/http1.ts";
import { startLoad } from "../support/http_load.ts";
import { isDirect, type Mesh, startMesh } from "../support/mesh.ts";
import { service, workload } from "../support/resources.ts";
import { connectTcp } from "../support/tcp.ts";

setDefaultTimeout(90_000);

const H1_PORT = 8080;
const H2_PORT = 8081;
let mesh: Mesh;
let app: HttpApp;
let h2: Http2Server;
let h2Requests = 0;

beforeAll(async () => {
  mesh = await startMesh({
    workloads: [workload("front", { calls: [`web:${H1_PORT}`, `grpc:${H2_PORT}`] }), workload("web")],
    services: [service("web", H1_PORT, "http"), service("grpc", H2_PORT, "kubernetes.io/h2c", { app: "web" })],
  });
  app = serveHttp(mesh.ip("web"), H1_PORT, async (_request, peer) => await peer.write(reply(200, "ok")));
  h2 = createServer((_request, response) => {
    h2Requests++;
    response.end("ok");
  });
  h2.on("sessionError", () => {});
  await new Promise<void>((resolve) => h2.listen(H2_PORT, mesh.ip("web"), resolve));
});

afterAll(async () => {
  app?.[Symbol.dispose]();
  h2?.close();
  await mesh?.[Symbol.asyncDispose]();
});

const HOST = "host: web\r\n";
/** Name, request, and the statuses that are a right answer. */
const BAD_REQUESTS: readonly [string, string, readonly number[]][] = [
  ["both lengths", `POST / HTTP/1.1\r\n${HOST}content-length: 3\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n`, [400]],
  ["two different lengths", `POST / HTTP/1.1\r\n${HOST}content-length: 3\r\ncontent-length: 4\r\n\r\nabcd`, [400]],
  ["a negative length", `POST / HTTP/1.1\r\n${HOST}content-length: -1\r\n\r\n`, [400]],
  ["a length with a sign", `POST / HTTP/1.1\r\n${HOST}content-length: +3\r\n\r\nabc`, [400]],
  ["a length beyond all numbers", `POST / HTTP/1.1\r\n${HOST}content-length: 99999999999999999999\r\n\r\n`, [400, 413]],
  ["an unknown transfer coding", `POST / HTTP/1.1\r\n${HOST}transfer-encoding: xchunked\r\n\r\n`, [400, 501]],
  ["chunked not last", `POST / HTTP/1.1\r\n${HOST}transfer-encoding: chunked, gzip\r\n\r\n`, [400, 501]],
  ["no host", "GET / HTTP/1.1\r\n\r\n", [400]],
  ["two hosts", `GET / HTTP/1.1\r\n${HOST}host: other\r\n\r\n`, [400]],
  ["space before the colon", `GET / HTTP/1.1\r\n${HOST}x-a : 1\r\n\r\n`, [400]],
  ["a folded header", `GET / HTTP/1.1\r\n${HOST}x-a: 1\r\n 2\r\n\r\n`, [400]],
  ["a header without a name", `GET / HTTP/1.1\r\n${HOST}: 1\r\n\r\n`, [400]],
  ["a NUL in a value", `GET / HTTP/1.1\r\n${HOST}x-a: 1\x002\r\n\r\n`, [400]],
  ["a bare carriage return in a value", `GET / HTTP/1.1\r\n${HOST}x-a: 1\r2\r\n\r\n`, [400]],
  ["bare line feeds", "GET / HTTP/1.1\nhost: web\n\n", [400]],
  ["an unknown version", `GET / HTTP/3.7\r\n${HOST}\r\n`, [400, 505]],
  ["no version", `GET /\r\n${HOST}\r\n`, [400, 505]],
  ["a space in the path", `GET /a b HTTP/1.1\r\n${HOST}\r\n`, [400]],
  ["a method of odd characters", `G(T / HTTP/1.1\r\n${HOST}\r\n`, [400, 501]],
  ["a path beyond the limit", `GET /${"a".repeat(300_000)} HTTP/1.1\r\n${HOST}\r\n`, [400, 414, 431]],
  ["5,000 headers", `GET / HTTP/1.1\r\n${HOST}${"a: 1\r\n".repeat(5_000)}\r\n`, [400, 431]],
];

for (const [name, text, statuses] of BAD_REQUESTS) {
  test.skipIf(isDirect)(`HTTP/1.1 with ${name}: an error, and the end of that connection alone`, async () => {
    using other = await Http1Client.connect(mesh.to("front", `web:${H1_PORT}`));
    expect((await other.get("/")).status).toBe(200);
    const before = app.requests();
    using bad = await Http1Client.connect(mesh.to("front", `web:${H1_PORT}`));
    await bad.peer.write(text).catch(() => {}); // it may be refused while it is being sent
    const response = await bad.readResponse();
    expect(statuses).toContain(response.status);
    expect(response.body.length).toBeGreaterThan(0);
    expect(await bad.peer.read(5_000).catch(() => null)).toBeNull();
    expect(app.requests()).toBe(before);
    expect((await other.get("/")).status).toBe(200);
  });
}

test.skipIf(isDirect)("a broken chunk inside a body ends the request, the app's connection included", async () => {
  using client = await Http1Client.connect(mesh.to("front", `web:${H1_PORT}`));
  await client.peer.write(`POST / HTTP/1.1\r\n${HOST}transfer-encoding: chunked\r\n\r\n5\r\nhello\r\nZZ\r\n`);
  const response = await client.readResponse().catch(() => null);
  if (response !== null) expect(response.status).toBe(400);
});

const goodRequest = frame(FrameType.HEADERS, Flag.END_HEADERS | Flag.END_STREAM, 1, getBlock("/", "web"));
const [PROTOCOL_ERROR, FLOW_CONTROL_ERROR, STREAM_CLOSED, FRAME_SIZE_ERROR, COMPRESSION_ERROR] = [1, 3, 5, 6, 9];
const ENHANCE_YOUR_CALM = 11;
/** Name, frames after preface and SETTINGS, and the codes that are a right answer (RST_STREAM or GOAWAY). */
const BAD_FRAMES: readonly [string, Buffer, readonly number[]][] = [
  ["HEADERS on stream 0", frame(FrameType.HEADERS, 5, 0, getBlock("/", "web")), [PROTOCOL_ERROR]],
  ["HEADERS on an even stream", frame(FrameType.HEADERS, 5, 2, getBlock("/", "web")), [PROTOCOL_ERROR]],
  ["DATA on an idle stream", frame(FrameType.DATA, 0, 1, Buffer.from("x")), [PROTOCOL_ERROR, STREAM_CLOSED]],
  [
    "a header block that cannot be decoded",
    frame(FrameType.HEADERS, 5, 1, Buffer.from([0xff, 0xff, 0xff, 0xff, 0xff])),
    [COMPRESSION_ERROR],
  ],
  ["a SETTINGS of 5 bytes", frame(FrameType.SETTINGS, 0, 0, Buffer.alloc(5)), [FRAME_SIZE_ERROR]],
  ["a frame beyond the maximum size", frame(FrameType.DATA, 0, 1, Buffer.alloc(70_000)), [
    FRAME_SIZE_ERROR,
    PROTOCOL_ERROR,
  ]],
  ["a window update of 0 on the connection", frame(FrameType.WINDOW_UPDATE, 0, 0, Buffer.alloc(4)), [PROTOCOL_ERROR]],
  ["a window beyond 2^31-1", frame(FrameType.WINDOW_UPDATE, 0, 0, Buffer.from([0x7f, 255, 255, 255])), [
    FLOW_CONTROL_ERROR,
  ]],
  ["CONTINUATION out of nowhere", frame(FrameType.CONTINUATION, 4, 1, getBlock("/", "web")), [PROTOCOL_ERROR]],
  [
    "PUSH_PROMISE by a client",
    frame(FrameType.PUSH_PROMISE, 4, 1, Buffer.concat([Buffer.from([0, 0, 0, 2]), getBlock("/", "web")])),
    [PROTOCOL_ERROR],
  ],
  ["a PING of 7 bytes", frame(FrameType.PING, 0, 0, Buffer.alloc(7)), [FRAME_SIZE_ERROR]],
  [
    "a name in capitals",
    frame(FrameType.HEADERS, 5, 1, Buffer.concat([getBlock("/", "web"), literalBlock([["X-Upper", "1"]])])),
    [PROTOCOL_ERROR],
  ],
  [
    "a connection header",
    frame(FrameType.HEADERS, 5, 1, Buffer.concat([getBlock("/", "web"), literalBlock([["connection", "close"]])])),
    [PROTOCOL_ERROR],
  ],
  ["no :path", frame(FrameType.HEADERS, 5, 1, literalBlock([[":method", "GET"], [":scheme", "http"]])), [
    PROTOCOL_ERROR,
  ]],
  [
    "CONTINUATION without end",
    Buffer.concat([
      frame(FrameType.HEADERS, 0, 1, getBlock("/", "web")),
      ...Array.from(
        { length: 200 },
        (_, at) =>
          frame(
            FrameType.CONTINUATION,
            0,
            1,
            literalBlock(Array.from({ length: 40 }, (_, n) => [`x-${at}-${n}`, "v".repeat(100)])),
          ),
      ),
    ]),
    [ENHANCE_YOUR_CALM, PROTOCOL_ERROR, COMPRESSION_ERROR, FRAME_SIZE_ERROR],
  ],
];

for (const [name, bytes, codes] of BAD_FRAMES) {
  test.skipIf(isDirect)(`HTTP/2 with ${name}: the right code, and other connections go on`, async () => {
    const before = h2Requests;
    using peer = await connectTcp(mesh.to("front", `grpc:${H2_PORT}`));
    await peer.write(Buffer.concat([PREFACE, frame(FrameType.SETTINGS, 0, 0), bytes])).catch(() => {}); // may be cut off
    expect(codes).toContain(await errorCode(peer));
    expect(h2Requests).toBe(before);
    using other = await connectTcp(mesh.to("front", `grpc:${H2_PORT}`));
    await other.write(Buffer.concat([PREFACE, frame(FrameType.SETTINGS, 0, 0), goodRequest]));
    expect(await bodyOf(other)).toBe("ok");
  });
}

test.skipIf(isDirect)("garbage on many connections does not disturb a steady load", async () => {
  const load = startLoad(mesh.to("front", `web:${H1_PORT}`), { connections: 4 });
  for (let turn = 0; turn < 200; turn++) {
    const target = mesh.to("front", turn % 2 === 0 ? `web:${H1_PORT}` : `grpc:${H2_PORT}`);
    using peer = await connectTcp(target);
    const bytes = Buffer.alloc(1 + (turn * 37) % 3_000);
    for (let at = 0; at < bytes.length; at++) bytes[at] = (at * turn * 31 + at) % 256;
    await peer.write(bytes).catch(() => {}); // may be cut off
  }
  expect(await load.stop()).toMatchObject({ failed: 0, reasons: {} });
});

/** The code of the first RST_STREAM or GOAWAY that is not NO_ERROR; -1 when the connection ends without one. */
async function errorCode(peer: Awaited<ReturnType<typeof connectTcp>>): Promise<number> {
  let rest: Buffer = Buffer.alloc(0);
  for (;;) {
    const chunk = await peer.read(5_000).catch(() => null);
    if (chunk === null) return -1;
    const parsed = parseFrames(Buffer.concat([rest, chunk]));
    rest = Buffer.from(parsed.rest);
    for (const { type, payload } of parsed.frames) {
      const code = type === FrameType.GOAWAY
        ? payload.readUInt32BE(4)
        : type === FrameType.RST_STREAM
        ? payload.readUInt32BE(0)
        : 0;
      if (code !== 0) return code;
    }
  }
}

async function bodyOf(peer: Awaited<ReturnType<typeof connectTcp>>): Promise<string> {
  let rest: Buffer = Buffer.alloc(0);
  let body = "";
  for (;;) {
    const chunk = await peer.read(5_000);
    if (chunk === null) throw new Error("ended before the response did");
    const parsed = parseFrames(Buffer.concat([rest, chunk]));
    rest = Buffer.from(parsed.rest);
    for (const { type, flags, payload } of parsed.frames) {
      if (type === FrameType.DATA) body += payload.toString();
      if (type <= FrameType.HEADERS && (flags & Flag.END_STREAM) !== 0) return body;
    }
  }
}
