import { expect, test } from "bun:test";
import { turn } from "../../../tests/support/fake_socket.ts";
import {
  brief,
  data,
  END_STREAM,
  goaway,
  headers,
  PREFACE,
  request,
  rst,
  settings,
} from "../../../tests/support/h2_peer.ts";
import { FIRST_STREAM_WINDOW_BYTES, STREAM_WINDOW_BYTES } from "../../http/limits.ts";
import type { RetryPolicy } from "../../model/outbound.ts";
import { type Client, clientOf, TestEndpoint, TestPipeline } from "./exchange_fixture.ts";
import { MAX_INTERIMS } from "./exchange.ts";

const GET = "GET / HTTP/1.1\r\nhost: web\r\n\r\n";
const POST = "POST / HTTP/1.1\r\nhost: web\r\ncontent-length: 5\r\n\r\nhello";
const OK = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";
const retries = (more: Partial<RetryPolicy>): RetryPolicy => ({
  limit: 2,
  statusCodes: new Set(),
  grpcStatuses: 0,
  backoffMs: 0,
  connectionError: false,
  ...more,
});

interface Rig {
  readonly client: Client;
  readonly pipeline: TestPipeline;
  readonly endpoints: readonly TestEndpoint[];
  /** What the n-th connection of an endpoint has been sent since the last look. */
  sent(endpoint: number, n: number): Promise<string>;
  /** What the n-th connection's server says. */
  say(endpoint: number, n: number, text: string): Promise<void>;
  received(): Promise<string>;
  /** Nothing is left behind. */
  settled(): void;
}

function rig(upHttp2: boolean, downHttp2 = false, { count = 1, atOnce = true } = {}): Rig {
  const endpoints = Array.from({ length: count }, () => new TestEndpoint(upHttp2, atOnce));
  const pipeline = new TestPipeline(endpoints);
  const client = clientOf(pipeline, downHttp2);
  if (downHttp2) client.peer.send(PREFACE, settings());
  const socketOf = (e: number, n: number) => {
    const dialled = endpoints[e]?.dialled[n];
    if (dialled === undefined) throw new Error(`endpoint ${e} has no connection ${n}`);
    return dialled.socket;
  };
  return {
    client,
    pipeline,
    endpoints,
    async sent(e, n) {
      await turn();
      return socketOf(e, n).take().toString("latin1");
    },
    async say(e, n, text) {
      await turn();
      socketOf(e, n).deliver(text);
      await turn();
    },
    async received() {
      await turn();
      return client.socket.take().toString("latin1");
    },
    settled() {
      expect(pipeline.finishedCount).toBe(pipeline.exchanges.length);
      expect(endpoints.map((e) => e.pending)).toEqual(endpoints.map(() => 0));
      expect(endpoints.map((e) => e.unanswered)).toEqual(endpoints.map(() => 0));
      for (const exchange of pipeline.exchanges) expect(exchange.finished).toBe(true);
    },
  };
}

test("Exchange passes a request and its response on, and uses the connection again", async () => {
  const r = rig(false);
  for (let i = 0; i < 3; i++) {
    r.client.socket.deliver(POST);
    expect(await r.sent(0, 0)).toBe(POST);
    await r.say(0, 0, OK);
    expect(await r.received()).toBe(OK);
  }
  expect(r.endpoints[0]?.dialled).toHaveLength(1);
  r.settled();
});

test("a request that is refused unseen goes to another endpoint with its body, whatever its method", async () => {
  for (const refusal of [rst(1, 7), goaway(0, 0)]) {
    const r = rig(true, false, { count: 2 });
    r.client.socket.deliver(POST);
    await turn();
    r.endpoints[0]?.dialled[0]?.peer.send(refusal);
    const frames = await r.endpoints[1]?.dialled[0]?.peer.frames() ?? [];
    expect(brief(frames).filter((f) => /HEADERS|DATA/.test(f))).toEqual(["HEADERS 1", "DATA 1:5 END"]);
    r.endpoints[1]?.dialled[0]?.peer.send(headers(1, { ":status": "204" }, END_STREAM));
    expect(await r.received()).toStartWith("HTTP/1.1 204");
    r.settled();
  }
});

test("what a GOAWAY refuses is not tried again on the same connection", async () => {
  const r = rig(true, false);
  r.client.socket.deliver(POST);
  await turn();
  r.endpoints[0]?.dialled[0]?.peer.send(goaway(0, 0));
  await turn();
  expect(r.endpoints[0]?.dialled).toHaveLength(2);
  r.endpoints[0]?.dialled[1]?.peer.send(headers(1, { ":status": "204" }, END_STREAM));
  expect(await r.received()).toStartWith("HTTP/1.1 204");
  r.settled();
});

test("a connect that fails sends the request elsewhere, and is told when there is nowhere", async () => {
  const r = rig(false, false, { count: 2, atOnce: false });
  r.client.socket.deliver(POST);
  r.endpoints[0]?.refuse();
  r.endpoints[1]?.accept();
  expect(await r.sent(1, 0)).toBe(POST);
  await r.say(1, 0, OK);
  expect(await r.received()).toBe(OK);
  r.client.socket.deliver(GET);
  for (let i = 0; i < 8; i++) r.endpoints[i % 2]?.refuse();
  // The idle connection of the second endpoint may have served it; then there is nothing to tell.
  await turn();
  if (!r.pipeline.exchanges[1]?.finished) await r.say(1, 0, OK);
  r.settled();
});

const PUT = POST.replace("POST", "PUT");

test("a connection that closes before an answer is tried again when the method allows it", async () => {
  for (
    const { bytes, reused, again } of [
      // Safe: may be repeated whatever the server did. Idempotent: only when it had closed the connection while idle.
      { bytes: GET, reused: true, again: true },
      { bytes: GET, reused: false, again: true },
      { bytes: PUT, reused: true, again: true },
      { bytes: PUT, reused: false, again: false },
      { bytes: POST, reused: true, again: false },
      { bytes: POST, reused: false, again: false },
    ]
  ) {
    const r = rig(false);
    if (reused) {
      r.client.socket.deliver(GET);
      await r.say(0, 0, OK);
      await r.received();
    }
    r.client.socket.deliver(bytes);
    await turn();
    r.endpoints[0]?.dialled[0]?.socket.fin();
    await turn();
    expect(r.endpoints[0]?.dialled).toHaveLength(again ? 2 : 1);
    if (again) await r.say(0, 1, OK);
    expect(await r.received()).toStartWith(again ? "HTTP/1.1 200" : "HTTP/1.1 502");
    r.settled();
  }
});

test("a connection that closes before it was sent anything is tried again whatever the method", async () => {
  const r = rig(false);
  r.client.socket.deliver(POST);
  r.endpoints[0]?.dialled[0]?.socket.fin(); // in the same turn
  expect(await r.sent(0, 1)).toBe(POST);
  await r.say(0, 1, OK);
  expect(await r.received()).toBe(OK);
  r.settled();
});

test("an ambiguous failure is tried again only where the rule allows it and the method is idempotent", async () => {
  for (
    const { method, allowed, again } of [
      { method: "PUT", allowed: true, again: true },
      { method: "PUT", allowed: false, again: false },
      { method: "POST", allowed: true, again: false },
    ]
  ) {
    const r = rig(false);
    r.pipeline.rule = { retry: retries({ connectionError: allowed }) };
    r.client.socket.deliver(`${method} / HTTP/1.1\r\nhost: web\r\ncontent-length: 0\r\n\r\n`);
    await turn();
    r.endpoints[0]?.dialled[0]?.socket.reset();
    await turn();
    expect(r.endpoints[0]?.dialled).toHaveLength(again ? 2 : 1);
    if (again) await r.say(0, 1, OK);
    r.settled();
  }
});

test("a status that the rule retries is not seen by the client, and the connection that gave it is left alone", async () => {
  // Its response has no body: the connection serves another request already when the exchange turns away from it.
  const r = rig(false);
  r.pipeline.rule = { retry: retries({ statusCodes: new Set([503]) }) };
  const other = clientOf(r.pipeline, false);
  r.client.socket.deliver(GET);
  await turn();
  other.socket.deliver("GET /other HTTP/1.1\r\nhost: web\r\n\r\n");
  await turn();
  await r.say(0, 1, OK);
  other.socket.take();
  other.socket.deliver("GET /other HTTP/1.1\r\nhost: web\r\n\r\n"); // takes the idle connection 1
  await r.say(0, 0, "HTTP/1.1 503 Service Unavailable\r\ncontent-length: 0\r\n\r\n");
  const all = r.endpoints[0]?.dialled ?? [];
  expect(all.map((d) => d.socket.closed)).toEqual(all.map(() => false));
  for (const d of all) d.socket.deliver(d.socket.take().includes("GET") ? OK : "");
  await turn();
  expect(await r.received()).toBe(OK);
});

test("a retried status gives the connection to the next in the queue, and does not abort it there", async () => {
  const r = rig(false, false, { atOnce: false });
  r.pipeline.rule = { retry: retries({ statusCodes: new Set([503]) }) };
  const other = clientOf(r.pipeline, false);
  r.client.socket.deliver(GET);
  r.endpoints[0]?.accept();
  other.socket.deliver("GET /other HTTP/1.1\r\nhost: web\r\n\r\n"); // waits: its connect takes its time
  await turn();
  await r.say(0, 0, "HTTP/1.1 503 Service Unavailable\r\ncontent-length: 0\r\n\r\n");
  const first = r.endpoints[0]?.dialled[0];
  expect(first?.socket.closed).toBe(false);
  expect(first?.socket.take().toString()).toContain("GET /other");
  first?.socket.deliver(OK);
  await turn();
  expect(other.socket.take().toString()).toBe(OK);
});

test("a body that is sent again brings the client no second credit", async () => {
  const r = rig(true, true, { count: 2 });
  r.client.peer.send(request(1, { ":method": "POST" }, 0), data(1, 16_000), data(1, 16_000));
  await turn();
  r.endpoints[0]?.dialled[0]?.peer.send(rst(1, 7));
  await turn();
  let sent = 32_000;
  let credit = FIRST_STREAM_WINDOW_BYTES - sent;
  for (let i = 0; i < 100; i++) {
    r.client.peer.send(data(1, 10_000));
    sent += 10_000;
    credit -= 10_000;
    for (const f of await r.client.peer.frames()) {
      if (f.type === "WINDOW_UPDATE" && f.id === 1) credit += f.payload.readUInt32BE(0);
    }
    const up = r.endpoints[1]?.dialled[0]?.peer;
    for (const f of await up?.frames() ?? []) {
      if (f.type !== "DATA") continue;
      up?.send(windowUpdates(f.payload.length));
    }
    expect(credit).toBeLessThanOrEqual(STREAM_WINDOW_BYTES);
  }
  expect(credit).toBeGreaterThan(0);
  r.client.socket.reset();
  r.settled();
});

test("a client that cancels cancels upstream, with its code", async () => {
  const r = rig(true, true);
  r.client.peer.send(request(1, { ":method": "POST" }, 0));
  await turn();
  await r.endpoints[0]?.dialled[0]?.peer.frames();
  r.client.peer.send(rst(1, 8));
  expect(brief(await r.endpoints[0]?.dialled[0]?.peer.frames() ?? [])).toEqual(["RST_STREAM 1:8"]);
  r.settled();
});

test("an upstream that resets in the middle of a response resets the client's stream, never ends it", async () => {
  for (const [code, told] of [[0, 2], [1, 2], [2, 2], [8, 8]] as const) {
    const r = rig(true, true);
    r.client.peer.send(request(1));
    await turn();
    await r.client.peer.frames();
    r.endpoints[0]?.dialled[0]?.peer.send(headers(1, { ":status": "200" }), data(1, 5), rst(1, code));
    const frames = brief(await r.client.peer.frames());
    expect(frames).toEqual(["HEADERS 1", "DATA 1:5", `RST_STREAM 1:${told}`]);
    r.settled();
  }
});

test("an HTTP/1.1 response that breaks off resets the client's connection", async () => {
  const r = rig(false);
  r.client.socket.deliver(GET);
  await r.say(0, 0, "HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nabc");
  r.endpoints[0]?.dialled[0]?.socket.fin();
  await turn();
  expect(r.client.socket.terminated).toBe(true);
  expect(r.client.owner.closed).toBe(1);
  r.settled();
});

test("an answer before the end of the request ends both sides, and leaves nothing", async () => {
  for (const [up, down] of [[false, false], [true, true], [false, true], [true, false]] as const) {
    const r = rig(up, down);
    if (down) r.client.peer.send(request(1, { ":method": "POST", "content-length": "1000" }, 0));
    else r.client.socket.deliver("POST / HTTP/1.1\r\nhost: web\r\ncontent-length: 1000\r\n\r\nabc");
    await turn();
    if (up) r.endpoints[0]?.dialled[0]?.peer.send(headers(1, { ":status": "413" }, END_STREAM));
    else await r.say(0, 0, "HTTP/1.1 413 Too Large\r\ncontent-length: 0\r\n\r\n");
    if (down) expect(brief(await r.client.peer.frames()).slice(-1)).toEqual(["RST_STREAM 1:0"]);
    else expect(await r.received()).toStartWith("HTTP/1.1 413");
    r.settled();
  }
});

test("bytes behind an upgrade wait until the server has agreed, and follow then", async () => {
  const r = rig(false);
  r.client.socket.deliver(
    "GET /ws HTTP/1.1\r\nhost: web\r\nconnection: upgrade\r\nupgrade: echo\r\n\r\nGET /admin HTTP/1.1\r\n\r\n",
  );
  const head = "GET /ws HTTP/1.1\r\nhost: web\r\nconnection: upgrade\r\nupgrade: echo\r\n\r\n";
  expect(await r.sent(0, 0)).toBe(head);
  await r.say(0, 0, "HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: echo\r\n\r\nwelcome");
  expect(await r.sent(0, 0)).toBe("GET /admin HTTP/1.1\r\n\r\n");
  expect(await r.received()).toEndWith("\r\n\r\nwelcome");
  r.client.socket.fin();
  await turn();
  expect(r.endpoints[0]?.dialled[0]?.socket.shut).toBe(true);
  r.endpoints[0]?.dialled[0]?.socket.fin();
  await turn();
  expect(r.client.owner.closed).toBe(1);
  r.settled();
});

test("an upgrade that the server ignores is an ordinary exchange", async () => {
  const r = rig(false);
  r.client.socket.deliver("GET /ws HTTP/1.1\r\nhost: web\r\nconnection: upgrade\r\nupgrade: echo\r\n\r\n");
  await r.say(0, 0, OK);
  expect(await r.received()).toBe(OK);
  r.settled();
  r.client.socket.deliver(GET);
  await turn();
  await r.say(0, 1, OK);
  expect(await r.received()).toBe(OK);
});

test("data behind an HTTP/2 CONNECT never reaches an HTTP/1.1 server that has not agreed", async () => {
  const r = rig(false, true);
  const connect = { ":method": "CONNECT", ":authority": "db:5432" };
  r.client.peer.send(headers(1, connect), data(1, "GET /admin HTTP/1.1\r\nhost: web\r\n\r\n", END_STREAM));
  expect(await r.sent(0, 0)).toBe("CONNECT db:5432 HTTP/1.1\r\nhost: db:5432\r\n\r\n");
  await r.say(0, 0, "HTTP/1.1 405 Method Not Allowed\r\ncontent-length: 0\r\n\r\n");
  expect(r.endpoints[0]?.dialled[0]?.socket.take().toString()).toBe("");
  r.settled();
});

test("data and end of an HTTP/2 CONNECT follow when the server agrees", async () => {
  const r = rig(false, true);
  r.client.peer.send(headers(1, { ":method": "CONNECT", ":authority": "db:5432" }), data(1, "hello", END_STREAM));
  await turn();
  await r.sent(0, 0);
  await r.say(0, 0, "HTTP/1.1 200 OK\r\n\r\nhi");
  expect(await r.sent(0, 0)).toBe("hello");
  expect(r.endpoints[0]?.dialled[0]?.socket.shut).toBe(true);
  r.endpoints[0]?.dialled[0]?.socket.fin();
  expect(brief(await r.client.peer.frames()).slice(-3)).toEqual(["HEADERS 1", "DATA 1:2", "DATA 1:0 END"]);
  r.settled();
});

test("a tunnel has no request timeout", async () => {
  const r = rig(false);
  r.client.socket.deliver("GET /ws HTTP/1.1\r\nhost: web\r\nconnection: upgrade\r\nupgrade: echo\r\n\r\n");
  r.pipeline.exchanges[0]?.limit(40);
  await r.say(0, 0, "HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: echo\r\n\r\n");
  await Bun.sleep(120); // what must not happen
  expect(r.client.socket.closed).toBe(false);
  r.client.socket.reset();
  r.settled();
});

test("a request that takes too long is answered with 504, or reset when the answer has begun", async () => {
  for (const begun of [false, true]) {
    const r = rig(false);
    r.client.socket.deliver(GET);
    await turn();
    if (begun) await r.say(0, 0, "HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nab");
    r.pipeline.exchanges[0]?.onTimer(0);
    const got = await r.received();
    if (begun) expect(r.client.socket.terminated).toBe(true);
    else expect(got).toStartWith("HTTP/1.1 504");
    expect(r.endpoints[0]?.dialled[0]?.socket.closed).toBe(true);
    r.settled();
  }
});

test.each([
  ["application/grpc+proto", "HEADERS 1 END"],
  ["application/grpc-web+proto", "RST_STREAM 1"],
])(
  "a stream of %s that takes too long ends with DEADLINE_EXCEEDED where its status is in trailers",
  async (name, end) => {
    const r = rig(true, true);
    const type = { "content-type": name };
    r.client.peer.send(request(1, { ":method": "POST", ...type }));
    await turn();
    r.endpoints[0]?.dialled[0]?.peer.send(headers(1, { ":status": "200", ...type }), data(1, "abc"));
    await turn();
    r.pipeline.exchanges[0]?.onTimer(0);
    await turn();
    const frames = (await r.client.peer.frames()).filter(({ type }) => type !== "SETTINGS");
    const seen = brief(frames).filter((f) => /HEADERS|DATA|RST/.test(f));
    expect(seen.map((frame) => frame.replace(/(RST_STREAM 1).*/, "$1"))).toEqual(["HEADERS 1", "DATA 1:3", end]);
    const trailers = frames.findLast(({ type }) => type === "HEADERS");
    if (end.startsWith("HEADERS")) expect(trailers?.payload.toString("latin1")).toContain("timeout");
    r.settled();
  },
);

test("a try that takes too long goes elsewhere where the rule allows it", async () => {
  const r = rig(false, false, { count: 2 });
  r.pipeline.rule = { retry: retries({ connectionError: true }) };
  r.client.socket.deliver(GET);
  await turn();
  r.pipeline.exchanges[0]?.onTimer(1);
  await r.say(1, 0, OK);
  expect(await r.received()).toBe(OK);
  r.settled();
});

test("a client that goes away while its request waits for a connection leaves the queue", async () => {
  const r = rig(false, false, { atOnce: false });
  r.client.socket.deliver(GET);
  r.client.socket.reset();
  r.settled();
  const dialled = r.endpoints[0]?.accept();
  await turn();
  expect(dialled?.socket.take().toString()).toBe("");
});

test("a request that HTTP/1.1 cannot say is the client's fault, and costs no connection", async () => {
  const r = rig(false, true);
  r.client.peer.send(request(1, { ":method": "CONNECT", ":protocol": "echo" }, 0));
  const head = (await r.client.peer.frames()).find((f) => f.type === "HEADERS");
  expect(head && r.client.peer.section(head, "response").status).toBe(400);
  expect(r.endpoints[0]?.dialled[0]?.socket.closed).toBe(false);
  expect(r.endpoints[0]?.breaker.isOpen).toBe(false);
  r.settled();
});

test("interim responses without end are not passed on for ever", async () => {
  const r = rig(false);
  r.client.socket.deliver(GET);
  await r.say(0, 0, "HTTP/1.1 103 Early Hints\r\n\r\n".repeat(MAX_INTERIMS + 1));
  expect(await r.received()).toContain("HTTP/1.1 502");
  r.settled();
});

test("trailers pass in both directions, across versions", async () => {
  const r = rig(true, false);
  r.client.socket.deliver(
    "POST / HTTP/1.1\r\nhost: web\r\nte: trailers\r\nconnection: te\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nx-sum: 1\r\n\r\n",
  );
  const peer = r.endpoints[0]?.dialled[0]?.peer;
  const frames = await peer?.frames() ?? [];
  expect(brief(frames).filter((f) => /HEADERS|DATA/.test(f))).toEqual(["HEADERS 1", "DATA 1:3", "HEADERS 1 END"]);
  peer?.send(headers(1, { ":status": "200" }), data(1, "abc"), headers(1, { "x-sum": "2" }, END_STREAM));
  expect(await r.received()).toEndWith("3\r\nabc\r\n0\r\nx-sum: 2\r\n\r\n");
  r.settled();
});

test("trailers bring no field that only a head may have, whatever the client speaks", async () => {
  const r = rig(true, true);
  const late = { "tulle-client-id": "spiffe://forged", tulle_client_id: "spiffe://forged", authorization: "forged" };
  r.client.peer.send(
    request(1, { ":method": "POST" }, 0),
    data(1, "abc"),
    headers(1, { ...late, "x-sum": "1" }, END_STREAM),
  );
  const peer = r.endpoints[0]?.dialled[0]?.peer;
  const [head, trailers] = (await peer?.frames() ?? []).filter((f) => f.type === "HEADERS");
  expect(head && peer?.section(head, "request").path).toBe("/");
  expect(trailers && peer?.section(trailers, "trailers").fields).toEqual(["x-sum", "1"]);
});

test("trailers of which nothing may pass end the request", async () => {
  const r = rig(true, true);
  r.client.peer.send(
    request(1, { ":method": "POST" }, 0),
    data(1, "abc"),
    headers(1, { cookie: "forged" }, END_STREAM),
  );
  const frames = await r.endpoints[0]?.dialled[0]?.peer.frames() ?? [];
  expect(brief(frames).filter((f) => /HEADERS|DATA/.test(f))).toEqual(["HEADERS 1", "DATA 1:3", "DATA 1:0 END"]);
});

function windowUpdates(bytes: number): Uint8Array {
  const update = (id: number) => {
    const frame = Buffer.alloc(13);
    frame[2] = 4;
    frame[3] = 8;
    frame.writeUInt32BE(id, 5);
    frame.writeUInt32BE(bytes, 9);
    return frame;
  };
  return Buffer.concat([update(0), update(1)]);
}
