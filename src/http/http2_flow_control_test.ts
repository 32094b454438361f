import { expect, test } from "bun:test";
import fc from "fast-check";
import { turn } from "../../tests/support/fake_socket.ts";
import {
  brief,
  data,
  END_STREAM,
  goawayCode,
  paddedData,
  request,
  rst,
  settings,
  windowUpdate,
} from "../../tests/support/h2_peer.ts";
import { requestHead, response } from "../../tests/support/legs.ts";
import { client, open, server } from "./http2_connection_fixture.ts";
import type { Http2Stream } from "./http2_stream.ts";
import { CONNECTION_WINDOW_BYTES, FIRST_STREAM_WINDOW_BYTES, STREAM_WINDOW_BYTES, TIGHT_BYTES } from "./limits.ts";
import { BLAME, PeerShare, waitingBudget } from "./waiting_budget.ts";

const INITIAL_WINDOW = 4;
const bytes = (n: number) => Buffer.alloc(n, 0x62);

/** Sends a request and answers it with a head and `body` bytes, which the windows may hold back. */
function respond(stream: Http2Stream, body: number, fin = true): void {
  stream.sendHead(response(200), false, "");
  stream.sendData(bytes(body), 0, body, fin);
}

test("sendData() stops at the stream's window and goes on at its WINDOW_UPDATE", async () => {
  const { peer, owner } = await server({ [INITIAL_WINDOW]: 10 });
  owner.serve = (stream) => respond(stream, 25);
  peer.send(request(1));
  expect(brief(await peer.frames())).toEqual(["HEADERS 1", "DATA 1:10"]);
  peer.send(windowUpdate(1, 10));
  expect(brief(await peer.frames())).toEqual(["DATA 1:10"]);
  peer.send(windowUpdate(1, 10));
  expect(brief(await peer.frames())).toEqual(["DATA 1:5 END"]);
});

test("sendData() stops at the connection's window, which streams share", async () => {
  const { peer, owner } = await server({ [INITIAL_WINDOW]: 1_000_000 });
  owner.serve = (stream) => respond(stream, 50_000);
  peer.send(request(1), request(3));
  const sent = (await peer.frames()).filter((f) => f.type === "DATA");
  expect(sent.reduce((sum, f) => sum + f.payload.length, 0)).toBe(65_535);
  peer.send(windowUpdate(0, 100_000));
  const rest = await peer.frames();
  expect(rest.reduce((sum, f) => sum + f.payload.length, 0)).toBe(100_000 - 65_535);
  expect(rest.at(-1)?.flags).toBe(END_STREAM);
});

test("a stream whose window SETTINGS made negative waits until it is above 0", async () => {
  const { peer, owner } = await server({ [INITIAL_WINDOW]: 100 });
  owner.serve = (stream) => respond(stream, 150);
  peer.send(request(1));
  await peer.frames();
  peer.send(settings({ [INITIAL_WINDOW]: 40 }), windowUpdate(1, 60)); // 0 - 60 + 60 = 0
  expect(brief(await peer.frames())).toEqual(["SETTINGS 0 ACK"]);
  peer.send(windowUpdate(1, 50));
  expect(brief(await peer.frames())).toEqual(["DATA 1:50 END"]);
});

test("SETTINGS that widen the window let streams that wait go on", async () => {
  const { peer, owner } = await server({ [INITIAL_WINDOW]: 0 });
  owner.serve = (stream) => respond(stream, 7);
  peer.send(request(1));
  expect(brief(await peer.frames())).toEqual(["HEADERS 1"]);
  peer.send(settings({ [INITIAL_WINDOW]: 100 }));
  expect(brief(await peer.frames())).toEqual(["SETTINGS 0 ACK", "DATA 1:7 END"]);
});

for (
  const { what, id, code } of [
    { what: "the connection's", id: 0, code: "GOAWAY 0:1:3" },
    { what: "a stream's", id: 1, code: "RST_STREAM 1:3" },
  ]
) {
  test(`WINDOW_UPDATE beyond 2^31-1 is FLOW_CONTROL_ERROR when it is ${what} window`, async () => {
    const { peer } = await server();
    peer.send(request(1), windowUpdate(id, 0x7fffffff));
    expect(brief(await peer.frames())).toEqual([code]);
  });
}

test("SETTINGS that push a stream's window beyond 2^31-1 are FLOW_CONTROL_ERROR (RFC 9113 §6.9.2)", async () => {
  const { peer } = await server();
  peer.send(request(1), windowUpdate(1, 0x7fffffff - 65_535), settings({ [INITIAL_WINDOW]: 65_536 }));
  expect(goawayCode(await peer.frames())).toBe(3);
});

test("DATA beyond the stream's window resets the stream", async () => {
  const { peer, owner } = await server({}, { consumes: false });
  peer.send(request(1, { ":method": "POST" }, 0));
  for (let sent = 0; sent < FIRST_STREAM_WINDOW_BYTES; sent += 16_384) peer.send(data(1, 16_384));
  peer.send(data(1, 1));
  expect(brief(await peer.frames())).toEqual(["RST_STREAM 1:3"]);
  expect(owner.of(0).at(-1)).toStartWith("abort 3");
});

test("credit comes back for all that was forwarded, padding included, and nothing else", async () => {
  // Padding that nobody credits would wear the stream's window down until it stalls.
  const { peer, owner } = await server();
  peer.send(request(1, { ":method": "POST" }, 0));
  let sent = 0;
  let credit = FIRST_STREAM_WINDOW_BYTES;
  for (let i = 0; i < 3000; i++) {
    const pad = i % 200;
    if (credit < 1 + 50 + pad) throw new Error(`the window is used up after ${sent} bytes`);
    peer.send(paddedData(1, 50, pad));
    sent += 1 + 50 + pad;
    credit -= 1 + 50 + pad;
    if (i % 100 === 0) {
      for (const f of await peer.frames()) {
        if (f.type === "WINDOW_UPDATE" && f.id === 1) credit += f.payload.readUInt32BE(0);
      }
    }
  }
  expect(owner.of(0)).toEqual(["head POST", "data 150000"]);
  expect(credit).toBeLessThanOrEqual(STREAM_WINDOW_BYTES);
});

test("credit for a stream is held back while its bytes are not forwarded, and the connection's is not", async () => {
  const { peer, owner } = await server({}, { consumes: false });
  peer.send(request(1, { ":method": "POST" }, 0));
  const frames = [];
  for (let i = 0; i < 20; i++) {
    const id = 2 * i + 1;
    if (i > 0) peer.send(request(id, { ":method": "POST" }, 0));
    for (let sent = 0; sent < FIRST_STREAM_WINDOW_BYTES; sent += 16_384) peer.send(data(id, 16_384));
    frames.push(...await peer.frames());
  }
  expect(brief(frames)).toEqual([`WINDOW_UPDATE 0:${CONNECTION_WINDOW_BYTES / 2}`]);
  owner.streams[3]?.consumed(FIRST_STREAM_WINDOW_BYTES);
  expect(brief(await peer.frames())).toEqual([`WINDOW_UPDATE 7:${STREAM_WINDOW_BYTES}`]);
});

test("a stream's window grows once its bytes are forwarded, but not while much waits elsewhere", async () => {
  const { peer, owner } = await server({}, { consumes: false });
  const hoard = new PeerShare("inbound", "hoarder").hold({ onHeldTooLong() {} });
  hoard.set(TIGHT_BYTES + 1, BLAME.own);
  for (const id of [1, 3]) {
    peer.send(request(id, { ":method": "POST" }, 0));
    for (let sent = 0; sent < FIRST_STREAM_WINDOW_BYTES; sent += 16_384) peer.send(data(id, 16_384));
  }
  await peer.frames();
  owner.streams[0]?.consumed(FIRST_STREAM_WINDOW_BYTES);
  expect(brief(await peer.frames())).toEqual([`WINDOW_UPDATE 1:${FIRST_STREAM_WINDOW_BYTES}`]);
  hoard.release();
  owner.streams[1]?.consumed(FIRST_STREAM_WINDOW_BYTES);
  expect(brief(await peer.frames())).toEqual([`WINDOW_UPDATE 3:${STREAM_WINDOW_BYTES}`]);
});

test("what is sent and what is credited stay within the windows, whatever the order (property)", async () => {
  const step = fc.oneof(
    fc.record({ kind: fc.constant("send" as const), stream: fc.nat(2), n: fc.integer({ min: 1, max: 3000 }) }),
    fc.record({ kind: fc.constant("window" as const), stream: fc.nat(3), n: fc.integer({ min: 1, max: 4000 }) }),
    fc.record({ kind: fc.constant("initial" as const), stream: fc.constant(0), n: fc.nat(5000) }),
    fc.record({ kind: fc.constant("reset" as const), stream: fc.nat(2), n: fc.constant(0) }),
    fc.record({ kind: fc.constant("room" as const), stream: fc.constant(0), n: fc.nat(4000) }),
  );
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 5, maxLength: 60 }), async (steps) => {
      const before = waitingBudget.total;
      const { peer, owner, socket, connection } = await server({ [INITIAL_WINDOW]: 1000 });
      let initial = 1000;
      let connectionWindow = 65_535;
      let shrank = false;
      const windows = [1000, 1000, 1000];
      const offered = [0, 0, 0];
      const received = [0, 0, 0];
      const reset = [false, false, false];
      peer.send(request(1), request(3), request(5));
      for (const stream of owner.streams) stream.sendHead(response(200), false, "");
      const collect = async () => {
        for (const f of await peer.frames()) {
          if (f.type !== "DATA") continue;
          const n = (f.id - 1) / 2;
          windows[n] = (windows[n] ?? 0) - f.payload.length;
          received[n] = (received[n] ?? 0) + f.payload.length;
          connectionWindow -= f.payload.length;
        }
      };
      for (const { kind, stream, n } of steps) {
        if (kind === "send" && !reset[stream]) {
          offered[stream] = (offered[stream] ?? 0) + n;
          owner.streams[stream]?.sendData(bytes(n), 0, n, false);
        } else if (kind === "window" && (stream === 3 || !reset[stream])) {
          if (stream === 3) connectionWindow += n;
          else windows[stream] = (windows[stream] ?? 0) + n;
          peer.send(windowUpdate(stream === 3 ? 0 : 2 * stream + 1, n));
        } else if (kind === "initial") {
          for (let i = 0; i < 3; i++) windows[i] = (windows[i] ?? 0) + n - initial;
          shrank ||= n < initial;
          initial = n;
          peer.send(settings({ [INITIAL_WINDOW]: n }));
        } else if (kind === "reset") {
          reset[stream] = true;
          peer.send(rst(2 * stream + 1, 8));
        } else if (kind === "room") {
          if (socket.room === Infinity) socket.room = n;
          else socket.drain(n);
        }
      }
      socket.drain(Infinity);
      await collect();
      expect(connection.sendWindow).toBe(connectionWindow);
      expect(connectionWindow).toBeGreaterThanOrEqual(0);
      owner.streams.forEach((open, i) => {
        if (reset[i]) return;
        expect(open.sendWindow).toBe(windows[i] as number); // three of each
        expect(received[i]).toBe((offered[i] as number) - open.queued); // as above
        // Below 0 only by SETTINGS that shrank it; nothing waits that could go.
        if (!shrank) expect(open.sendWindow).toBeGreaterThanOrEqual(0);
        if (open.sendWindow > 0 && connectionWindow > 0) expect(open.queued).toBe(0);
      });
      // What waits is counted; what ends is not.
      const waiting = owner.streams.reduce((sum, s) => sum + s.queued, 0);
      expect(waitingBudget.total - before).toBeGreaterThanOrEqual(waiting);
      if (waiting === 0) expect(waitingBudget.total).toBe(before);
      socket.reset();
      expect(waitingBudget.total).toBe(before);
    }),
    { numRuns: 60 },
  );
});

test("streams that end while they wait do not pile up in a connection whose window stays closed", async () => {
  const { peer, owner, connection } = await server({}, { mesh: true });
  owner.serve = (stream) => respond(stream, 70_000);
  peer.send(request(1)); // takes the connection's window
  await peer.frames();
  for (let i = 0; i < 2000; i++) peer.send(request(3 + 2 * i), rst(3 + 2 * i, 8));
  await turn();
  expect(connection.streams.size).toBe(1);
  expect(connection.waitingStreams).toBeLessThan(200);
  connection.fail(0, "test over");
});

test("sendData() of a client keeps to the server's windows as well", async () => {
  const pair = await client({ [INITIAL_WINDOW]: 10 });
  const { stream } = open(pair, requestHead("POST"), false);
  stream.sendData(bytes(12), 0, 12, true);
  expect(brief(await pair.peer.frames())).toEqual(["HEADERS 1", "DATA 1:10"]);
  pair.peer.send(windowUpdate(1, 5));
  expect(brief(await pair.peer.frames())).toEqual(["DATA 1:2 END"]);
});

test("a stalled reader holds one window of each stream, and no more", async () => {
  const { peer, owner, socket, connection } = await server({ [INITIAL_WINDOW]: 16 * 1024 * 1024 });
  peer.send(windowUpdate(0, 1 << 30));
  socket.room = 100_000;
  peer.send(request(1));
  const stream = owner.streams[0] as Http2Stream; // the request was made
  stream.sendHead(response(200), false, "");
  let given = 0;
  // A producer that keeps to what `onConsumed` allows.
  while (given - (owner.recorders[0]?.consumed ?? 0) < STREAM_WINDOW_BYTES) {
    stream.sendData(bytes(32_768), 0, 32_768, false);
    given += 32_768;
    await turn();
  }
  expect(connection.outbox.pending + stream.queued).toBeLessThanOrEqual(100_000 + 2 * STREAM_WINDOW_BYTES + 65_536);
  socket.drain(Infinity);
  await turn();
  expect(stream.queued).toBe(0);
  expect(owner.recorders[0]?.consumed).toBe(given);
});
