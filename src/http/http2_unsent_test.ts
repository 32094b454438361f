// What the end of a connection says of the requests on it.
import { expect, test } from "bun:test";
import { FakeSocket, turn } from "../../tests/support/fake_socket.ts";
import { H2Peer } from "../../tests/support/h2_peer.ts";
import { requestHead } from "../../tests/support/legs.ts";
import { client, open, RecordingOwner } from "./http2_connection_fixture.ts";
import { Http2Connection } from "./http2_connection.ts";

test("a server that closes before its SETTINGS has not begun: streams are unprocessed; later nobody knows", async () => {
  const socket = new FakeSocket();
  const owner = new RecordingOwner(true);
  const connection = new Http2Connection(socket.raw, false, false, owner);
  const early = open({ socket, owner, connection, peer: new H2Peer(socket, true) }, requestHead("POST"), false);
  connection.onClose(new Error("ECONNRESET"));
  expect(early.recorder.events).toEqual(["abort 7 unprocessed ECONNRESET"]);
  const pair = await client();
  const late = open(pair, requestHead("POST"), false);
  await turn();
  pair.connection.onClose(new Error("ECONNRESET"));
  expect(late.recorder.events).toEqual(["abort 2 ECONNRESET"]);
});

test("streams of which no byte was sent are unprocessed when the connection ends, those before them may be", async () => {
  for (
    const { what, end, isSent } of [
      { what: "reset in the turn of the request", end: (s: FakeSocket) => s.reset(), isSent: false },
      { what: "FIN in the turn of the request", end: (s: FakeSocket) => s.fin(), isSent: false },
      { what: "a write that fails", end: (s: FakeSocket) => void (s.write = () => -1), isSent: false },
      // TLS may have sent a part of it.
      { what: "a short write", end: (s: FakeSocket) => void (s.room = 0), isSent: true },
    ]
  ) {
    const pair = await client();
    const before = open(pair, requestHead("POST"), true);
    await turn();
    const after = open(pair, requestHead("POST"), true);
    end(pair.socket);
    await turn();
    pair.socket.reset();
    expect(before.recorder.events, what).toEqual([expect.stringMatching(/^abort 2 /)]);
    expect(after.recorder.events, what).toEqual([
      expect.stringMatching(isSent ? /^abort 2 / : /^abort 7 unprocessed /),
    ]);
  }
});

test("of a write of several TLS records that fails nobody knows what was sent", async () => {
  const pair = await client();
  const all = Array.from({ length: 3 }, (_, at) => open(pair, requestHead("POST", `/${at}${"x".repeat(8000)}`), true));
  pair.socket.write = () => -1;
  await turn();
  for (const { recorder } of all) expect(recorder.events).toEqual([expect.stringMatching(/^abort 2 /)]);
});
