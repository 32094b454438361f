import { expect, test } from "bun:test";
import {
  brief,
  data,
  END_HEADERS,
  END_STREAM,
  type Fields,
  frame,
  goawayCode,
  headers,
  literals,
  request,
} from "../../tests/support/h2_peer.ts";
import { requestHead } from "../../tests/support/legs.ts";
import { client, open, server } from "./http2_connection_fixture.ts";
import { MAX_FRAME_BYTES, MAX_HEADER_BLOCK_BYTES, MAX_HEADER_LIST_BYTES } from "./limits.ts";

/** A header section in as many CONTINUATIONs as it needs. */
function longSection(id: number, fields: Fields, flags = END_STREAM): Buffer {
  const block = literals(Object.entries(fields));
  const frames: Buffer[] = [];
  for (let at = 0; at < block.length; at += MAX_FRAME_BYTES) {
    const isLast = at + MAX_FRAME_BYTES >= block.length ? END_HEADERS : 0;
    const [type, more] = at === 0 ? [1, flags] : [9, 0];
    frames.push(frame(type, more | isLast, id, block.subarray(at, at + MAX_FRAME_BYTES)));
  }
  return Buffer.concat(frames);
}

const GET = { ":method": "GET", ":scheme": "http", ":authority": "web.shop", ":path": "/" };

test.each([
  ["a missing body", request(1, { "content-length": "3" })],
  ["upper case in a name", request(1, { "X-Y": "z" })],
  ["a field of the connection", request(1, { connection: "close" })],
  ["another te than trailers", request(1, { te: "gzip, trailers" })],
  ["no path", headers(1, { ":method": "GET", ":scheme": "http" }, END_STREAM)],
  ["no path, and a body that follows", headers(1, { ":method": "POST", ":scheme": "http" })],
])("a request with %s is answered before it is reset, once, and the connection goes on", async (_what, bytes) => {
  const { peer, owner } = await server();
  peer.send(bytes);
  const frames = await peer.frames();
  expect(brief(frames)).toEqual(["HEADERS 1 END", "RST_STREAM 1:1"]);
  const answer = peer.section(frames[0] as never, "response");
  expect([answer.status, answer.get("tulle-error")]).toEqual([400, "bad_request"]);
  expect(answer.get("tulle-error-detail")).toContain("sent again it is refused again");
  expect([owner.badRequests, owner.refusals, owner.streams]).toEqual([[400], [], []]);
  peer.send(data(1, 5), headers(1, { x: "y" }, END_STREAM)); // still under way
  peer.send(request(3));
  expect(owner.of(0)).toEqual(["head GET end"]);
  expect(goawayCode(await peer.frames())).toBeNull();
});

test("malformed requests without an end are a flood", async () => {
  const { peer, owner } = await server();
  for (let id = 1; owner.refusals.length === 0 && id < 20_000; id += 2) peer.send(request(id, { te: "gzip" }));
  expect(owner.refusals).toEqual(["flood"]);
  expect(owner.badRequests.length).toBeLessThan(5_000);
});

test.each([
  ["many fields", Object.fromEntries(Array.from({ length: 300 }, (_, i) => [`x-${i}`, "y"]))],
  ["a field a little beyond the limit", { cookie: "c".repeat(MAX_HEADER_LIST_BYTES) }],
  ["a block as long as may be", { cookie: "c".repeat(MAX_HEADER_BLOCK_BYTES - 100) }],
])("a request with %s is answered 431, which names the limit; the connection goes on", async (_what, more) => {
  const { peer, owner } = await server();
  peer.send(longSection(1, { ...GET, ...more }));
  const frames = await peer.frames();
  expect(brief(frames)).toEqual(["HEADERS 1 END", "RST_STREAM 1:0"]);
  const answer = peer.section(frames[0] as never, "response");
  expect([answer.status, answer.get("tulle-error")]).toEqual([431, "bad_request"]);
  expect(answer.get("tulle-error-detail")).toContain(`${MAX_HEADER_LIST_BYTES} bytes`);
  peer.send(request(3));
  expect(owner.of(0)).toEqual(["head GET end"]);
});

test("a block beyond that ends the connection, and the client learns why", async () => {
  const { peer, owner } = await server();
  peer.send(longSection(1, { ...GET, cookie: "c".repeat(MAX_HEADER_BLOCK_BYTES) }));
  const goaway = (await peer.frames()).find(({ type }) => type === "GOAWAY");
  expect(goaway?.payload.readUInt32BE(4)).toBe(11);
  expect(goaway?.payload.subarray(8).toString()).toContain(`${MAX_HEADER_BLOCK_BYTES} bytes`);
  expect(owner.refusals).toEqual(["head_too_large"]);
});

test.each([
  ["head", [longSection(1, { ":status": "200", "x-y": "z".repeat(MAX_HEADER_LIST_BYTES) }, 0)]],
  ["trailers", [headers(1, { ":status": "200" }), longSection(1, { "x-y": "z".repeat(MAX_HEADER_LIST_BYTES) })]],
])("%s of a response beyond the limit: the request's side learns that it was size", async (_what, bytes) => {
  const pair = await client();
  const { recorder } = open(pair, requestHead("GET"), true);
  pair.peer.send(...bytes);
  expect(recorder.events.at(-1)).toStartWith("abort 2 ");
  expect(recorder.events.at(-1)).toContain(`${MAX_HEADER_LIST_BYTES} bytes`);
  expect(goawayCode(await pair.peer.frames())).toBeNull();
});
