import { expect, test } from "bun:test";
import { turn } from "../../tests/support/fake_socket.ts";
import { response } from "../../tests/support/legs.ts";
import { serve } from "./http1_fixture.ts";

const GET = "GET / HTTP/1.1\r\nhost: web\r\n\r\n";

test("a client that sends FIN and gets nothing for a while is taken for gone, and its request is given up", () => {
  const { socket, connection, owner } = serve();
  socket.deliver(GET);
  socket.fin();
  expect(socket.closed).toBe(false);
  connection.onTimer(0);
  expect(owner.of(0).at(-1)).toContain("abort");
  expect(socket.closed).toBe(true);
});

test("a client that half-closed and is being answered is not given up", async () => {
  const { socket, connection, owner } = serve();
  socket.deliver(GET);
  socket.fin();
  connection.sendHead(response(200, ["content-length", "2"]), false, "");
  await turn();
  connection.onTimer(0);
  expect(owner.of(0)).toEqual(["head GET end"]);
  expect(socket.closed).toBe(false);
});
