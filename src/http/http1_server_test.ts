import { expect, test } from "bun:test";
import fc from "fast-check";
import { turn } from "../../tests/support/fake_socket.ts";
import { response, trailers } from "../../tests/support/legs.ts";
import { serve, type ServerSide } from "./http1_fixture.ts";
import type { Http1Server } from "./http1_server.ts";
import { HTTP1_PAUSE_BYTES } from "./limits.ts";

const GET = "GET / HTTP/1.1\r\nhost: web\r\n\r\n";
const OK = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";

/** Answers with 200 and "ok". */
function ok(connection: Http1Server): void {
  connection.sendHead(response(200, ["content-length", "2"]), false, "");
  connection.sendData(Buffer.from("ok"), 0, 2, true);
}

function server(answer: ((connection: Http1Server) => void) | null = ok, consumes = true): ServerSide {
  const side = serve(consumes);
  if (answer !== null) side.owner.serve = answer;
  return side;
}

test("Http1Server serves one request after another on a connection", async () => {
  const { socket, owner, received } = server();
  socket.deliver(GET);
  expect(await received()).toBe(OK);
  socket.deliver("POST /x HTTP/1.1\r\nhost: web\r\ncontent-length: 3\r\n\r\nabc");
  expect(await received()).toBe("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok");
  expect(owner.of(1)).toEqual(["head POST"]); // answered at once: nobody listens to the body
  expect(owner.events).toEqual([]);
});

test("Http1Server answers pipelined requests in order", async () => {
  const { socket, owner, connection, received } = server(null);
  socket.deliver("GET /1 HTTP/1.1\r\nhost: a\r\n\r\nGET /2 HTTP/1.1\r\nhost: a\r\n\r\nGET /3 HTTP/1.1\r\nho");
  for (const n of [1, 2]) {
    expect(owner.requests.map((r) => r.block.path)).toHaveLength(n);
    ok(connection);
  }
  expect(await received()).toBe(OK + OK);
  socket.deliver("st: a\r\n\r\n");
  await turn();
  expect(owner.requests.map((r) => r.block.path)).toEqual(["/1", "/2", "/3"]);
});

test("Http1Server takes many pipelined requests in linear time", async () => {
  const { socket, owner } = server(null);
  owner.serve = (connection) => setImmediate(() => ok(connection)); // one at a time
  socket.deliver("GET / HTTP/1.1\r\nhost: a\r\n\r\n".repeat(30_000)); // 780 kB: copying the rest each time is 11 GB
  const deadline = Date.now() + 10_000;
  while (owner.requests.length < 30_000 && Date.now() < deadline) await turn();
  expect(owner.requests.length).toBe(30_000);
});

test("Http1Server reads no further requests while the client does not read its responses", async () => {
  const { socket, owner, connection } = server();
  socket.room = 1000;
  for (let i = 0; i < 200; i++) {
    socket.deliver(GET.repeat(1000));
    await turn();
  }
  expect(connection.outbox.pending).toBeLessThan(300_000);
  expect(socket.paused).toBe(true);
  const before = owner.requests.length;
  socket.drain(Infinity);
  for (let i = 0; i < 400; i++) await turn();
  expect(owner.requests.length).toBe(200_000);
  expect(before).toBeLessThan(50_000);
});

for (const bytes of [1, 2, 3, 7]) {
  test(`Http1Server takes requests in pieces of ${bytes} bytes, empty lines before them included`, async () => {
    const { socket, owner, received } = server(null);
    owner.serve = (connection) => {
      const recorder = owner.recorders.at(-1);
      if (recorder?.ended === true) ok(connection);
    };
    const text = "\r\n\r\nGET /a HTTP/1.1\r\nhost: a\r\n\r\n\r\nGET /b HTTP/1.1\r\nhost: a\r\n\r\n";
    for (let at = 0; at < text.length; at += bytes) {
      socket.deliver(text.slice(at, at + bytes));
      await turn();
    }
    expect(await received()).toBe(OK + OK);
    expect(owner.events).toEqual([]);
  });
}

test("a head that is sent byte by byte costs linear time", () => {
  const { socket } = server(null);
  const before = process.cpuUsage(); // what others do on the machine does not count
  socket.deliver("GET / HTTP/1.1\r\nhost: a\r\nx: ");
  for (let i = 0; i < 60_000; i++) socket.deliver("y");
  socket.deliver("\r\n\r\n");
  const { user, system } = process.cpuUsage(before);
  expect((user + system) / 1000).toBeLessThan(1000); // 0.1 s; 2 s where it is walked again each time, 1.8·10⁹ steps
});

test("Http1Server reads chunked bodies with trailers, and keeps the connection", async () => {
  const { socket, owner, connection, received } = server(null);
  socket.deliver(
    "POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n2;x=y\r\nde\r\n0\r\nx-sum: 1\r\n\r\n" +
      GET,
  );
  expect(owner.of(0)).toEqual(["head POST", "data 5", "trailers x-sum=1"]);
  ok(connection);
  expect(owner.requests).toHaveLength(2);
  expect(await received()).toBe(OK);
});

test("Http1Server sends bodies of unknown length in chunks, with trailers", async () => {
  const { socket, connection, received } = server(null);
  socket.deliver(GET);
  connection.sendHead(response(200), false, "Fine");
  connection.sendData(Buffer.from("abc"), 0, 3, false);
  connection.sendTrailers(trailers(["x-sum", "1"]));
  expect(await received()).toBe(
    "HTTP/1.1 200 Fine\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nx-sum: 1\r\n\r\n",
  );
});

test("Http1Server sends bodies of unknown length to HTTP/1.0 until it closes", async () => {
  const { socket, connection, owner, received } = server(null);
  socket.deliver("GET / HTTP/1.0\r\nconnection: keep-alive\r\n\r\n");
  connection.sendHead(response(200), false, "");
  connection.sendData(Buffer.from("abc"), 0, 3, true);
  expect(await received()).toBe("HTTP/1.0 200 OK\r\nconnection: close\r\n\r\nabc");
  expect(socket.closed && !socket.terminated).toBe(true);
  expect(owner.events).toEqual(["closed"]);
});

test("Http1Server keeps an HTTP/1.0 connection that asked for it when the length is known", async () => {
  const { socket, received } = server();
  socket.deliver("GET / HTTP/1.0\r\nconnection: keep-alive\r\n\r\n");
  expect(await received()).toBe("HTTP/1.0 200 OK\r\ncontent-length: 2\r\nconnection: keep-alive\r\n\r\nok");
  expect(socket.closed).toBe(false);
});

for (
  const { what, method, head, body, want } of [
    {
      what: "a HEAD response",
      method: "HEAD",
      head: response(200, ["content-length", "5"]),
      body: 0,
      want: "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\n",
    },
    {
      what: "a HEAD response of unknown length",
      method: "HEAD",
      head: response(200),
      body: 5,
      want: "HTTP/1.1 200 OK\r\n\r\n",
    },
    { what: "a 204", method: "GET", head: response(204), body: 0, want: "HTTP/1.1 204 No Content\r\n\r\n" },
    {
      what: "a 304 with a length",
      method: "GET",
      head: response(304, ["content-length", "9"]),
      body: 0,
      want: "HTTP/1.1 304 Not Modified\r\ncontent-length: 9\r\n\r\n",
    },
    {
      what: "a 204 that has a body all the same",
      method: "GET",
      head: response(204),
      body: 5,
      want: "HTTP/1.1 204 No Content\r\n\r\n",
    },
  ]
) {
  test(`Http1Server sends no body with ${what}`, async () => {
    const { socket, connection, received } = server(null);
    socket.deliver(`${method} / HTTP/1.1\r\nhost: a\r\n\r\n`);
    connection.sendHead(head, body === 0, "");
    if (body > 0) connection.sendData(Buffer.alloc(body), 0, body, true);
    expect(await received()).toBe(want);
    expect(socket.closed).toBe(false);
  });
}

for (const [what, bytes] of [["shorter", 3], ["longer", 5]] as const) {
  test(`Http1Server resets when the body is ${what} than the head announced`, async () => {
    const { socket, connection, owner, received } = server(null);
    socket.deliver(GET);
    connection.sendHead(response(200, ["content-length", "4"]), false, "");
    connection.sendData(Buffer.alloc(bytes, 0x61), 0, bytes, true);
    expect(await received()).not.toContain("aaaaa");
    expect(socket.terminated).toBe(true);
    expect(owner.of(0).at(-1)).toContain(`body is ${what} than it announced`);
    expect(owner.events).toEqual(["closed"]);
  });
}

test("Http1Server passes interim responses on, except to HTTP/1.0", async () => {
  for (const [version, want] of [["1.1", "HTTP/1.1 103 Early Hints\r\nlink: </x>\r\n\r\n"], ["1.0", ""]]) {
    const { socket, connection, received } = server(null);
    socket.deliver(`GET / HTTP/${version}\r\nhost: a\r\n\r\n`);
    connection.sendInterim(response(103, ["link", "</x>"]));
    expect(await received()).toBe(want as string);
  }
});

test("abort() before the end of a response resets, so that it cannot look complete", async () => {
  const { socket, connection, owner } = server(null);
  socket.deliver(GET);
  connection.sendHead(response(200), false, "");
  connection.abort(2);
  expect(socket.terminated).toBe(true);
  expect(owner.events).toEqual(["closed"]);
});

test("an answer before the end of the request lets the answer arrive: FIN, and reading goes on for a while", async () => {
  const { socket, connection, owner, received } = server(null);
  socket.deliver("POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 1000000\r\n\r\nabc");
  connection.sendHead(response(413), true, "");
  connection.abort(0);
  expect(await received()).toBe(
    "HTTP/1.1 413 Content Too Large\r\ncontent-length: 0\r\nconnection: close\r\n\r\n",
  );
  expect([socket.shut, socket.closed]).toEqual([true, false]);
  socket.deliver(Buffer.alloc(100_000));
  expect(socket.paused).toBe(false);
  connection.onTimer(0);
  expect(socket.closed).toBe(true);
  expect(owner.events).toEqual(["closed"]);
});

test("an error with a body before the end of the request says that the connection closes", async () => {
  const { socket, connection, received } = server(null);
  socket.deliver("POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 1000\r\n\r\n");
  connection.sendHead(response(503, ["content-length", "2"]), false, "");
  connection.sendData(Buffer.from("no"), 0, 2, true);
  expect(await received()).toContain("connection: close\r\n\r\nno");
});

test("a client that half-closes after its request still gets the answer", async () => {
  const { socket, connection, received, owner } = server(null);
  socket.deliver(GET);
  socket.fin();
  expect(socket.closed).toBe(false);
  ok(connection);
  expect(await received()).toBe("HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\nok");
  expect(socket.closed && !socket.terminated).toBe(true);
  expect(owner.events).toEqual(["closed"]);
});

test("a client that half-closes after several requests gets all the answers", async () => {
  const { socket, connection, received } = server(null);
  socket.deliver(GET + GET);
  socket.fin();
  ok(connection);
  ok(connection);
  await turn();
  expect((await received()).match(/200 OK/g)).toHaveLength(2);
  await turn();
  expect(socket.closed).toBe(true);
});

test("a client that goes away in the middle of its body aborts the exchange", () => {
  for (const how of ["fin", "reset"] as const) {
    const { socket, owner } = server(null);
    socket.deliver("POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 10\r\n\r\nabc");
    socket[how]();
    expect(owner.of(0).at(-1)).toStartWith("abort 8");
    expect(owner.events).toEqual(["closed"]);
    expect(socket.closed).toBe(true);
  }
});

test("a client that resets while it waits aborts the exchange, also when a large body was read slowly before", async () => {
  const { socket, owner, connection } = server(null, false);
  const body = 2 * HTTP1_PAUSE_BYTES;
  socket.deliver(`POST / HTTP/1.1\r\nhost: a\r\ncontent-length: ${body}\r\n\r\n`);
  for (let sent = 0; sent < body; sent += 65_536) socket.deliver(Buffer.alloc(65_536));
  expect(socket.paused).toBe(true);
  connection.consumed(HTTP1_PAUSE_BYTES);
  await turn();
  connection.consumed(HTTP1_PAUSE_BYTES);
  await turn();
  expect(owner.of(0).at(-1)).toBe("fin");
  expect(socket.paused).toBe(false); // a paused socket would not tell that the client goes away
  socket.reset();
  expect(owner.of(0).at(-1)).toStartWith("abort 8");
});

test("reading pauses while the body is not forwarded, and the client is asked for no more than that", async () => {
  const { socket, owner, connection } = server(null, false);
  socket.deliver("POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 10000000\r\n\r\n");
  for (let i = 0; i < 100; i++) socket.deliver(Buffer.alloc(65_536));
  const held = owner.recorders[0]?.body.length ?? 0;
  expect(held).toBeLessThanOrEqual(HTTP1_PAUSE_BYTES + 65_536);
  connection.consumed(held);
  await turn();
  expect(owner.recorders[0]?.body.length).toBeGreaterThan(held);
});

test("sendData() asks for more only when the socket takes what it was given", async () => {
  const { socket, owner, connection } = server(null);
  socket.deliver(GET);
  socket.room = 10_000;
  connection.sendHead(response(200), false, "");
  for (let i = 0; i < 20; i++) connection.sendData(Buffer.alloc(32_768), 0, 32_768, false);
  const allowed = owner.recorders[0]?.consumed ?? 0;
  expect(allowed).toBeLessThan(20 * 32_768);
  socket.drain(Infinity);
  await turn();
  expect(owner.recorders[0]?.consumed).toBe(20 * 32_768);
});

test("a head that is not completed in time is answered with 408; an idle connection is just closed", async () => {
  const slow = server();
  slow.socket.deliver("GET / HTT");
  slow.connection.onTimer(0);
  expect(await slow.received()).toMatch(/^HTTP\/1.1 408 [^]*tulle-error-detail: head was not completed in time\r\n/);
  expect(slow.owner.events).toEqual(["bad 408"]);
  const idle = server();
  idle.connection.onTimer(0);
  expect(await idle.received()).toBe("");
  expect(idle.socket.closed).toBe(true);
});

test("a refused client that does not read the refusal is cut off", async () => {
  const { socket, connection, owner } = server();
  socket.room = 0;
  socket.deliver("nonsense\r\n\r\n");
  await turn();
  connection.onTimer(0);
  expect(socket.closed).toBe(true);
  expect(owner.events).toEqual(["bad 400", "closed"]);
});

for (
  const { what, bytes, status } of [
    { what: "an oversized head", bytes: `GET / HTTP/1.1\r\nhost: a\r\nx: ${"y".repeat(70_000)}`, status: 431 },
    { what: "an oversized target", bytes: `GET /${"y".repeat(70_000)}`, status: 414 },
    {
      what: "a length and chunks",
      bytes: "POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 1\r\ntransfer-encoding: chunked\r\n\r\n",
      status: 400,
    },
    { what: "no host", bytes: "GET / HTTP/1.1\r\n\r\n", status: 400 },
    { what: "HTTP/2 in HTTP/1's clothes", bytes: "GET / HTTP/2.0\r\nhost: a\r\n\r\n", status: 505 },
  ]
) {
  test(`Http1Server answers ${status} to ${what}, and reads nothing behind it`, async () => {
    const { socket, owner, received } = server();
    socket.deliver(bytes);
    socket.deliver(GET);
    expect(await received()).toStartWith(`HTTP/1.1 ${status} `);
    expect(owner.requests).toEqual([]);
    expect(socket.shut).toBe(true);
  });
}

test("malformed chunks are answered with 400 before a response began", async () => {
  const { socket, owner, received } = server(null);
  socket.deliver("POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n");
  expect(await received()).toStartWith("HTTP/1.1 400 ");
  expect(owner.of(0).at(-1)).toStartWith("abort 8");
});

test("malformed chunks behind the beginning of a response reset: a second response would be read as its body", async () => {
  const { socket, connection, owner, received } = server(null);
  socket.deliver("POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n");
  connection.sendHead(response(200), false, "");
  socket.deliver("zz\r\n");
  expect(await received()).not.toContain("400");
  expect(socket.terminated).toBe(true);
  expect(owner.events).toEqual(["closed", "bad 400"]);
});

test("detach() hands over what follows an upgrade, and the connection is closed when the tunnel is", async () => {
  const { socket, connection, owner, received } = server(null);
  socket.deliver("GET / HTTP/1.1\r\nhost: a\r\nconnection: upgrade\r\nupgrade: echo\r\n\r\nearly");
  connection.sendHead(response(101), false, "");
  (owner.recorders[0] as { ended: boolean }).ended = false; // what follows is the tunnel
  const leg = connection.detach();
  connection.drainHeld(leg);
  await turn();
  socket.deliver(" late");
  expect(await received()).toBe("HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: echo\r\n\r\n");
  expect(owner.of(0)).toEqual(["head GET end", "data 10"]);
  expect(owner.events).toEqual([]);
  socket.fin();
  leg.sendData(Buffer.from("bye"), 0, 3, true);
  expect(await received()).toBe("bye");
  expect(socket.closed).toBe(true);
  expect(owner.events).toEqual(["closed"]); // who waits for connections to end waits for this one too
});

test("an upgrade with a body passes the body on before the tunnel's bytes", async () => {
  const { socket, connection, owner } = server(null);
  socket.deliver(
    "POST /exec HTTP/1.1\r\nhost: a\r\nconnection: upgrade\r\nupgrade: tcp\r\ncontent-length: 4\r\n\r\nbodystdin",
  );
  expect(owner.of(0)).toEqual(["head POST", "data 4", "fin"]);
  connection.sendHead(response(101), false, "");
  (owner.recorders[0] as { ended: boolean }).ended = false; // what follows is the tunnel
  connection.drainHeld(connection.detach());
  expect(owner.recorders[0]?.body.toString()).toBe("bodystdin");
});

test("CONNECT gets its 2xx without framing, and the tunnel's bytes after it", async () => {
  const { socket, connection, owner, received } = server(null);
  socket.deliver("CONNECT db:5432 HTTP/1.1\r\nhost: db:5432\r\n\r\nhello");
  connection.sendHead(response(200), false, "");
  connection.drainHeld(connection.detach());
  expect(await received()).toBe("HTTP/1.1 200 OK\r\n\r\n");
  expect(owner.recorders[0]?.body.toString()).toBe("hello");
});

test("shutdown() closes an idle connection at once and a busy one after its response", async () => {
  const idle = server();
  idle.connection.shutdown();
  expect(idle.socket.closed).toBe(true);
  const busy = server(null);
  busy.socket.deliver(GET);
  busy.connection.shutdown();
  expect(busy.socket.closed).toBe(false);
  ok(busy.connection);
  expect(await busy.received()).toContain("connection: close");
  expect(busy.socket.closed).toBe(true);
  expect(busy.owner.events).toEqual(["closed"]);
});

test("a write that fails ends the connection once, and it stays ended", async () => {
  const { socket, connection, owner } = server(null);
  socket.deliver(GET);
  connection.sendHead(response(200, ["content-length", "20000"]), false, "");
  socket.shut = true; // from here on writes give -1
  connection.sendData(Buffer.alloc(20_000), 0, 20_000, true);
  await turn();
  expect(socket.closed).toBe(true);
  expect(owner.events).toEqual(["closed"]);
  expect(connection.isIdle).toBe(false);
});

test("any chop of the bytes gives the same requests (property)", async () => {
  const text = "\r\nPOST /a HTTP/1.1\r\nhost: a\r\ncontent-length: 5\r\n\r\nhello" +
    "POST /b HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nx: y\r\n\r\n" +
    "GET /c HTTP/1.1\r\nhost: a\r\n\r\n";
  await fc.assert(
    fc.asyncProperty(fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 1, maxLength: 60 }), async (sizes) => {
      const { socket, owner, received } = server(null);
      owner.serve = (connection, _request, recorder) => {
        const wait = () => recorder.ended ? ok(connection) : void setImmediate(wait);
        setImmediate(wait);
      };
      let at = 0;
      for (const size of sizes) socket.deliver(text.slice(at, at += size));
      socket.deliver(text.slice(at));
      for (let i = 0; i < 8; i++) await turn();
      expect(owner.recorders.map((r) => r.events.join(" "))).toEqual([
        "head POST data 5 fin",
        "head POST data 3 trailers x=y",
        "head GET end",
      ]);
      expect(await received()).toBe(OK + OK + OK);
    }),
    { numRuns: 60 },
  );
});

test("any bytes end in requests or in one refusal, never in an exception (property)", () => {
  const piece = fc.oneof(
    fc.constantFrom(
      "GET / HTTP/1.1\r\n",
      "host: a\r\n",
      "\r\n",
      "content-length: 3\r\n",
      "transfer-encoding: chunked\r\n",
      "3\r\nabc\r\n",
      "0\r\n\r\n",
      "\r",
      "\n",
      " ",
      ":",
    ),
    fc.string({ maxLength: 10 }),
  );
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 20 }), (pieces) => {
      const { socket, owner } = server();
      for (const text of pieces) socket.deliver(text);
      expect(owner.events.filter((e) => e.startsWith("bad")).length).toBeLessThanOrEqual(1);
      socket.reset();
      expect(owner.events.filter((e) => e === "closed").length).toBe(1);
    }),
    { numRuns: 500 },
  );
});

test("a HEAD that is refused in the middle of its body gets the head of the error alone (RFC 9110 §9.3.2)", async () => {
  const side = serve();
  side.socket.deliver("HEAD / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\nx");
  const received = await side.received();
  expect(received).toStartWith("HTTP/1.1 400 ");
  expect(received).toEndWith("\r\n\r\n");
});
