/** gRPC by @grpc/grpc-js through both sidecars: the results are those of a direct call. */
import { afterAll, beforeAll, expect, setDefaultTimeout, test } from "bun:test";
import * as grpc from "@grpc/grpc-js";
import { eventually } from "../support/eventually.ts";
import { type Mesh, startMesh } from "../support/mesh.ts";
import { service, workload } from "../support/resources.ts";

setDefaultTimeout(60_000);

const PORT = 50051;
let mesh: Mesh;
let client: InstanceType<grpc.ServiceClientConstructor>;
let server: grpc.Server;
let cancelled = 0;

const raw = {
  requestSerialize: (value: Buffer) => value,
  requestDeserialize: (bytes: Buffer) => bytes,
  responseSerialize: (value: Buffer) => value,
  responseDeserialize: (bytes: Buffer) => bytes,
};
const method = (name: string, requestStream: boolean, responseStream: boolean) => ({
  path: `/shop.v1.Catalogue/${name}`,
  requestStream,
  responseStream,
  ...raw,
});
const SERVICE = {
  Echo: method("Echo", false, false),
  Fail: method("Fail", false, false),
  Slow: method("Slow", false, false),
  Down: method("Down", false, true),
  Endless: method("Endless", false, true),
  Up: method("Up", true, false),
  Both: method("Both", true, true),
};
type Unary = grpc.ServerUnaryCall<Buffer, Buffer>;
type Answer = grpc.sendUnaryData<Buffer>;

beforeAll(async () => {
  mesh = await startMesh({
    workloads: [workload("front", { calls: [`catalogue:${PORT}`] }), workload("catalogue")],
    services: [service("catalogue", PORT, "grpc")],
  });
  server = new grpc.Server({ "grpc.max_metadata_size": 128 * 1024 });
  server.addService(SERVICE, {
    Echo(call: Unary, answer: Answer) {
      const trailers = new grpc.Metadata();
      for (const value of call.metadata.get("x-ask")) trailers.add("x-answer", value);
      for (const value of call.metadata.get("x-big")) trailers.add("x-length", String(value.length));
      answer(null, call.request, trailers);
    },
    Fail(_call: Unary, answer: Answer) {
      answer({ code: grpc.status.FAILED_PRECONDITION, details: "not today: ü€" });
    },
    Slow(call: Unary) {
      call.on("cancelled", () => cancelled++);
    },
    Down(call: grpc.ServerWritableStream<Buffer, Buffer>) {
      const count = call.request.readUInt32BE();
      for (let at = 0; at < count; at++) call.write(Buffer.alloc(1000, at % 251));
      call.end();
    },
    Endless(call: grpc.ServerWritableStream<Buffer, Buffer>) {
      call.on("cancelled", () => cancelled++);
      const pour = () => {
        while (!call.cancelled && call.write(Buffer.alloc(1000)));
      };
      call.on("drain", pour);
      pour();
    },
    Up(call: grpc.ServerReadableStream<Buffer, Buffer>, answer: Answer) {
      let bytes = 0;
      call.on("data", (chunk: Buffer) => bytes += chunk.length);
      call.on("end", () => answer(null, Buffer.from(String(bytes))));
    },
    Both(call: grpc.ServerDuplexStream<Buffer, Buffer>) {
      call.on("data", (chunk: Buffer) => call.write(chunk));
      call.on("end", () => call.end());
    },
  });
  await new Promise<void>((resolve, reject) => {
    server.bindAsync(`${mesh.ip("catalogue")}:${PORT}`, grpc.ServerCredentials.createInsecure(), (error) => {
      if (error === null) resolve();
      else reject(error);
    });
  });
  const Client = grpc.makeGenericClientConstructor(SERVICE, "Catalogue");
  client = new Client(mesh.to("front", `catalogue:${PORT}`).authority, grpc.credentials.createInsecure(), {
    "grpc.max_metadata_size": 128 * 1024,
  });
});

afterAll(async () => {
  client?.close();
  server?.forceShutdown();
  await mesh?.[Symbol.asyncDispose]();
});

interface Outcome {
  readonly code: number;
  readonly details: string;
  readonly body: Buffer | null;
  readonly trailers: grpc.Metadata;
}

function unary(
  name: string,
  body: Buffer,
  metadata = new grpc.Metadata(),
  options: grpc.CallOptions = {},
): Promise<Outcome> {
  return new Promise((resolve) => {
    let found: Buffer | null = null;
    const call = client.makeUnaryRequest(
      `/shop.v1.Catalogue/${name}`,
      raw.requestSerialize,
      raw.responseDeserialize,
      body,
      metadata,
      options,
      (_error, value) => found = value ?? null,
    );
    call.on("status", (status) => {
      setImmediate(() =>
        resolve({ code: status.code, details: status.details, body: found, trailers: status.metadata })
      );
    });
  });
}

function collect(call: grpc.ClientReadableStream<Buffer>): Promise<Buffer[]> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    call.on("data", (chunk: Buffer) => chunks.push(chunk));
    call.on("error", reject);
    call.on("end", () => resolve(chunks));
  });
}

test("a unary call returns its message and its trailers", async () => {
  const metadata = new grpc.Metadata();
  metadata.add("x-ask", "one");
  metadata.add("x-ask", "two");
  const outcome = await unary("Echo", Buffer.from("hello"), metadata);
  expect(outcome.body?.toString()).toBe("hello");
  expect(outcome.trailers.get("x-answer").join(",").replaceAll(" ", "")).toBe("one,two");
});

test("an error without a message (trailers only) keeps its code and its text", async () => {
  const outcome = await unary("Fail", Buffer.alloc(0));
  expect([outcome.code, outcome.details]).toEqual([grpc.status.FAILED_PRECONDITION, "not today: ü€"]);
});

test("an unknown method is answered by the server", async () => {
  const outcome = await unary("Missing", Buffer.alloc(0));
  expect(outcome.code).toBe(grpc.status.UNIMPLEMENTED);
});

test("server streaming delivers 5,000 messages in order", async () => {
  const count = Buffer.alloc(4);
  count.writeUInt32BE(5_000);
  const chunks = await collect(client["Down"]?.(count) as grpc.ClientReadableStream<Buffer>);
  expect(chunks.length).toBe(5_000);
  expect(chunks.every((chunk, at) => chunk.length === 1000 && chunk[0] === at % 251)).toBe(true);
});

test("client streaming delivers 4 MB", async () => {
  const answer = await new Promise<Buffer>((resolve, reject) => {
    const call = client.makeClientStreamRequest(
      "/shop.v1.Catalogue/Up",
      raw.requestSerialize,
      raw.responseDeserialize,
      (error, value) => error === null ? resolve(value ?? Buffer.alloc(0)) : reject(error),
    );
    for (let at = 0; at < 1000; at++) call.write(Buffer.alloc(4000, 1));
    call.end();
  });
  expect(answer.toString()).toBe("4000000");
});

test("both streaming: each message comes back before the next is sent", async () => {
  const call = client.makeBidiStreamRequest("/shop.v1.Catalogue/Both", raw.requestSerialize, raw.responseDeserialize);
  for (let at = 0; at < 200; at++) {
    const answer = new Promise<Buffer>((resolve) => call.once("data", resolve));
    call.write(Buffer.from(`n${at}`));
    expect((await answer).toString()).toBe(`n${at}`);
  }
  const ended = new Promise((resolve) => call.once("end", resolve));
  call.end();
  await ended;
});

test("a deadline ends the call at the client and is seen by the server", async () => {
  const before = cancelled;
  const outcome = await unary("Slow", Buffer.alloc(0), new grpc.Metadata(), { deadline: Date.now() + 300 });
  expect(outcome.code).toBe(grpc.status.DEADLINE_EXCEEDED);
  await eventually(() => expect(cancelled).toBe(before + 1));
});

test("cancelling a stream is seen by the server", async () => {
  const before = cancelled;
  const call = client["Endless"]?.(Buffer.alloc(0)) as grpc.ClientReadableStream<Buffer>;
  call.on("error", () => {}); // CANCELLED, by us
  await new Promise((resolve) => call.once("data", resolve));
  call.cancel();
  await eventually(() => expect(cancelled).toBe(before + 1));
});

test("30 KB of metadata pass", async () => {
  const metadata = new grpc.Metadata();
  for (let at = 0; at < 30; at++) metadata.add("x-big", "m".repeat(1000));
  const outcome = await unary("Echo", Buffer.from("x"), metadata);
  expect([outcome.code, outcome.details]).toEqual([0, "OK"]);
});

test("1,000 calls at once all succeed", async () => {
  const outcomes = await Promise.all(
    Array.from({ length: 1_000 }, (_, at) => unary("Echo", Buffer.from(`call ${at}`))),
  );
  expect(outcomes.filter((outcome, at) => outcome.body?.toString() !== `call ${at}`)).toEqual([]);
});

test("a message of 3 MB comes back", async () => {
  const outcome = await unary("Echo", Buffer.alloc(3_000_000, 7));
  expect(outcome.body?.length).toBe(3_000_000);
});
