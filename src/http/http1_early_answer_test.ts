/** Answers that are complete before their request is (RFC 9112 §9.3, §9.6): what becomes of the connection. */
import { expect, test } from "bun:test";
import { response } from "../../tests/support/legs.ts";
import { serve, type ServerSide } from "./http1_fixture.ts";
import { MAX_DISCARDED_BYTES } from "./limits.ts";

const NEXT = "GET /next HTTP/1.1\r\nhost: a\r\n\r\n";

function answer({ connection }: ServerSide): void {
  connection.sendHead(response(200, ["content-length", "2"]), false, "");
  connection.sendData(Buffer.from("ok"), 0, 2, true);
  connection.abort(0); // the upstream wants no more of the request
}

for (
  const { framing, field, first, rest } of [
    { framing: "length", field: "content-length: 10", first: "01234", rest: "56789" },
    {
      framing: "chunks",
      field: "transfer-encoding: chunked",
      first: "5\r\n01234",
      rest: "\r\n1\r\n5\r\n0\r\nx: y\r\n\r\n",
    },
  ]
) {
  test(`a success before the end of a request by ${framing}: the rest is read past, the next request is served`, async () => {
    const side = serve(false);
    side.socket.deliver(`POST / HTTP/1.1\r\nhost: a\r\n${field}\r\n\r\n${first}`);
    answer(side);
    expect(await side.received()).toBe("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok");
    expect([side.socket.shut, side.socket.paused]).toEqual([false, false]);
    side.socket.deliver(rest + NEXT);
    expect(side.owner.requests.map(({ block }) => block.path)).toEqual(["/", "/next"]);
    expect(side.owner.of(0).filter((event) => event.includes("56789"))).toEqual([]);
    side.connection.onTimer(0);
    expect(side.socket.closed).toBe(false);
  });
}

test("a rest that does not come in time ends the connection in order", async () => {
  const side = serve(false);
  side.socket.deliver("POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 10\r\n\r\n");
  answer(side);
  await side.received();
  side.connection.onTimer(0);
  expect([side.socket.shut, side.socket.closed, side.socket.terminated]).toEqual([true, false, false]);
  side.connection.onTimer(0);
  expect(side.socket.closed).toBe(true);
});

for (
  const { what, fields } of [
    { what: "more than is read past", fields: `content-length: ${MAX_DISCARDED_BYTES + 1}\r\n` },
    { what: "a body that may never come", fields: "content-length: 10\r\nexpect: 100-continue\r\n" },
  ]
) {
  test(`a success before the end of a request with ${what} says that the connection closes`, async () => {
    const side = serve(false);
    side.socket.deliver(`POST / HTTP/1.1\r\nhost: a\r\n${fields}\r\n`);
    answer(side);
    expect(await side.received()).toBe("HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\nok");
    expect(side.socket.shut).toBe(true);
  });
}
