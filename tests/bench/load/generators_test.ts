/** The generators and backends of the bench against each other, without a proxy. */
import { afterAll, beforeAll, expect, setDefaultTimeout, test } from "bun:test";
import { join } from "node:path";
import * as grpc from "@grpc/grpc-js";
import { freePort } from "../../support/ports.ts";
import { type Child, startServer } from "../../support/process.ts";
import { reply, serveHttp } from "../../support/http1.ts";
import { DOWN_MESSAGES, METHODS } from "./_grpc.ts";
import type { LoadResult } from "./result.ts";
import { runScript, type Script } from "./scripts.ts";

setDefaultTimeout(90_000);

const HOST = "127.0.0.1";
let grpcPort = 0;
let opaquePort = 0;
let httpPort = 0;
const children: Child[] = [];
const said: string[] = [];
const MARKS = { begin() {}, end() {} };

beforeAll(async () => {
  [grpcPort, opaquePort, httpPort] = [await freePort(), await freePort(), await freePort()];
  const start = (script: string, port: number) =>
    startServer({ argv: [process.execPath, join(import.meta.dirname, script), HOST, String(port)], host: HOST, port });
  children.push(await start("grpc_server.ts", grpcPort), await start("opaque_server.ts", opaquePort));
});

afterAll(async () => {
  for (const child of children) await child.stop();
});

async function run(script: Script, ...args: (string | number)[]): Promise<LoadResult> {
  return await runScript(script, args, { core: 0, limitMs: 20_000, say: (line) => said.push(line) }, MARKS);
}

test.each(["unary", "bidi"] as const)("closed_loop.ts %s has answers and latencies", async (mode) => {
  const result = await run("closed_loop.ts", mode, HOST, grpcPort, 0, 2, 8, 50, 200);
  expect(result.failed).toBe(0);
  expect(result.count).toBeGreaterThan(0);
  expect(result.p50Us).toBeGreaterThan(0);
  expect(result.curveUs.length).toBeGreaterThan(0);
});

test("closed_loop.ts server counts messages", async () => {
  const result = await run("closed_loop.ts", "server", HOST, grpcPort, 0, 1, 2, 50, 200);
  expect(result.failed).toBe(0);
  expect(result.count).toBeGreaterThan(0);
});

test("closed_loop.ts h1 and connect_loop.ts h1 send requests that differ, and count failures", async () => {
  const paths = new Set<string>();
  let count = 0;
  using server = serveHttp(HOST, 0, async (request, peer) => {
    paths.add(request.path);
    await peer.write(reply(++count % 3 === 0 ? 503 : 200, "ok\n"));
  });
  httpPort = server.port;
  const loop = await run("closed_loop.ts", "h1", HOST, httpPort, 0, 2, 1, 0, 200);
  expect(loop.failed).toBeGreaterThan(0);
  expect(loop.count).toBeGreaterThan(0);
  expect(paths.size).toBe(count);
  const connections = await run("connect_loop.ts", "h1", HOST, httpPort, 2, 0, 200);
  expect(connections.failed).toBeGreaterThan(0);
  expect(connections.count).toBeGreaterThan(0);
  expect(said.some((line) => line.includes("503"))).toBe(true);
});

test("connect_loop.ts opaque and opaque_client.ts talk to the opaque backend", async () => {
  for (
    const result of [
      await run("connect_loop.ts", "opaque", HOST, opaquePort, 2, 0, 200),
      await run("opaque_client.ts", "ping", HOST, opaquePort, 0, 200, 2, 100),
      await run("opaque_client.ts", "up", HOST, opaquePort, 0, 200, 1, 1),
    ]
  ) {
    expect(result.failed).toBe(0);
    expect(result.count).toBeGreaterThan(0);
  }
});

test("hold_connections.ts counts what stays open", async () => {
  using server = serveHttp(HOST, 0, async (_request, peer) => await peer.write(reply(200, "ok\n")));
  const result = await run("hold_connections.ts", HOST, server.port, 150, 100);
  expect([result.count, result.failed]).toEqual([150, 0]);
});

test("the gRPC backend answers a foreign client", async () => {
  const raw = (value: Buffer) => value;
  const client = new grpc.Client(`${HOST}:${grpcPort}`, grpc.credentials.createInsecure());
  const body = Buffer.alloc(100);
  const answer = await new Promise<Buffer | undefined>((resolve, reject) => {
    client.makeUnaryRequest(METHODS.unary, raw, raw, body, (error, value) => error ? reject(error) : resolve(value));
  });
  expect(answer?.length).toBe(100);
  let messages = 0;
  const stream = client.makeServerStreamRequest(METHODS.server, raw, raw, body);
  for await (const each of stream) messages += each === null ? 0 : 1;
  expect(messages).toBe(DOWN_MESSAGES);
  const unknown = await new Promise<grpc.ServiceError | null>((resolve) => {
    client.makeUnaryRequest("/bench.v1.Echo/None", raw, raw, body, (error) => resolve(error));
  });
  expect(unknown?.code).toBe(grpc.status.UNIMPLEMENTED);
  client.close();
});
