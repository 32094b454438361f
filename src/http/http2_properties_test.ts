import { expect, test } from "bun:test";
import fc from "fast-check";
import { FakeSocket } from "../../tests/support/fake_socket.ts";
import {
  brief,
  data,
  END_HEADERS,
  END_STREAM,
  frame,
  goaway,
  goawayCode,
  H2Peer,
  headers,
  literals,
  paddedData,
  ping,
  PREFACE,
  request,
  rst,
  settings,
  windowUpdate,
} from "../../tests/support/h2_peer.ts";
import { requestHead, response } from "../../tests/support/legs.ts";
import { client, open, RecordingOwner, server } from "./http2_connection_fixture.ts";
import { Http2Connection } from "./http2_connection.ts";

const POST = { ":method": "POST", ":scheme": "http", ":authority": "web.shop", ":path": "/" };

test("any chop of the bytes gives the same events (property)", async () => {
  const bytes = Buffer.concat([
    PREFACE,
    settings({ 4: 100_000 }),
    headers(1, { ...POST, te: "trailers" }),
    data(1, 700),
    paddedData(1, 40, 17),
    frame(1, 0, 3, literals(Object.entries(POST)).subarray(0, 9)),
    frame(9, END_HEADERS, 3, literals(Object.entries(POST)).subarray(9)),
    ping(),
    data(3, 3, END_STREAM),
    headers(1, { "x-sum": "1" }, END_STREAM),
    request(5),
    rst(5, 8),
  ]);
  await fc.assert(
    fc.asyncProperty(fc.array(fc.integer({ min: 1, max: 300 }), { minLength: 1, maxLength: 400 }), async (sizes) => {
      const socket = new FakeSocket();
      const owner = new RecordingOwner(true);
      new Http2Connection(socket.raw, true, false, owner);
      let at = 0;
      for (const size of sizes) {
        socket.deliver(bytes.subarray(at, at + size));
        at += size;
      }
      socket.deliver(bytes.subarray(at));
      expect([owner.of(0), owner.of(1), owner.of(2)]).toEqual([
        ["head POST", "data 740", "trailers x-sum=1"],
        ["head POST", "data 3", "fin"],
        ["head GET end", "abort 8 reset by the peer"],
      ]);
      expect(brief(await new H2Peer(socket).frames())).toEqual([
        "SETTINGS 0",
        "WINDOW_UPDATE 0:4128769",
        "SETTINGS 0 ACK",
        "PING 0 ACK",
      ]);
    }),
    { numRuns: 60 },
  );
});

test("any frames end in events or in one GOAWAY, never in an exception; both roles (property)", async () => {
  const anyFrame = fc.tuple(fc.nat(10), fc.nat(255), fc.nat(6), fc.uint8Array({ maxLength: 40 }))
    .map(([type, flags, id, payload]) => frame(type, flags, id, payload));
  const plausible = fc.oneof(
    fc.tuple(fc.nat(3), fc.constantFrom(0, END_STREAM)).map(([n, flags]) => request(2 * n + 1, {}, flags)),
    fc.tuple(fc.nat(3), fc.constantFrom(0, END_STREAM)).map(([n, flags]) =>
      headers(2 * n + 1, { ":status": "200" }, flags)
    ),
    fc.tuple(fc.nat(3), fc.nat(50), fc.constantFrom(0, END_STREAM)).map(([n, size, flags]) =>
      data(2 * n + 1, size, flags)
    ),
    fc.tuple(fc.nat(4), fc.nat(0x7fffffff)).map(([id, n]) => windowUpdate(id, n)),
    fc.tuple(fc.nat(6), fc.nat(0xffff)).map(([id, n]) => settings({ [id]: n })),
    fc.nat(6).map((id) => rst(id, 8)),
    fc.nat(6).map((id) => goaway(id, 0)),
    anyFrame,
  );
  await fc.assert(
    fc.asyncProperty(
      fc.boolean(),
      fc.array(plausible, { maxLength: 30, size: "max" }),
      fc.nat(40),
      async (isServer, list, cut) => {
        const pair = isServer ? await server() : await client();
        const opened = isServer ? [] : [open(pair, requestHead("GET"), true), open(pair, requestHead("POST"), false)];
        pair.owner.serve = (stream) => void stream.sendHead(response(200), false, "");
        const bytes = Buffer.concat(list);
        pair.socket.deliver(bytes.subarray(0, cut));
        pair.socket.deliver(bytes.subarray(cut));
        const frames = await pair.peer.frames();
        expect(frames.filter((f) => f.type === "GOAWAY" && f.payload.readUInt32BE(4) !== 0).length).toBeLessThanOrEqual(
          1,
        );
        if (goawayCode(frames) !== null) expect(pair.socket.closed).toBe(true);
        pair.socket.reset();
        for (const recorder of [...pair.owner.recorders, ...opened.map((o) => o.recorder)]) {
          expect(recorder.events.filter((e) => e.includes("AFTER") || e.includes("TWICE"))).toEqual([]);
        }
        expect(pair.owner.events.filter((e) => e.startsWith("closed"))).toHaveLength(1);
        expect(pair.connection.streams.size).toBe(0);
      },
    ),
    { numRuns: 400 },
  );
});
