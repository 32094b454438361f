import { expect, test } from "bun:test";
import { FakeSocket, turn } from "../../tests/support/fake_socket.ts";
import {
  ACK,
  brief,
  data,
  END_HEADERS,
  END_STREAM,
  type Fields,
  frame,
  goaway,
  goawayCode,
  H2Peer,
  headers,
  literals,
  PADDED,
  paddedData,
  ping,
  PREFACE,
  PRIORITY,
  request,
  rst,
  settings,
  windowUpdate,
} from "../../tests/support/h2_peer.ts";
import { requestHead, response, trailers } from "../../tests/support/legs.ts";
import { client, open, RecordingOwner, server } from "./http2_connection_fixture.ts";
import { Http2Connection } from "./http2_connection.ts";
import type { Http2Stream } from "./http2_stream.ts";

const POST: Fields = { ":method": "POST", ":scheme": "http", ":authority": "web.shop", ":path": "/" };

/** Answers as soon as a request's head is there. */
function answer(stream: Http2Stream): void {
  stream.sendHead(response(200), true, "");
}

test("the connection begins with SETTINGS and a wider connection window, and acknowledges the peer's", async () => {
  const socket = new FakeSocket();
  new Http2Connection(socket.raw, true, false, new RecordingOwner(true));
  const peer = new H2Peer(socket);
  peer.send(PREFACE, settings());
  expect(brief(await peer.frames())).toEqual(["SETTINGS 0", "WINDOW_UPDATE 0:4128769", "SETTINGS 0 ACK"]);
});

test("a client begins with the preface", async () => {
  const socket = new FakeSocket();
  new Http2Connection(socket.raw, false, false, new RecordingOwner(true));
  await turn();
  expect(socket.take().subarray(0, 24)).toEqual(PREFACE);
});

for (
  const { what, bytes, code } of [
    { what: "another preface", bytes: Buffer.from("PRI * HTTP/2.0\r\n\r\nXX\r\n\r\n"), code: 1 },
    { what: "another frame than SETTINGS first", bytes: Buffer.concat([PREFACE, ping()]), code: 1 },
    { what: "an acknowledgement first", bytes: Buffer.concat([PREFACE, frame(4, ACK, 0)]), code: 1 },
  ]
) {
  test(`${what} ends the connection with PROTOCOL_ERROR`, async () => {
    const socket = new FakeSocket();
    const owner = new RecordingOwner(true);
    new Http2Connection(socket.raw, true, false, owner);
    const peer = new H2Peer(socket);
    peer.send(bytes);
    expect(goawayCode(await peer.frames())).toBe(code);
    expect(socket.closed).toBe(true);
    expect(owner.events.at(-1)).toStartWith("closed");
  });
}

test("a request, its body and its trailers arrive, and so does the answer", async () => {
  const { peer, owner } = await server();
  peer.send(headers(1, { ...POST, te: "trailers" }), data(1, "hello"), headers(1, { "x-sum": "1" }, END_STREAM));
  expect(owner.of(0)).toEqual(["head POST", "data 5", "trailers x-sum=1"]);
  const stream = owner.streams[0] as Http2Stream; // the request was made
  stream.sendInterim(response(103, ["link", "</x>"]));
  stream.sendHead(response(200, ["x", "y"]), false, "");
  stream.sendData(Buffer.from("abc"), 0, 3, false);
  stream.sendTrailers(trailers(["grpc-status", "0"]));
  const frames = await peer.frames();
  expect(brief(frames)).toEqual(["HEADERS 1", "HEADERS 1", "DATA 1:3", "HEADERS 1 END"]);
  expect(peer.section(frames[0] as never, "response").status).toBe(103);
  expect(peer.section(frames[1] as never, "response").get("x")).toBe("y");
  expect(peer.section(frames[3] as never, "trailers").get("grpc-status")).toBe("0");
  expect(owner.events.at(-1)).toBe("idle");
});

test("a section is the same in however many CONTINUATIONs it comes, with padding and priority", async () => {
  const block = literals(Object.entries({ ...POST, "x-long": "y".repeat(2000) }));
  const padded = Buffer.concat([Buffer.from([7, 0, 0, 0, 0, 16]), block, Buffer.alloc(7)]);
  const cuts = [0, 1, 100, block.length];
  for (const first of cuts) {
    const { peer, owner } = await server();
    const rest = block.subarray(first);
    const half = rest.length >> 1;
    peer.send(
      frame(1, END_STREAM, 1, block.subarray(0, first)),
      frame(9, 0, 1, rest.subarray(0, half)),
      frame(9, END_HEADERS, 1, rest.subarray(half)),
      frame(1, END_STREAM | END_HEADERS | PADDED | PRIORITY, 3, padded),
    );
    expect([owner.of(0), owner.of(1)]).toEqual([["head POST end"], ["head POST end"]]);
    expect(owner.recorders[1]?.head?.get("x-long")).toHaveLength(2000);
  }
});

test("long sections are sent in CONTINUATIONs of the size that the peer takes", async () => {
  const { peer, owner } = await server();
  owner.serve = (stream) => stream.sendHead(response(200, ["x", "y".repeat(40_000)]), true, "");
  peer.send(request(1));
  const frames = await peer.frames();
  expect(brief(frames)).toEqual(["HEADERS 1 END", "CONTINUATION 1", "CONTINUATION 1"]);
  expect(frames.map((f) => f.flags & END_HEADERS)).toEqual([0, 0, END_HEADERS]);
});

for (
  const { what, send, code } of [
    { what: "a frame that is too long", send: [frame(0, 0, 1, Buffer.alloc(0), 16_385)], code: 6 },
    { what: "DATA on stream 0", send: [data(0, 1)], code: 1 },
    { what: "DATA on an idle stream", send: [data(1, 1)], code: 1 },
    { what: "HEADERS on stream 0", send: [request(0)], code: 1 },
    { what: "HEADERS on an even stream", send: [request(2)], code: 1 },
    { what: "HEADERS on a smaller stream than before", send: [request(5), request(3)], code: 5 },
    { what: "another frame inside a header block", send: [frame(1, 0, 1), ping()], code: 1 },
    { what: "CONTINUATION without HEADERS", send: [frame(9, END_HEADERS, 1)], code: 1 },
    { what: "CONTINUATION of another stream", send: [frame(1, 0, 1), frame(9, END_HEADERS, 3)], code: 1 },
    {
      what: "padding as long as the frame",
      send: [request(1, {}, 0), frame(0, PADDED, 1, Buffer.from([3, 0, 0]))],
      code: 1,
    },
    {
      what: "HEADERS shorter than its padding",
      send: [frame(1, PADDED | END_HEADERS, 1, Buffer.from([9, 0]))],
      code: 1,
    },
    {
      what: "a header block that is no HPACK",
      send: [frame(1, END_HEADERS, 1, Buffer.from([0xff, 0xff, 0xff, 0xff, 0xff, 0xff]))],
      code: 9,
    },
    { what: "WINDOW_UPDATE of 0 on the connection", send: [windowUpdate(0, 0)], code: 1 },
    { what: "WINDOW_UPDATE of 3 bytes", send: [frame(8, 0, 0, Buffer.alloc(3))], code: 6 },
    { what: "WINDOW_UPDATE on an idle stream", send: [windowUpdate(1, 1)], code: 1 },
    { what: "RST_STREAM on an idle stream", send: [rst(1, 0)], code: 1 },
    { what: "RST_STREAM of 3 bytes", send: [request(1), frame(3, 0, 1, Buffer.alloc(3))], code: 6 },
    { what: "SETTINGS on a stream", send: [frame(4, 0, 1)], code: 1 },
    { what: "SETTINGS of 5 bytes", send: [frame(4, 0, 0, Buffer.alloc(5))], code: 6 },
    { what: "an acknowledgement with a payload", send: [frame(4, ACK, 0, Buffer.alloc(6))], code: 6 },
    { what: "SETTINGS_ENABLE_PUSH of 2", send: [settings({ 2: 2 })], code: 1 },
    { what: "SETTINGS_MAX_FRAME_SIZE of 16383", send: [settings({ 5: 16_383 })], code: 1 },
    { what: "SETTINGS_INITIAL_WINDOW_SIZE of 2^31", send: [settings({ 4: 0x80000000 })], code: 3 },
    { what: "PING on a stream", send: [frame(6, 0, 1, Buffer.alloc(8))], code: 1 },
    { what: "PING of 7 bytes", send: [frame(6, 0, 0, Buffer.alloc(7))], code: 6 },
    { what: "GOAWAY on a stream", send: [frame(7, 0, 1, Buffer.alloc(8))], code: 1 },
    { what: "GOAWAY of 7 bytes", send: [frame(7, 0, 0, Buffer.alloc(7))], code: 6 },
    { what: "PRIORITY on stream 0", send: [frame(2, 0, 0, Buffer.alloc(5))], code: 1 },
    { what: "PUSH_PROMISE", send: [frame(5, END_HEADERS, 1, Buffer.alloc(4))], code: 1 },
    { what: "DATA behind both ends of a stream", send: [request(1), data(1, 1)], code: 5 },
    { what: "HEADERS behind both ends of a stream", send: [request(1), request(1)], code: 5 },
  ]
) {
  test(`${what} ends the connection with code ${code}`, async () => {
    const { peer, owner, socket } = await server();
    owner.serve = answer;
    peer.send(...send);
    expect(goawayCode(await peer.frames())).toBe(code);
    expect(socket.closed).toBe(true);
  });
}

for (const pieces of [1, 2]) {
  test(`a sidecar's frame that must be put together ends the connection when it is too long, in ${pieces} pieces`, async () => {
    const { peer } = await server({}, { mesh: true });
    const header = frame(1, END_HEADERS, 1, Buffer.alloc(0), 65_537);
    if (pieces === 1) peer.send(header);
    else {
      peer.send(header.subarray(0, 4));
      peer.send(header.subarray(4));
    }
    expect(goawayCode(await peer.frames())).toBe(6);
  });
}

for (
  const { what, send, code } of [
    { what: "DATA behind END_STREAM", send: [request(1), data(1, 1)], code: 5 },
    { what: "HEADERS behind END_STREAM", send: [request(1), headers(1, {}, END_STREAM)], code: 5 },
    { what: "a body longer than announced", send: [request(1, { "content-length": "3" }, 0), data(1, 4)], code: 1 },
    {
      what: "a body shorter than announced",
      send: [request(1, { "content-length": "3" }, 0), data(1, 2, END_STREAM)],
      code: 1,
    },
    {
      what: "trailers before the announced end",
      send: [request(1, { "content-length": "3" }, 0), headers(1, { x: "y" }, END_STREAM)],
      code: 1,
    },
    { what: "trailers that do not end the stream", send: [request(1, {}, 0), headers(1, { x: "y" })], code: 1 },
    {
      what: "a pseudo-header field in trailers",
      send: [request(1, {}, 0), headers(1, { ":path": "/" }, END_STREAM)],
      code: 1,
    },
    {
      what: "a stream that depends on itself",
      send: [
        frame(
          1,
          END_STREAM | END_HEADERS | PRIORITY,
          1,
          Buffer.concat([Buffer.from([0, 0, 0, 1, 0]), literals(Object.entries(POST))]),
        ),
      ],
      code: 1,
    },
    {
      what: "PRIORITY that makes a stream depend on itself",
      send: [request(1), frame(2, 0, 1, Buffer.from([0, 0, 0, 1, 0]))],
      code: 1,
    },
    { what: "WINDOW_UPDATE of 0", send: [request(1), windowUpdate(1, 0)], code: 1 },
  ]
) {
  test(`${what} resets the stream with code ${code}, and the connection goes on`, async () => {
    const { peer, owner } = await server();
    peer.send(...send);
    expect(brief(await peer.frames())).toEqual([`RST_STREAM 1:${code}`]);
    if (owner.recorders.length > 0) expect(owner.of(0).at(-1)).toStartWith(`abort ${code} `);
    peer.send(data(1, 5), windowUpdate(1, 5), headers(1, { x: "y" }, END_STREAM), rst(1, 0)); // still under way
    peer.send(request(7));
    expect(owner.recorders.at(-1)?.events).toEqual(["head GET end"]);
    expect(goawayCode(await peer.frames())).toBeNull();
  });
}

test("streams beyond the limit are refused unprocessed", async () => {
  const { peer, owner } = await server();
  for (let i = 0; i < 1001; i++) peer.send(request(2 * i + 1));
  expect(brief(await peer.frames())).toEqual(["RST_STREAM 2001:7"]);
  expect(owner.recorders).toHaveLength(1000);
});

test("frames for streams that we reset are ignored, however many were reset at once", async () => {
  // A server that dies with a thousand uploads open resets them all while their DATA is under way.
  const { peer, owner } = await server();
  for (let i = 0; i < 1000; i++) peer.send(request(2 * i + 1, { ":method": "POST" }, 0));
  for (const stream of owner.streams) stream.abort(2);
  for (let i = 0; i < 1000; i++) peer.send(data(2 * i + 1, 1), windowUpdate(2 * i + 1, 1));
  expect(goawayCode(await peer.frames())).toBeNull();
});

test("PING is answered with its payload", async () => {
  const { peer } = await server();
  peer.send(ping("12345678"));
  const [answered] = await peer.frames();
  expect(answered?.payload.toString()).toBe("12345678");
  expect(answered?.flags).toBe(ACK);
});

test("frames and settings of unknown types are ignored", async () => {
  const { peer, owner } = await server();
  peer.send(frame(0xbb, 0xff, 1, Buffer.alloc(20)), settings({ 0xabcd: 7 }), request(1));
  expect(owner.of(0)).toEqual(["head GET end"]);
});

test("RST_STREAM tells the listener its code, REFUSED_STREAM also that nothing was processed", async () => {
  const pair = await client();
  const first = open(pair, requestHead("GET"), true);
  const second = open(pair, requestHead("GET"), true);
  pair.peer.send(rst(1, 8), rst(3, 7));
  expect(first.recorder.events).toEqual(["abort 8 reset by the peer"]);
  expect(second.recorder.events).toEqual(["abort 7 unprocessed reset by the peer"]);
  expect(pair.connection.streams.size).toBe(0);
});

test("abort() sends RST_STREAM once, and no event follows", async () => {
  const pair = await client();
  const { stream, recorder } = open(pair, requestHead("GET"), true);
  stream.abort(8);
  stream.abort(8);
  stream.sendData(Buffer.alloc(3), 0, 3, true);
  pair.peer.send(headers(1, { ":status": "200" }), data(1, 3, END_STREAM));
  expect(brief(await pair.peer.frames())).toEqual(["HEADERS 1 END", "RST_STREAM 1:8"]);
  expect(recorder.events).toEqual([]);
});

test("GOAWAY to a client: streams above the last are unprocessed, those below go on, new ones are not opened", async () => {
  const pair = await client();
  const low = open(pair, requestHead("GET"), true);
  const high = open(pair, requestHead("GET"), true);
  pair.peer.send(goaway(1, 0));
  expect(high.recorder.events).toEqual(["abort 7 unprocessed peer is going away"]);
  expect(pair.owner.events).toContain("draining");
  expect(pair.connection.canOpen).toBe(false);
  pair.peer.send(headers(1, { ":status": "204" }, END_STREAM));
  expect(low.recorder.events).toEqual(["head 204 end"]);
  await turn();
  expect(pair.socket.closed).toBe(true);
  expect(pair.owner.events.at(-1)).toBe("closed drained");
});

test("shutdown() of a server serves what is under way, refuses what comes later, and closes after the last stream", async () => {
  const { peer, owner, socket, connection } = await server();
  peer.send(request(1));
  connection.shutdown();
  const frames = await peer.frames();
  expect(brief(frames)).toEqual(["GOAWAY 0:2147483647:0", "PING 0"]);
  peer.send(request(3)); // was under way
  expect(owner.of(1)).toEqual(["head GET end"]);
  peer.send(frame(6, ACK, 0, frames[1]?.payload));
  expect(brief(await peer.frames())).toEqual(["GOAWAY 0:3:0"]);
  peer.send(request(5));
  expect(brief(await peer.frames())).toEqual(["RST_STREAM 5:7"]);
  for (const stream of owner.streams) answer(stream);
  expect(brief(await peer.frames())).toEqual(["HEADERS 1 END", "HEADERS 3 END"]);
  expect(socket.closed).toBe(true);
  expect(owner.events.at(-1)).toBe("closed drained");
});

test("GOAWAY from a client does not end what it still sends: its PING is answered, and it may take a while to close", async () => {
  const { peer, connection, socket } = await server();
  peer.send(frame(7, 0, 0, Buffer.alloc(8)));
  peer.send(frame(6, 0, 0, Buffer.from("12345678")));
  expect(brief(await peer.frames())).toEqual(["PING 0 ACK"]);
  expect(socket.closed).toBe(false);
  connection.onTimer(1);
  await peer.frames();
  expect(socket.closed).toBe(true);
});

test("shutdown() does not wait for ever for a client that does not acknowledge", async () => {
  const { peer, connection, socket } = await server();
  connection.shutdown();
  await peer.frames();
  connection.onTimer(1);
  expect(brief(await peer.frames())).toEqual(["GOAWAY 0:0:0"]);
  expect(socket.closed).toBe(true);
});

for (const how of ["fin", "reset"] as const) {
  test(`a connection that ends by ${how} aborts all its streams, once each`, async () => {
    const pair = await client();
    const all = [open(pair, requestHead("GET"), true), open(pair, requestHead("POST"), false)];
    pair.socket[how]();
    for (const { recorder } of all) expect(recorder.events).toHaveLength(1);
    expect(pair.owner.events.filter((e) => e.startsWith("closed"))).toHaveLength(1);
    expect(pair.connection.streams.size).toBe(0);
    expect(pair.socket.closed).toBe(true);
  });
}

test("answers of the same turn reach a client that sends FIN behind its request", async () => {
  const { peer, owner, socket } = await server();
  owner.serve = answer;
  peer.send(request(1));
  socket.fin();
  expect(brief(await peer.frames())).toEqual(["HEADERS 1 END"]);
});

for (
  const { what, method, send, want } of [
    {
      what: "HEAD with a length",
      method: "HEAD",
      send: [headers(1, { ":status": "200", "content-length": "9" }, END_STREAM)],
      want: ["head 200 end"],
    },
    {
      what: "304 with a length",
      method: "GET",
      send: [headers(1, { ":status": "304", "content-length": "9" }, END_STREAM)],
      want: ["head 304 end"],
    },
    { what: "204", method: "GET", send: [headers(1, { ":status": "204" }, END_STREAM)], want: ["head 204 end"] },
    {
      what: "interim responses",
      method: "GET",
      send: [
        headers(1, { ":status": "100" }),
        headers(1, { ":status": "103" }),
        headers(1, { ":status": "204" }, END_STREAM),
      ],
      want: ["interim 100", "interim 103", "head 204 end"],
    },
    {
      what: "a body and trailers",
      method: "GET",
      send: [headers(1, { ":status": "200" }), data(1, 3), headers(1, { x: "y" }, END_STREAM)],
      want: ["head 200", "data 3", "trailers x=y"],
    },
    {
      what: "a body in padded frames",
      method: "GET",
      send: [headers(1, { ":status": "200" }), paddedData(1, 3, 9), paddedData(1, 0, 4, END_STREAM)],
      want: ["head 200", "data 3", "fin"],
    },
    {
      what: "an empty last frame",
      method: "GET",
      send: [headers(1, { ":status": "200" }), data(1, 3), data(1, 0, END_STREAM)],
      want: ["head 200", "data 3", "fin"],
    },
    {
      what: "101",
      method: "GET",
      send: [headers(1, { ":status": "101" })],
      want: ["abort 1 malformed header section"],
    },
    {
      what: "an interim response with END_STREAM",
      method: "GET",
      send: [headers(1, { ":status": "103" }, END_STREAM)],
      want: ["abort 1 interim response ends the stream"],
    },
    { what: "DATA before the head", method: "GET", send: [data(1, 3)], want: ["abort 1 DATA before the head"] },
    {
      what: "a body longer than announced",
      method: "GET",
      send: [headers(1, { ":status": "200", "content-length": "2" }), data(1, 3)],
      want: ["head 200", "abort 1 body does not have the length it announced"],
    },
    {
      what: "a missing body",
      method: "GET",
      send: [headers(1, { ":status": "200", "content-length": "2" }, END_STREAM)],
      want: ["abort 1 announced body is missing"],
    },
    {
      what: "no status",
      method: "GET",
      send: [headers(1, { x: "y" }, END_STREAM)],
      want: ["abort 1 malformed header section"],
    },
  ]
) {
  test(`a client reads ${what}`, async () => {
    const pair = await client();
    const { recorder } = open(pair, requestHead(method), true);
    pair.peer.send(...send);
    expect(recorder.events).toEqual(want);
  });
}

test("extended CONNECT: DATA is not bound by a length, in either direction", async () => {
  const { peer, owner } = await server();
  peer.send(request(1, { ":method": "CONNECT", ":protocol": "echo", "content-length": "2" }, 0), data(1, 5));
  expect(owner.of(0)).toEqual(["head CONNECT", "data 5"]);
  expect(owner.recorders[0]?.head?.protocol).toBe("echo");
});

test("canOpen follows the server's SETTINGS_MAX_CONCURRENT_STREAMS, and onReady tells when there is room again", async () => {
  const pair = await client({ 3: 1 });
  open(pair, requestHead("GET"), true);
  expect(pair.connection.canOpen).toBe(false);
  const before = pair.owner.events.length;
  pair.peer.send(settings({ 3: 2 }));
  expect(pair.connection.canOpen).toBe(true);
  expect(pair.owner.events.slice(before)).toEqual(["ready"]);
  pair.peer.send(headers(1, { ":status": "204" }, END_STREAM));
  expect(pair.owner.events.at(-1)).toBe("idle");
});

test("the smallest table size of several SETTINGS is announced before the last one (RFC 7541 §4.2)", async () => {
  const { peer, owner } = await server();
  owner.serve = answer;
  peer.send(settings({ 1: 0 }), settings({ 1: 4096 }), request(1));
  const head = (await peer.frames()).find((f) => f.type === "HEADERS");
  expect([...(head?.payload.subarray(0, 4) ?? [])]).toEqual([0x20, 0x3f, 0xe1, 0x1f]);
});
