// Floods of frames that carry nothing (CVE-2019-9512, -9514, -9515, -9518, CVE-2023-44487, CVE-2024-27316), and the traffic
// of honest peers that looks a little like them.
import { expect, test } from "bun:test";
import { turn } from "../../tests/support/fake_socket.ts";
import {
  brief,
  data,
  END_STREAM,
  frame,
  goaway,
  goawayCode,
  headers,
  ping,
  request,
  rst,
  settings,
  settingsAck,
  windowUpdate,
} from "../../tests/support/h2_peer.ts";
import { requestHead, response } from "../../tests/support/legs.ts";
import { client, open, server } from "./http2_connection_fixture.ts";
import type { Http2Stream } from "./http2_stream.ts";
import {
  CONTROL_FRAME_BURST,
  MAX_CONTINUATIONS,
  MAX_HEADER_BLOCK_BYTES,
  MAX_OUTBOX_BYTES,
  MAX_SETTINGS,
} from "./limits.ts";

const CALM = 11;
/** 150 fields of 500 bytes from the table, which make more than 64 KiB. */
const hugeRequest = (id: number) =>
  frame(
    1,
    5,
    id,
    Buffer.concat([Buffer.from([0x40, 1, 0x78, 127, 0xf5, 2]), Buffer.alloc(500, 0x61), Buffer.alloc(150, 0xbe)]),
  );
const lateTrailers = (id: number) => [
  request(id, {}, 0),
  windowUpdate(id, 0),
  ...Array.from({ length: 3 }, () => headers(id, { "x-a": "b" }, END_STREAM)),
];
const BEYOND = CONTROL_FRAME_BURST + 200;

for (
  const { what, before, frames } of [
    { what: "PING", before: [], frames: () => [ping()] },
    { what: "SETTINGS", before: [], frames: () => [settings()] },
    { what: "acknowledgements of PING", before: [], frames: () => [ping("pingpong", 1)] },
    { what: "acknowledgements of SETTINGS", before: [], frames: () => [settingsAck()] },
    { what: "GOAWAY", before: [request(1, {}, 0)], frames: () => [goaway(0, 0)] },
    { what: "requests with heads beyond the limits", before: [], frames: (i: number) => [hugeRequest(2 * i + 1)] },
    { what: "trailers on streams that were reset", before: [], frames: (i: number) => lateTrailers(2 * i + 1) },
    { what: "PRIORITY", before: [], frames: () => [frame(2, 0, 1, Buffer.alloc(5))] },
    { what: "frames of unknown types", before: [], frames: () => [frame(0xcc, 0, 0)] },
    { what: "empty DATA", before: [request(1, {}, 0)], frames: () => [data(1, 0)] },
    {
      what: "DATA that is padding only",
      before: [request(1, {}, 0)],
      frames: () => [frame(0, 8, 1, Buffer.from([0]))],
    },
    { what: "WINDOW_UPDATE on the connection", before: [], frames: () => [windowUpdate(0, 1)] },
    { what: "WINDOW_UPDATE on a stream", before: [request(1)], frames: () => [windowUpdate(1, 1)] },
    {
      what: "requests that are reset at once",
      before: [],
      frames: (i: number) => [request(2 * i + 3), rst(2 * i + 3, 8)],
    },
    { what: "malformed requests", before: [], frames: (i: number) => [request(2 * i + 3, { connection: "x" })] },
    {
      what: "streams that make us reset them",
      before: [],
      frames: (i: number) => [request(2 * i + 3), windowUpdate(2 * i + 3, 0)],
    },
  ]
) {
  test(`a flood of ${what} ends the connection with ENHANCE_YOUR_CALM`, async () => {
    const { peer, owner, connection } = await server();
    peer.send(...before);
    // Tokens come back by the clock, so on a slow machine it takes more of them.
    for (let i = 0; i < 20 * BEYOND && !connection.closed; i++) peer.send(...frames(i));
    expect(goawayCode(await peer.frames())).toBe(CALM);
    expect(owner.refusals).toEqual(["flood"]);
    expect(owner.events.at(-1)).toBe("closed too many frames without data");
  });
}

test("a flood of CONTINUATIONs ends the connection, by number and by size", async () => {
  const small = await server();
  small.peer.send(frame(1, 0, 1), ...Array.from({ length: MAX_CONTINUATIONS + 1 }, () => frame(9, 0, 1)));
  expect(goawayCode(await small.peer.frames())).toBe(CALM);
  const large = await server();
  const most = MAX_HEADER_BLOCK_BYTES / 16_384;
  large.peer.send(frame(1, 0, 1), ...Array.from({ length: most + 1 }, () => frame(9, 0, 1, Buffer.alloc(16_384))));
  expect(goawayCode(await large.peer.frames())).toBe(CALM);
});

test("SETTINGS with more values than there are settings ends the connection", async () => {
  const { peer } = await server();
  peer.send(frame(4, 0, 0, Buffer.alloc(6 * MAX_SETTINGS)));
  expect(goawayCode(await peer.frames())).toBeNull();
  peer.send(frame(4, 0, 0, Buffer.alloc(6 * (MAX_SETTINGS + 1))));
  expect(goawayCode(await peer.frames())).toBe(CALM);
});

test("SETTINGS that change the windows of many streams cost more than others", async () => {
  const { peer, connection, owner } = await server();
  for (let i = 0; i < 900; i++) peer.send(request(2 * i + 1));
  let sent = 0;
  for (; sent < CONTROL_FRAME_BURST && !connection.closed; sent++) peer.send(settings({ 4: sent }));
  expect(owner.refusals).toEqual(["flood"]);
});

test("a header block that is never completed ends the connection after a while", async () => {
  const { peer, connection } = await server();
  peer.send(frame(1, 0, 1));
  connection.onTimer(0);
  expect(goawayCode(await peer.frames())).toBe(CALM);
});

test("a peer that does not read its acknowledgements is cut off before they fill memory", async () => {
  const { peer, socket, connection } = await server({}, { mesh: false });
  socket.room = 0;
  const many = Buffer.concat(Array.from({ length: 500 }, () => ping()));
  // Honest by the budget: it has earned its PINGs by a long download.
  for (let i = 0; i < 200 && !socket.closed; i++) {
    peer.send(many);
    await turn();
  }
  expect(socket.closed).toBe(true);
  expect(connection.outbox.pending).toBeLessThanOrEqual(MAX_OUTBOX_BYTES);
});

test("a receiver that gives credit for each frame, and probes the path with PINGs, is no flood", async () => {
  // Go's clients give credit every 4 KiB and, in gRPC, send a PING for each round trip of a download.
  const { peer, owner, connection } = await server({ 4: 1 << 24 });
  peer.send(request(1), windowUpdate(0, 1 << 24));
  const stream = owner.streams[0] as Http2Stream; // the request was made
  stream.sendHead(response(200), false, "");
  const bytes = Buffer.alloc(16_384);
  for (let i = 0; i < 3 * CONTROL_FRAME_BURST; i++) {
    stream.sendData(bytes, 0, bytes.length, false);
    if (i % 16 === 0) await peer.frames();
    for (let n = 0; n < 4; n++) peer.send(windowUpdate(1, 4096), windowUpdate(0, 4096));
    peer.send(ping());
  }
  expect(connection.closed).toBe(false);
});

test("credit for streams that are over is no flood", async () => {
  const { peer, owner, connection } = await server();
  owner.serve = (stream) => {
    stream.sendHead(response(200), false, "");
    stream.sendData(Buffer.alloc(100), 0, 100, true);
  };
  for (let i = 0; i < 2 * CONTROL_FRAME_BURST; i++) {
    const id = 2 * i + 1;
    peer.send(request(id));
    if (i % 64 === 0) await peer.frames();
    peer.send(windowUpdate(id, 100), windowUpdate(0, 100));
  }
  expect(connection.closed).toBe(false);
});

test("a server that resets what we opened makes no flood", async () => {
  const pair = await client();
  for (let i = 0; i < BEYOND; i++) {
    open(pair, requestHead("GET"), true);
    pair.peer.send(rst(2 * i + 1, 2));
  }
  expect(pair.connection.closed).toBe(false);
  const { recorder } = open(pair, requestHead("GET"), true);
  pair.peer.send(headers(2 * BEYOND + 1, { ":status": "204" }, END_STREAM));
  expect(recorder.events).toEqual(["head 204 end"]);
});

test("a client that cancels now and then for ever is no flood", async () => {
  const { peer, connection } = await server();
  for (let i = 0; i < CONTROL_FRAME_BURST - 100; i++) peer.send(request(2 * i + 1), rst(2 * i + 1, 8));
  expect(brief(await peer.frames())).toEqual([]);
  expect(connection.closed).toBe(false);
});
