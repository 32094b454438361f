// One real proxy between real HTTP/1.1 clients and servers, on loopback.
import { createHash, randomBytes } from "node:crypto";
import { createServer, type IncomingMessage, request, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { expect, test } from "bun:test";
import { waitingBudget } from "../../src/http/waiting_budget.ts";
import { eventually } from "../support/eventually.ts";
import { Hop } from "../support/hop.ts";
import { findProgram, run } from "../support/process.ts";
import { connectTcp, listenTcp } from "../support/tcp.ts";

const MB = 1024 * 1024;
const BLOCK = randomBytes(MB);
const HUNDRED_HASH = (() => {
  const hash = createHash("sha1");
  for (let i = 0; i < 100; i++) hash.update(BLOCK);
  return hash.digest("hex");
})();

class TestServer implements AsyncDisposable {
  readonly #server: Server;

  private constructor(server: Server) {
    this.#server = server;
  }

  static async start(serve: (req: IncomingMessage, res: ServerResponse) => void): Promise<TestServer> {
    const server = createServer(serve);
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    return new TestServer(server);
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise<void>((resolve) => void this.#server.close(() => resolve()));
  }
}

async function writeAll(res: { write(bytes: Uint8Array): boolean; once(event: "drain", done: () => void): unknown }) {
  for (let i = 0; i < 100; i++) {
    if (!res.write(BLOCK)) await new Promise<void>((resolve) => res.once("drain", resolve));
  }
}

/** Everything is over on the proxy. */
async function settled(hop: Hop): Promise<void> {
  await eventually(() => expect([hop.pending, waitingBudget.total]).toEqual([0, 0]), 5000);
}

test("100 MB come through unharmed in both directions, by length and in chunks", async () => {
  await using server = await TestServer.start((req, res) => {
    const hash = createHash("sha1");
    req.on("data", (bytes: Buffer) => void hash.update(bytes));
    req.on("end", () => {
      res.setHeader("x-hash", hash.digest("hex"));
      if (req.url === "/length") res.setHeader("content-length", 100 * MB);
      void writeAll(res).then(() => res.end());
    });
  });
  using hop = new Hop(server.port);
  for (const path of ["/length", "/chunks"]) {
    const got = await new Promise<[string, string]>((resolve, reject) => {
      const headers = path === "/length" ? { "content-length": 100 * MB } : {};
      const req = request(`${hop.url}${path}`, { method: "POST", headers }, (res) => {
        const hash = createHash("sha1");
        res.on("data", (bytes: Buffer) => void hash.update(bytes));
        res.on("end", () => resolve([hash.digest("hex"), String(res.headers["x-hash"])]));
        res.on("error", reject);
      });
      req.on("error", reject);
      void writeAll(req).then(() => req.end());
    });
    expect(got).toEqual([HUNDRED_HASH, HUNDRED_HASH]);
  }
  await settled(hop);
}, 60_000);

test("a client that reads slowly holds back the server, and the proxy holds little in between", async () => {
  let given = 0;
  await using server = await TestServer.start((_req, res) => {
    const write = () => {
      while (given < 200 * MB) {
        given += 65_536;
        if (!res.write(BLOCK.subarray(0, 65_536))) return void res.once("drain", write);
      }
      res.end();
    };
    write();
  });
  using hop = new Hop(server.port);
  // A raw socket that is not read beyond its first buffers.
  using client = await connectTcp({ host: "127.0.0.1", port: hop.port });
  await client.write("GET / HTTP/1.1\r\nhost: web\r\n\r\n");
  let before = -1;
  await eventually(() => {
    const now = given;
    const isStill = now === before;
    before = now;
    if (!isStill) throw new Error(`the server still writes: ${now}`);
  }, 10_000);
  expect(given).toBeLessThan(60 * MB); // socket buffers on the way; not the 200 MB
  expect(waitingBudget.total).toBeLessThan(8 * MB); // what a turn had read when the client stopped
  client.terminate();
  await settled(hop);
}, 30_000);

test("a response that breaks off is a broken response for the client too, whatever its framing", async () => {
  for (
    const head of [
      "HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nabc",
      "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n",
    ]
  ) {
    using server = listenTcp("127.0.0.1", 0, async (peer) => {
      await peer.read();
      await peer.write(head);
      await Bun.sleep(20);
      peer.terminate();
    });
    using hop = new Hop(server.port);
    const outcome = await fetch(hop.url).then((r) => r.text()).then(() => "complete", () => "broken");
    expect(outcome).toBe("broken");
    await settled(hop);
  }
});

test("a client that resets cancels its request upstream", async () => {
  using server = listenTcp("127.0.0.1", 0, async (peer) => {
    await peer.read();
    await peer.write("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n");
    await peer.closed;
  });
  using hop = new Hop(server.port);
  const client = await connectTcp({ host: "127.0.0.1", port: hop.port });
  await client.write("GET / HTTP/1.1\r\nhost: web\r\n\r\n");
  await client.read();
  client.terminate();
  await eventually(async () => {
    for (const peer of server.open()) await peer.write("1\r\nx\r\n").catch(() => {});
    expect([server.open().size, hop.pending, hop.open]).toEqual([0, 0, 0]);
  }, 5000);
});

test("a WebSocket-like upgrade carries bytes both ways, half-close included, and closes behind itself", async () => {
  using server = listenTcp("127.0.0.1", 0, async (peer) => {
    let head = "";
    while (!head.includes("\r\n\r\n")) head += Buffer.from(await peer.read() ?? []).toString();
    await peer.write("HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: echo\r\n\r\nhello ");
    await peer.write(await peer.readAll());
    peer.end();
  });
  using hop = new Hop(server.port);
  using client = await connectTcp({ host: "127.0.0.1", port: hop.port });
  await client.write("GET / HTTP/1.1\r\nhost: web\r\nconnection: upgrade\r\nupgrade: echo\r\n\r\n");
  let got = "";
  while (!got.endsWith("hello ")) got += Buffer.from(await client.read() ?? []).toString();
  const bytes = randomBytes(3 * MB);
  await client.write(bytes);
  client.end();
  const back = await client.readAll();
  expect(back.equals(bytes)).toBe(true);
  await eventually(() => expect([hop.open, hop.pending]).toEqual([0, 0]), 5000);
});

test("103 and trailers come through, and Expect: 100-continue is answered by the server", async () => {
  using server = listenTcp("127.0.0.1", 0, async (peer) => {
    let got = "";
    while (!got.includes("\r\n\r\n")) got += Buffer.from(await peer.read() ?? []).toString();
    await peer.write("HTTP/1.1 100 Continue\r\n\r\n");
    while (!got.endsWith("x-sum: 1\r\n\r\n")) got += Buffer.from(await peer.read() ?? []).toString();
    await peer.write(
      "HTTP/1.1 103 Early Hints\r\nlink: </x>\r\n\r\nHTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n" +
        "2\r\nok\r\n0\r\nx-back: 2\r\n\r\n",
    );
  });
  using hop = new Hop(server.port);
  using client = await connectTcp({ host: "127.0.0.1", port: hop.port });
  await client.write("POST / HTTP/1.1\r\nhost: web\r\nexpect: 100-continue\r\ntransfer-encoding: chunked\r\n\r\n");
  let got = "";
  while (!got.includes("100 Continue\r\n\r\n")) got += Buffer.from(await client.read() ?? []).toString();
  await client.write("3\r\nabc\r\n0\r\nx-sum: 1\r\n\r\n");
  while (!got.endsWith("x-back: 2\r\n\r\n")) got += Buffer.from(await client.read() ?? []).toString();
  expect(got).toContain("HTTP/1.1 103 Early Hints\r\nlink: </x>\r\n\r\nHTTP/1.1 200 OK");
});

test("a connection that the server closed while it was idle costs no request", async () => {
  await using server = await TestServer.start((_req, res) => {
    res.setHeader("connection", "keep-alive");
    res.end("ok");
    res.on("finish", () => setTimeout(() => res.socket?.destroy(), Math.random() * 4));
  });
  using hop = new Hop(server.port);
  const seen = new Map<number, number>();
  for (let i = 0; i < 200; i++) {
    const { status } = await fetch(hop.url);
    seen.set(status, (seen.get(status) ?? 0) + 1);
    await Bun.sleep(Math.random() * 4);
  }
  expect([...seen]).toEqual([[200, 200]]);
}, 20_000);

const curl = findProgram("curl");
test.skipIf(curl === null)("curl uploads and downloads through the proxy, with a slow reader too", async () => {
  await using server = await TestServer.start((req, res) => {
    req.resume();
    req.on("end", () => void writeAll(res).then(() => res.end()));
  });
  using hop = new Hop(server.port);
  const argv = [curl as string, "-sS", "-o", "/dev/null", "-w", "%{http_code} %{size_download}"]; // not skipped
  const slow = await run({ argv: [...argv, "--limit-rate", "60M", `${hop.url}/`] });
  expect(slow.stdout).toBe(`200 ${100 * MB}`);
  const upload = await run({ argv: [...argv, "-T", "-", `${hop.url}/`], stdin: "x".repeat(3 * MB) });
  expect(upload.stdout).toBe(`200 ${100 * MB}`);
  await settled(hop);
}, 60_000);
