import { expect, test } from "bun:test";
import fc from "fast-check";
import { type FakeSocket, turn } from "../../tests/support/fake_socket.ts";
import { connectHead, requestHead, trailers } from "../../tests/support/legs.ts";
import { connect, start } from "./http1_fixture.ts";
import { HTTP1_PAUSE_BYTES } from "./limits.ts";

const UPGRADE = { minorVersion: 1, upgrade: "echo" } as const;

test("Http1Client sends a request and can be used again after its response", async () => {
  const side = connect();
  const first = start(side);
  side.connection.sendHead(requestHead("GET", "/a"), true, "");
  expect(await side.received()).toBe("GET /a HTTP/1.1\r\nhost: web\r\n\r\n");
  side.socket.deliver("HTTP/1.1 200 Fine\r\ncontent-length: 3\r\n\r\nabc");
  expect(first.events).toEqual(["head 200", "data 3", "fin"]);
  expect(side.connection.reason).toBe("Fine");
  expect(side.owner.events).toEqual(["reusable"]);
  const second = start(side);
  side.connection.sendHead(requestHead("GET", "/b"), true, "");
  side.socket.deliver("HTTP/1.1 204 No Content\r\n\r\n");
  expect(second.events).toEqual(["head 204 end"]);
  expect(first.events).toHaveLength(3);
});

for (
  const { what, method, bytes, want, end } of [
    {
      what: "chunks with trailers",
      method: "GET",
      bytes: "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nx: y\r\n\r\n",
      want: ["head 200", "data 3", "trailers x=y"],
      end: "reusable",
    },
    {
      what: "an empty chunked body",
      method: "GET",
      bytes: "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
      want: ["head 200", "fin"],
      end: "reusable",
    },
    {
      what: "a HEAD response with a length",
      method: "HEAD",
      bytes: "HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n",
      want: ["head 200 end"],
      end: "reusable",
    },
    {
      what: "a 304 with a length",
      method: "GET",
      bytes: "HTTP/1.1 304 Not Modified\r\ncontent-length: 9\r\n\r\n",
      want: ["head 304 end"],
      end: "reusable",
    },
    {
      what: "interim responses",
      method: "GET",
      bytes: "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\nHTTP/1.1 204 No Content\r\n\r\n",
      want: ["interim 100", "interim 103", "head 204 end"],
      end: "reusable",
    },
    {
      what: "Connection: close",
      method: "GET",
      bytes: "HTTP/1.1 200 OK\r\ncontent-length: 1\r\nconnection: close\r\n\r\na",
      want: ["head 200", "data 1", "fin"],
      end: "closed",
    },
    {
      what: "bytes behind the response",
      method: "GET",
      bytes: "HTTP/1.1 200 OK\r\ncontent-length: 1\r\n\r\naHTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n",
      want: ["head 200", "data 1", "fin"],
      end: "closed",
    },
    {
      what: "bytes behind an empty response",
      method: "GET",
      bytes: "HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\nx",
      want: ["head 200 end"],
      end: "closed",
    },
    {
      what: "bytes behind chunks",
      method: "GET",
      bytes: "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\nx",
      want: ["head 200", "fin"],
      end: "closed",
    },
    {
      what: "HTTP/1.0",
      method: "GET",
      bytes: "HTTP/1.0 200 OK\r\ncontent-length: 1\r\n\r\na",
      want: ["head 200", "data 1", "fin"],
      end: "closed",
    },
  ]
) {
  test(`Http1Client reads ${what}, in one piece and byte by byte`, async () => {
    for (const step of [bytes.length, 1]) {
      const side = connect();
      const recorder = start(side);
      side.connection.sendHead(requestHead(method), true, "");
      for (let at = 0; at < bytes.length; at += step) side.socket.deliver(bytes.slice(at, at + step));
      if (what.startsWith("bytes behind") && step === 1) {
        // The connection was idle when the first of them came.
        expect(side.owner.events).toEqual(["reusable", "closed"]);
      } else expect(side.owner.events).toEqual([end]);
      expect(recorder.events).toEqual(want);
      await turn();
      expect(side.socket.closed).toBe(side.owner.events.includes("closed"));
    }
  });
}

test("a body until close ends with FIN, and is aborted by a reset", () => {
  for (const [how, last] of [["fin", "fin"], ["reset", "abort 2 ECONNRESET"]] as const) {
    const side = connect();
    const recorder = start(side);
    side.connection.sendHead(requestHead("GET"), true, "");
    side.socket.deliver("HTTP/1.1 200 OK\r\n\r\nabc");
    side.socket[how]();
    expect(recorder.events).toEqual(["head 200", "data 3", last]);
    expect(side.owner.events).toEqual(["closed"]);
  }
});

for (
  const { what, bytes } of [
    { what: "a length", bytes: "HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nabc" },
    { what: "chunks", bytes: "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n9\r\nabc" },
    {
      what: "a last chunk that lacks its end",
      bytes: "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n",
    },
  ]
) {
  test(`a server that closes in the middle of a body with ${what} aborts the response`, () => {
    const side = connect();
    const recorder = start(side);
    side.connection.sendHead(requestHead("GET"), true, "");
    side.socket.deliver(bytes);
    side.socket.fin();
    expect(recorder.events).toEqual(["head 200", "data 3", "abort 2 server closed the connection"]);
    expect(side.owner.events).toEqual(["closed"]);
    expect(side.socket.closed).toBe(true);
  });
}

for (
  const { what, bytes } of [
    { what: "a malformed head", bytes: "HTTP/1.1 2xx OK\r\n\r\n" },
    { what: "malformed chunks", bytes: "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n" },
    { what: "101 that nobody asked for", bytes: "HTTP/1.1 101 Switching Protocols\r\n\r\n" },
    { what: "an oversized head", bytes: `HTTP/1.1 200 OK\r\nx: ${"y".repeat(70_000)}` },
  ]
) {
  test(`Http1Client gives up on ${what}`, () => {
    const side = connect();
    const recorder = start(side);
    side.connection.sendHead(requestHead("GET"), true, "");
    side.socket.deliver(bytes);
    expect(recorder.events.at(-1)).toStartWith("abort 1 ");
    expect(side.owner.events).toEqual(["closed"]);
    expect(side.socket.terminated).toBe(true);
  });
}

test("a reused connection that closes without a byte of answer did not process the request; a new one may have", async () => {
  for (const reused of [false, true]) {
    const side = connect();
    if (reused) await used(side);
    const recorder = start(side);
    side.connection.sendHead(requestHead("GET"), true, "");
    await side.received();
    side.socket.fin();
    expect(recorder.events).toEqual([`abort 2${reused ? " unprocessed" : ""} server closed the connection`]);
  }
});

test("a connection that ends before it took a byte of the request certainly did not process it", async () => {
  const nothing = "server closed the connection: nothing was sent";
  for (const reused of [false, true]) {
    for (
      const { end, detail } of [
        { end: (socket: FakeSocket) => socket.fin(), detail: nothing },
        { end: (socket: FakeSocket) => socket.reset(), detail: "ECONNRESET: nothing was sent" },
        // The kernel has a reset that the event loop does not know of: the write tells.
        { end: (socket: FakeSocket) => void (socket.write = () => -1), detail: nothing },
      ]
    ) {
      const side = connect();
      if (reused) await used(side);
      const recorder = start(side);
      side.connection.sendHead(requestHead("POST"), true, "");
      end(side.socket);
      await turn();
      expect(recorder.events).toEqual([`abort 7 unprocessed ${detail}`]);
    }
  }
});

test("a connection that took a part of the request may have processed it", async () => {
  const side = connect();
  side.socket.room = 5;
  const recorder = start(side);
  side.connection.sendHead(requestHead("POST"), true, "");
  await turn();
  side.socket.reset();
  expect(recorder.events).toEqual(["abort 2 ECONNRESET"]);
});

/** Has a request served. */
async function used(side: ReturnType<typeof connect>): Promise<void> {
  start(side);
  side.connection.sendHead(requestHead("GET"), true, "");
  await side.received();
  side.socket.deliver("HTTP/1.1 204 No Content\r\n\r\n");
}

test("a reused connection that closes in the middle of a head may have processed the request", async () => {
  const side = connect();
  await used(side);
  const recorder = start(side);
  side.connection.sendHead(requestHead("GET"), true, "");
  await side.received();
  side.socket.deliver("HTTP/1.1 2");
  side.socket.fin();
  expect(recorder.events).toEqual(["abort 2 server closed the connection"]);
});

test("an idle connection that is closed, or says something unasked, leaves its pool", () => {
  for (
    const how of [
      (s: ReturnType<typeof connect>) => s.socket.fin(),
      (s: ReturnType<typeof connect>) => s.socket.deliver("HTTP/1.1 408 x\r\n\r\n"),
    ]
  ) {
    const side = connect();
    start(side);
    side.connection.sendHead(requestHead("GET"), true, "");
    side.socket.deliver("HTTP/1.1 204 No Content\r\n\r\n");
    how(side);
    expect(side.owner.events).toEqual(["reusable", "closed"]);
    expect(side.socket.closed).toBe(true);
    expect(side.connection.isIdle).toBe(false);
  }
});

test("Http1Client sends bodies by their length, in chunks, and with trailers", async () => {
  const counted = connect();
  start(counted);
  counted.connection.sendHead(requestHead("POST", "/", ["content-length", "3"]), false, "");
  counted.connection.sendData(Buffer.from("abc"), 0, 3, true);
  expect(await counted.received()).toBe("POST / HTTP/1.1\r\nhost: web\r\ncontent-length: 3\r\n\r\nabc");
  const chunked = connect();
  start(chunked);
  chunked.connection.sendHead(requestHead("POST"), false, "");
  chunked.connection.sendData(Buffer.from("abc"), 0, 3, false);
  chunked.connection.sendTrailers(trailers(["x-sum", "1"]));
  expect(await chunked.received()).toBe(
    "POST / HTTP/1.1\r\nhost: web\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nx-sum: 1\r\n\r\n",
  );
  const empty = connect();
  start(empty);
  empty.connection.sendHead(requestHead("POST"), true, "");
  expect(await empty.received()).toBe("POST / HTTP/1.1\r\nhost: web\r\ncontent-length: 0\r\n\r\n");
});

for (const [what, bytes] of [["shorter", 3], ["longer", 5]] as const) {
  test(`Http1Client resets when the body is ${what} than the head announced: the rest could be another request`, async () => {
    const side = connect();
    const recorder = start(side);
    side.connection.sendHead(requestHead("POST", "/", ["content-length", "4"]), false, "");
    side.connection.sendData(Buffer.alloc(bytes, 0x61), 0, bytes, true);
    expect(await side.received()).not.toContain("aaaaa");
    expect(side.socket.terminated).toBe(true);
    expect(recorder.events).toEqual([`abort 1 the request's body is ${what} than it announced`]);
    expect(side.owner.events).toEqual(["closed"]);
  });
}

test("nothing behind the head of an upgrade is sent before the server has agreed", async () => {
  // A server that ignores the upgrade would read it as a request of its own.
  const side = connect();
  const recorder = start(side, UPGRADE);
  side.connection.sendHead(requestHead("GET"), false, "");
  const smuggled = Buffer.from("GET /admin HTTP/1.1\r\nhost: web\r\n\r\n");
  side.connection.sendData(smuggled, 0, smuggled.length, false);
  expect(await side.received()).not.toContain("admin");
  expect(side.socket.terminated).toBe(true);
  expect(recorder.aborted).toBe(true);
});

test("a request that HTTP/1.1 cannot say is refused, and the connection serves others", async () => {
  const side = connect();
  const recorder = start(side);
  side.connection.sendHead(connectHead("websocket"), false, "");
  expect(recorder.events[0]).toStartWith("abort 1 unprocessed");
  expect(side.owner.events).toEqual(["reusable"]);
  const next = start(side);
  side.connection.sendHead(requestHead("GET"), true, "");
  expect(await side.received()).toBe("GET / HTTP/1.1\r\nhost: web\r\n\r\n");
  side.socket.deliver("HTTP/1.1 204 No Content\r\n\r\n");
  expect(next.events).toEqual(["head 204 end"]);
});

test("a response before the request was sent to its end makes the connection useless afterwards", () => {
  const side = connect();
  const recorder = start(side);
  side.connection.sendHead(requestHead("POST", "/", ["content-length", "10"]), false, "");
  side.socket.deliver("HTTP/1.1 413 Too Large\r\ncontent-length: 0\r\n\r\n");
  expect(recorder.events).toEqual(["head 413 end"]);
  expect(side.owner.events).toEqual([]);
  side.connection.abort(0);
  expect(side.owner.events).toEqual(["closed"]);
  expect(side.socket.closed).toBe(true);
});

test("detach() hands over the bytes that came right behind the 101", async () => {
  const side = connect();
  const recorder = start(side, UPGRADE);
  side.connection.sendHead(requestHead("GET"), false, "");
  expect(await side.received()).toBe("GET / HTTP/1.1\r\nhost: web\r\nconnection: upgrade\r\nupgrade: echo\r\n\r\n");
  let leg = null;
  recorder.onHead = () => {
    leg = side.connection.detach();
    side.connection.drainHeld(leg);
  };
  for (const c of "HTTP/1.1 101 Switching Protocols\r\nupgrade: echo\r\nconnection: upgrade\r\n\r\nhel") {
    side.socket.deliver(c);
  }
  side.socket.deliver("lo");
  expect(leg).not.toBeNull();
  expect(recorder.body.toString()).toBe("hello");
  expect(side.owner.events).toEqual(["closed"]); // it has left its pool
});

test("bytes behind the 101 in the same read reach the tunnel once", () => {
  const side = connect();
  const recorder = start(side, UPGRADE);
  side.connection.sendHead(requestHead("GET"), false, "");
  recorder.onHead = () => side.connection.drainHeld(side.connection.detach());
  side.socket.deliver("HTTP/1.1 101 Sw");
  side.socket.deliver("itching Protocols\r\nupgrade: echo\r\nconnection: upgrade\r\n\r\nhello");
  expect(recorder.body.toString()).toBe("hello");
});

test("reading pauses while the body is not forwarded", async () => {
  const side = connect();
  const recorder = start(side);
  recorder.onConsumed(side.connection, 0);
  side.connection.sendHead(requestHead("GET"), true, "");
  const silent = new (class {
    bytes = 0;
    onHead() {}
    onInterim() {}
    onData(_leg: unknown, _buffer: Uint8Array, from: number, to: number) {
      this.bytes += to - from;
    }
    onTrailers() {}
    onAbort() {}
    onConsumed() {}
  })();
  side.connection.listener = silent;
  side.socket.deliver("HTTP/1.1 200 OK\r\n\r\n");
  for (let i = 0; i < 100; i++) side.socket.deliver(Buffer.alloc(65_536));
  expect(silent.bytes).toBeLessThanOrEqual(HTTP1_PAUSE_BYTES + 65_536);
  const before = silent.bytes;
  side.connection.consumed(before);
  await turn();
  expect(silent.bytes).toBeGreaterThan(before);
});

test("any chop of the bytes gives the same response (property)", () => {
  const text = "HTTP/1.1 103 Early Hints\r\nlink: </x>\r\n\r\nHTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n" +
    "3\r\nabc\r\n10;x=y\r\n0123456789abcdef\r\n0\r\nx: y\r\n\r\n";
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 1, max: 60 }), { minLength: 1, maxLength: 60 }), (sizes) => {
      const side = connect();
      const recorder = start(side);
      side.connection.sendHead(requestHead("GET"), true, "");
      let at = 0;
      for (const size of sizes) if (at < text.length) side.socket.deliver(text.slice(at, at += size));
      if (at < text.length) side.socket.deliver(text.slice(at));
      expect(recorder.events).toEqual(["interim 103", "head 200", "data 19", "trailers x=y"]);
      expect(side.owner.events).toEqual(["reusable"]);
    }),
    { numRuns: 200 },
  );
});

test("any bytes from a server end in a response or an abort, never in an exception (property)", () => {
  const piece = fc.oneof(
    fc.constantFrom(
      "HTTP/1.1 200 OK\r\n",
      "HTTP/1.1 100 \r\n\r\n",
      "\r\n",
      "content-length: 3\r\n",
      "transfer-encoding: chunked\r\n",
      "3\r\nabc\r\n",
      "0\r\n\r\n",
      "abc",
    ),
    fc.string({ maxLength: 10 }),
  );
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 20 }), fc.boolean(), (pieces, fin) => {
      const side = connect();
      const recorder = start(side);
      side.connection.sendHead(requestHead("GET"), true, "");
      for (const text of pieces) side.socket.deliver(text);
      if (fin) side.socket.fin();
      else side.socket.reset();
      expect(recorder.events.filter((e) => e.includes("AFTER") || e.includes("TWICE"))).toEqual([]);
      expect(recorder.ended !== recorder.aborted).toBe(true);
      expect(side.owner.events.filter((e) => e === "closed")).toHaveLength(1);
    }),
    { numRuns: 500 },
  );
});
