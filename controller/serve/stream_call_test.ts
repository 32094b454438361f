import { type ClientHttp2Stream, constants } from "node:http2";
import { create, toBinary } from "@bufbuild/protobuf";
import { Code, ConnectError, createClient } from "@connectrpc/connect";
import { expect, test } from "bun:test";
import {
  DiscoveryService,
  type SubscribeRequest,
  SubscribeRequestSchema,
  SubscribeResponseSchema,
} from "../../proto/gen/tulle/discovery/v1/discovery_pb.ts";
import { eventually } from "../../tests/support/eventually.ts";
import { type Kind, rawSession, type Running, serve, transportOf } from "./server_fixture.ts";
import { type CallContext, frameOf, type StreamMethod } from "./stream_call.ts";

const SUBSCRIBE = "/tulle.discovery.v1.DiscoveryService/Subscribe";
const MAX_BYTES = 1000;
type Method = StreamMethod<typeof SubscribeRequestSchema>;

function methodOf(run: Method["run"]): Method {
  return { method: DiscoveryService.method.subscribe, input: SubscribeRequestSchema, maxBytes: MAX_BYTES, run };
}

function start(run: Method["run"], admit: (context: CallContext) => void = () => {}): Promise<Running> {
  return serve((router) => void router.service(DiscoveryService, {}), {
    streams: new Map<string, StreamMethod>([[SUBSCRIBE, methodOf(run)]]),
    admit,
  });
}

function watch(target: string): Uint8Array {
  return toBinary(
    SubscribeRequestSchema,
    create(SubscribeRequestSchema, { kind: { case: "watch", value: { add: [target] } } }),
  );
}

function namesOf({ kind }: SubscribeRequest): string {
  return kind.case === "watch" ? kind.value.add.join() : "";
}

/** Answers each message with what it watches. */
async function* echo(requests: AsyncIterable<SubscribeRequest>): AsyncGenerator<Uint8Array> {
  for await (const request of requests) yield frameOf(new TextEncoder().encode(namesOf(request)));
}

function call(session: ReturnType<typeof rawSession>): ClientHttp2Stream {
  return session.request({ ":method": "POST", ":path": SUBSCRIBE, "content-type": "application/connect+proto" });
}

/** Texts of the frames of an answer, which is read to its end; the last one is the end of the stream. */
async function framesOf(stream: ClientHttp2Stream): Promise<string[]> {
  const pieces: Buffer[] = [];
  for await (const piece of stream) pieces.push(piece as Buffer);
  const all = Buffer.concat(pieces);
  const frames: string[] = [];
  for (let at = 0; at < all.length;) {
    const end = at + 5 + all.readUInt32BE(at + 1);
    frames.push(all.subarray(at + 5, end).toString());
    at = end;
  }
  return frames;
}

test("messages are taken from any pieces, and answered in order", async () => {
  await using server = await start(echo);
  using session = rawSession(server);
  const stream = call(session);
  const [one, two, three, four] = ["a:1", "b:2", "c:3", "d:4"].map((target) => frameOf(watch(target)));
  for (const byte of one ?? []) stream.write(Uint8Array.of(byte));
  stream.write(
    Buffer.concat([two ?? [], three ?? [], four?.subarray(0, 3) ?? []].map((part) => Uint8Array.from(part))),
  );
  stream.end(four?.subarray(3));
  expect(await framesOf(stream)).toEqual(["a:1", "b:2", "c:3", "d:4", "{}"]);
});

test.each<[string, Uint8Array, string]>([
  ["a compressed one", frameOf(watch("a:1"), 1), "invalid_argument"],
  ["the end of an answer", frameOf(watch("a:1"), 2), "invalid_argument"],
  ["bytes that are no message", frameOf(Uint8Array.of(0xff, 0xff)), "invalid_argument"],
  ["a part of one", frameOf(watch("a:1")).subarray(0, 7), "invalid_argument"],
  ["one that is too large", frameOf(new Uint8Array(MAX_BYTES + 1)), "resource_exhausted"],
  ["a length of 4 GB", Uint8Array.of(0, 0xff, 0xff, 0xff, 0xff), "resource_exhausted"],
])("a stream ends with the message before %s, and an error", async (_what, bad, code) => {
  await using server = await start(echo);
  using session = rawSession(server);
  const stream = call(session);
  stream.end(Buffer.concat([frameOf(watch("a:1")), bad]));
  const [first, last = ""] = await framesOf(stream);
  expect(first).toBe("a:1");
  expect(JSON.parse(last).error.code).toBe(code);
});

test.each<[string, Error, string]>([
  [
    "its own words",
    new ConnectError("come again", Code.Unavailable),
    '{"error":{"code":"unavailable","message":"come again"}}',
  ],
  ["no more than that it failed", new Error("secret"), '{"error":{"code":"internal","message":"internal error"}}'],
])("a stream whose handler throws ends with %s", async (_what, error, end) => {
  // deno-lint-ignore require-yield -- it ends before
  await using server = await start(async function* () {
    await Promise.resolve();
    throw error;
  });
  using session = rawSession(server);
  expect(await framesOf(call(session).end())).toEqual([end]);
  expect(server.logged.length).toBe(error instanceof ConnectError ? 0 : 1);
});

test("a stream that is not admitted is not run", async () => {
  let runs = 0;
  await using server = await start((requests) => (runs++, echo(requests)), () => {
    throw new ConnectError("too many", Code.ResourceExhausted);
  });
  using session = rawSession(server);
  expect(await framesOf(call(session).end())).toEqual(['{"error":{"code":"resource_exhausted","message":"too many"}}']);
  expect(runs).toBe(0);
});

test.each<[string, (stream: ClientHttp2Stream) => void]>([
  ["resets the stream", (stream) => stream.close(constants.NGHTTP2_CANCEL)],
  ["closes the connection", (stream) => stream.session?.destroy()],
])("a handler hears of a caller that %s", async (_what, leave) => {
  let hasEnded = false;
  const signals: AbortSignal[] = [];
  await using server = await start(async function* (requests, { signal }) {
    signals.push(signal);
    yield* echo(requests);
    hasEnded = true;
  });
  using session = rawSession(server);
  const stream = call(session);
  const answered = new Promise((resolve) => stream.once("data", resolve));
  stream.on("error", () => {}).write(frameOf(watch("a:1")));
  await answered;
  leave(stream);
  await eventually(() => {
    expect(hasEnded).toBe(true);
    expect(signals[0]?.aborted).toBe(true);
  });
  expect(server.logged).toEqual([]);
});

test("what the caller does not read is not made", async () => {
  const large = frameOf(new Uint8Array(100_000));
  const most = 200;
  let made = 0;
  await using server = await start(async function* () {
    for (; made < most; made++) yield await Promise.resolve(large);
  });
  using session = rawSession(server);
  const stream = call(session);
  await eventually(() => expect(made).toBeGreaterThan(0));
  let before = -1;
  await eventually(() => { // it stands still
    const last = before;
    before = made;
    expect(made).toBe(last);
  });
  expect(made).toBeLessThan(most / 2);
  expect((await framesOf(stream)).length).toBe(most + 1);
});

test.each<Kind>(["connect", "connect, JSON", "grpc"])("a client of the library is served: %s", async (kind) => {
  const frames = methodOf(async function* (requests) {
    for await (const request of requests) {
      yield frameOf(
        toBinary(SubscribeResponseSchema, create(SubscribeResponseSchema, { name: `frames ${namesOf(request)}` })),
      );
    }
  });
  await using server = await serve((router) =>
    void router.service(DiscoveryService, {
      async *subscribe(requests) {
        for await (const request of requests) yield { name: `library ${namesOf(request)}` };
      },
    }), { streams: new Map<string, StreamMethod>([[SUBSCRIBE, frames]]) });
  const { subscribe } = createClient(DiscoveryService, transportOf(server, null, kind));
  const names: string[] = [];
  const answers = subscribe((async function* () {
    await Promise.resolve();
    for (const target of ["a:1", "b:2"]) yield { kind: { case: "watch" as const, value: { add: [target] } } };
  })());
  for await (const { name } of answers) names.push(name);
  const by = kind === "connect" ? "frames" : "library";
  expect(names).toEqual([`${by} a:1`, `${by} b:2`]);
});
