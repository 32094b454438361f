/** gRPC: statuses that are retried, and deadlines that every sidecar on the way enforces. */
import { afterAll, beforeAll, expect, setDefaultTimeout, test } from "bun:test";
import * as grpc from "@grpc/grpc-js";
import { constants } from "node:http2";
import { eventually } from "../support/eventually.ts";
import { FrameType, parseFrames } from "../support/h2_frames.ts";
import { END_STREAM, goaway, headers, PREFACE, rst, settings } from "../support/h2_peer.ts";
import { isDirect, type Mesh, startMesh } from "../support/mesh.ts";
import { service, workload } from "../support/resources.ts";
import { listenTcp, type TcpListener } from "../support/tcp.ts";
import { Http2Session, serveHttp2 } from "./_http2.ts";
import { sumOf } from "./_shop.ts";

setDefaultTimeout(60_000);

const RETRIED = { "retry.tulle.dev/grpc": "unavailable, resource-exhausted", "retry.tulle.dev/limit": "2" };
const RETRIES = "outbound_http_route_retry";
const GRPC_PORT = 50051;
const bytes = (value: Buffer) => value;
const RAW_PORT = 50052;
/** No rule asks for retries here. */
const PLAIN_PORT = 50053;
let mesh: Mesh;
let server: grpc.Server;
let client: grpc.Client;
/** Calls as the server saw them. */
const calls: string[] = [];

beforeAll(async () => {
  if (isDirect) return;
  mesh = await startMesh({
    workloads: [
      workload("front", { calls: [`app:${GRPC_PORT}`, `raw:${RAW_PORT}`, `plain:${PLAIN_PORT}`] }),
      workload("app"),
    ],
    services: [
      service("app", GRPC_PORT, "grpc", { annotations: RETRIED }),
      service("raw", RAW_PORT, "grpc", { app: "app", annotations: RETRIED }),
      service("plain", PLAIN_PORT, "grpc", { app: "app" }),
    ],
  });
  server = new grpc.Server();
  const unary = (name: string) => ({
    path: `/fault.App/${name}`,
    requestStream: false,
    responseStream: false,
    requestSerialize: bytes,
    requestDeserialize: bytes,
    responseSerialize: bytes,
    responseDeserialize: bytes,
  });
  type Call = grpc.ServerUnaryCall<Buffer, Buffer>;
  server.addService({ Fails: unary("Fails") }, {
    /** The request says: "<code> <times>". */
    Fails(call: Call, answer: grpc.sendUnaryData<Buffer>) {
      const text = call.request.toString();
      calls.push(text);
      const [code = 0, times = 0] = text.split(" ").map(Number);
      if (calls.filter((other) => other === text).length > times) answer(null, Buffer.from("ok"));
      else answer({ code, details: "as told" });
    },
  });
  await new Promise<void>((resolve, reject) => {
    server.bindAsync(`${mesh.ip("app")}:${GRPC_PORT}`, grpc.ServerCredentials.createInsecure(), (error) => {
      if (error === null) resolve();
      else reject(error);
    });
  });
  client = new grpc.Client(mesh.to("front", `app:${GRPC_PORT}`).authority, grpc.credentials.createInsecure());
});

afterAll(async () => {
  client?.close();
  server?.forceShutdown();
  await mesh?.[Symbol.asyncDispose]();
});

function call(method: string, request: string): Promise<number> {
  return new Promise((resolve) => {
    client.makeUnaryRequest(`/fault.App/${method}`, bytes, bytes, Buffer.from(request), (error) => {
      resolve(error === null ? 0 : error.code);
    });
  });
}

test.skipIf(isDirect)("gRPC calls are tried again for the codes that are listed, and for no others", async () => {
  const { UNAVAILABLE, INTERNAL, RESOURCE_EXHAUSTED } = grpc.status;
  expect(await call("Fails", `${UNAVAILABLE} 2`)).toBe(0);
  expect(await call("Fails", `${RESOURCE_EXHAUSTED} 1`)).toBe(0);
  expect(await call("Fails", `${UNAVAILABLE} 3`)).toBe(UNAVAILABLE);
  expect(await call("Fails", `${INTERNAL} 1`)).toBe(INTERNAL);
  const count = (text: string) => calls.filter((other) => other === text).length;
  expect([count(`${UNAVAILABLE} 2`), count(`${RESOURCE_EXHAUSTED} 1`), count(`${UNAVAILABLE} 3`)]).toEqual([3, 2, 3]);
  expect(count(`${INTERNAL} 1`)).toBe(1);
  const text = await mesh.sidecar("front").metrics();
  expect(sumOf(text, `${RETRIES}_requests_total`)).toBe(2 + 1 + 2);
  expect(sumOf(text, `${RETRIES}_successes_total`)).toBe(2);
  expect(sumOf(text, `${RETRIES}_limit_exceeded_total`)).toBe(1);
});

const CALL = { ":method": "POST", ":path": "/fault.App/Raw", "content-type": "application/grpc", te: "trailers" };
const WARM = { ...CALL, ":path": "/fault.App/Warm" };
const MESSAGE = Buffer.from([0, 0, 0, 0, 0]);
/** A response that is a status and nothing else. */
const status = (code: number) => ({ ":status": 200, "content-type": "application/grpc", "grpc-status": String(code) });

test.skipIf(isDirect)(
  "a deadline is enforced by the sidecar though neither client nor server do anything",
  async () => {
    const codes: number[] = [];
    await using _app = await serveHttp2(mesh.ip("app"), RAW_PORT, (stream, { ":path": path }) => {
      if (path === WARM[":path"]) return void stream.respond(status(0), { endStream: true });
      stream.on("close", () => codes.push(stream.rstCode));
    });
    using session = new Http2Session(mesh.to("front", `raw:${RAW_PORT}`));
    await session.ask(WARM, MESSAGE); // connections are there: the call that follows meets its deadline at the server
    const begin = performance.now();
    const headers = await session.ask({ ...CALL, "grpc-timeout": "500m" }, MESSAGE);
    expect(performance.now() - begin).toBeGreaterThanOrEqual(500 - 1);
    expect(headers).toMatchObject({ ":status": 200, "grpc-status": "4", "tulle-error": "deadline" });
    await eventually(() => expect(codes).toEqual([constants.NGHTTP2_CANCEL])); // the server is told that nobody waits
    // Each sidecar has a timer for what is left; on a busy machine the server's may be the first to have its turn.
    const errors = async (name: string, metric: string) =>
      sumOf(await mesh.sidecar(name).metrics(), metric, 'error="deadline"');
    const counted = await errors("front", "outbound_http_errors_total") +
      await errors("app", "inbound_http_errors_total");
    expect(counted).toBeGreaterThanOrEqual(1);
  },
);

/** An application that answers a call on stream `id` with these frames; `nth` counts its connections, from 1. */
function scripted(answer: (id: number, nth: number) => Buffer): TcpListener {
  const listener = listenTcp(mesh.ip("app"), PLAIN_PORT, async (peer) => {
    const nth = listener.accepted();
    await peer.write(settings());
    await peer.readExactly(PREFACE.length);
    for (let rest = Buffer.alloc(0);;) {
      const chunk = await peer.read();
      if (chunk === null) return peer.end();
      const parsed = parseFrames(Buffer.concat([rest, chunk]));
      rest = Buffer.from(parsed.rest);
      for (const { type, streamId } of parsed.frames) {
        if (type === FrameType.HEADERS) await peer.write(answer(streamId, nth));
      }
    }
  });
  return listener;
}

const fine = (id: number) =>
  headers(id, { ":status": "200", "content-type": "application/grpc", "grpc-status": "0" }, END_STREAM);

test.skipIf(isDirect)("calls that an application which goes away has not seen are sent to the next one", async () => {
  // More often than its sidecar tries by itself: then it tells the client's, which waits.
  using app = scripted((id, nth) => nth < 7 ? goaway(0, constants.NGHTTP2_NO_ERROR) : fine(id));
  using session = new Http2Session(mesh.to("front", `plain:${PLAIN_PORT}`));
  expect((await session.ask(CALL, MESSAGE))["grpc-status"]).toBe("0");
  expect(app.accepted()).toBe(7);
});

test.skipIf(isDirect)("a call that an application refuses is not sent to it again and again", async () => {
  let streams = 0;
  using _app = scripted((id) => {
    streams++;
    return rst(id, constants.NGHTTP2_REFUSED_STREAM);
  });
  using session = new Http2Session(mesh.to("front", `plain:${PLAIN_PORT}`));
  expect(await session.ask({ ...CALL, ":path": "/fault.App/Shed" }, MESSAGE)).toMatchObject({
    "grpc-status": "14",
    "tulle-error": "upstream_reset",
  });
  expect(streams).toBe(2); // tries of the application's sidecar
});

test.skipIf(isDirect)("a status in a head counts also when an empty frame of data ends the response", async () => {
  let asked = 0; // node's http2 answers so where a handler uses writeHead() and end()
  await using _app = await serveHttp2(mesh.ip("app"), RAW_PORT, (stream) => {
    stream.respond(status(++asked === 2 ? 0 : 14));
    stream.end();
  });
  using session = new Http2Session(mesh.to("front", `raw:${RAW_PORT}`));
  expect((await session.ask(CALL, MESSAGE))["grpc-status"]).toBe("0"); // tried again
  const failures = async () => sumOf(await mesh.sidecar("front").metrics(), "response_total", 'grpc_status="14"');
  const before = await failures();
  expect((await session.ask(CALL, MESSAGE))["grpc-status"]).toBe("14"); // more often than the limit
  expect(asked).toBe(2 + 3);
  expect(await failures()).toBe(before + 1);
});

test.skipIf(isDirect)("each attempt is told what is left of the deadline", async () => {
  const timeouts: string[] = [];
  await using _app = await serveHttp2(mesh.ip("app"), RAW_PORT, (stream, headers) => {
    timeouts.push(String(headers["grpc-timeout"]));
    setTimeout(() => stream.respond(status(timeouts.length < 3 ? 14 : 0), { endStream: true }), 100);
  });
  using session = new Http2Session(mesh.to("front", `raw:${RAW_PORT}`));
  expect((await session.ask({ ...CALL, "grpc-timeout": "20S" }, MESSAGE))["grpc-status"]).toBe("0");
  expect(timeouts[0]).toBe("20S");
  const left = timeouts.slice(1).map((text) => Number.parseInt(text, 10) / 1000); // said in microseconds
  expect(timeouts.slice(1).every((text) => text.endsWith("u"))).toBe(true);
  expect(left[0]).toBeLessThanOrEqual(20_000 - 100 + 1);
  expect(left[1]).toBeLessThanOrEqual((left[0] ?? 0) - 100 + 1);
});
