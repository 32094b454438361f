import { expect, test } from "bun:test";
import { brief, data, END_STREAM, goawayCode, headers, request } from "../../tests/support/h2_peer.ts";
import { server } from "./http2_connection_fixture.ts";

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
