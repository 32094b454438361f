// One real proxy between real HTTP/2 clients and servers, on loopback.
import { createHash, randomBytes } from "node:crypto";
import {
  type ClientHttp2Session,
  type ClientHttp2Stream,
  connect,
  constants,
  createServer,
  type Http2Server,
  type IncomingHttpHeaders,
  type ServerHttp2Stream,
} from "node:http2";
import type { AddressInfo } from "node:net";
import { expect, test } from "bun:test";
import { waitingBudget } from "../../src/http/waiting_budget.ts";
import { eventually } from "../support/eventually.ts";
import { Hop } from "../support/hop.ts";
import { findProgram, run } from "../support/process.ts";

const MB = 1024 * 1024;
const BLOCK = randomBytes(MB);
const HUNDRED_HASH = (() => {
  const hash = createHash("sha1");
  for (let i = 0; i < 100; i++) hash.update(BLOCK);
  return hash.digest("hex");
})();

type Serve = (stream: ServerHttp2Stream, headers: IncomingHttpHeaders) => void;

class TestServer implements AsyncDisposable {
  /** Streams that are open. */
  readonly streams = new Set<ServerHttp2Stream>();
  readonly #server: Http2Server;

  private constructor(server: Http2Server) {
    this.#server = server;
  }

  static async start(serve: Serve): Promise<TestServer> {
    // Without more memory the server refuses streams beside those that are stalled.
    const server = createServer({ settings: { maxConcurrentStreams: 2000 }, maxSessionMemory: 1000 });
    const made = new TestServer(server);
    server.on("stream", (any, headers) => {
      const stream = any as ServerHttp2Stream; // the type of the event is wider than what comes
      made.streams.add(stream);
      stream.on("close", () => made.streams.delete(stream));
      stream.on("error", () => {});
      serve(stream, headers);
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    return made;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const stream of this.streams) stream.destroy();
    await new Promise<void>((resolve) => {
      this.#server.close(() => resolve());
      setTimeout(resolve, 500); // sessions of the proxy's pool stay open
    });
  }
}

class TestClient implements Disposable {
  readonly session: ClientHttp2Session;

  constructor(hop: Hop) {
    this.session = connect(hop.url);
    this.session.on("error", () => {});
  }

  request(headers: Record<string, string>, endStream = true): ClientHttp2Stream {
    return this.session.request({ ":path": "/", ...headers }, { endStream });
  }

  [Symbol.dispose](): void {
    this.session.destroy();
  }
}

interface Answer {
  readonly status: number;
  readonly headers: Record<string, unknown>;
  readonly interim: number[];
  readonly trailers: Record<string, unknown>;
  readonly hash: string;
  readonly bytes: number;
}

async function answerOf(stream: ClientHttp2Stream): Promise<Answer> {
  const hash = createHash("sha1");
  const interim: number[] = [];
  let headers: Record<string, unknown> = {};
  let trailers: Record<string, unknown> = {};
  let bytes = 0;
  stream.on("headers", (h: Record<string, unknown>) => void interim.push(Number(h[":status"])));
  stream.on("response", (h) => void (headers = h));
  stream.on("trailers", (h) => void (trailers = h));
  stream.on("data", (chunk: Buffer) => {
    bytes += chunk.length;
    hash.update(chunk);
  });
  await new Promise<void>((resolve, reject) => {
    stream.on("end", () => resolve());
    stream.on("error", reject);
    stream.on("close", () => resolve());
  });
  return { status: Number(headers[":status"]), headers, interim, trailers, hash: hash.digest("hex"), bytes };
}

async function writeAll(stream: ClientHttp2Stream | ServerHttp2Stream): Promise<void> {
  for (let i = 0; i < 100; i++) {
    if (!stream.write(BLOCK)) await new Promise<void>((resolve) => stream.once("drain", resolve));
  }
  stream.end();
}

async function settled(hop: Hop): Promise<void> {
  await eventually(() => expect([hop.pending, waitingBudget.total]).toEqual([0, 0]), 5000);
}

test("100 MB come through unharmed in both directions", async () => {
  await using server = await TestServer.start((stream) => {
    const hash = createHash("sha1");
    stream.on("data", (bytes: Buffer) => void hash.update(bytes));
    stream.on("end", () => {
      stream.respond({ ":status": 200, "x-hash": hash.digest("hex") });
      void writeAll(stream);
    });
  });
  using hop = new Hop(server.port);
  using client = new TestClient(hop);
  const stream = client.request({ ":method": "POST" }, false);
  const answered = answerOf(stream);
  await writeAll(stream);
  const answer = await answered;
  expect([answer.headers["x-hash"], answer.hash]).toEqual([HUNDRED_HASH, HUNDRED_HASH]);
  await settled(hop);
}, 60_000);

test("1000 streams at once are served, each with its own answer", async () => {
  await using server = await TestServer.start((stream, headers) => {
    setTimeout(() => {
      stream.respond({ ":status": 200 });
      stream.end(`${headers[":path"]}`.repeat(50));
    }, 20);
  });
  using hop = new Hop(server.port);
  using client = new TestClient(hop);
  await new Promise<void>((resolve) => client.session.once("remoteSettings", () => resolve()));
  const answers = await Promise.all(
    Array.from({ length: 1000 }, (_, i) => answerOf(client.request({ ":path": `/${i}` }))),
  );
  expect(answers.map((a) => a.status)).toEqual(answers.map(() => 200));
  expect(answers.map((a) => a.bytes)).toEqual(answers.map((_, i) => `/${i}`.length * 50));
  expect(hop.finished).toHaveLength(1000);
  await settled(hop);
}, 30_000);

test("a stream that nobody reads holds one window, and leaves the others alone", async () => {
  await using server = await TestServer.start((stream, headers) => {
    stream.respond({ ":status": 200 });
    if (headers[":path"] === "/big") void writeAll(stream);
    else stream.end("small");
  });
  using hop = new Hop(server.port);
  using client = new TestClient(hop);
  const stalled = Array.from({ length: 20 }, () => client.request({ ":path": "/big" }));
  for (const stream of stalled) {
    stream.on("error", () => {});
    stream.pause();
  }
  for (let i = 0; i < 50; i++) {
    using other = new TestClient(hop);
    expect((await answerOf(other.request({ ":path": "/small" }))).bytes).toBe(5);
  }
  // 20 streams × (window on our side + what HOLD and the outbox may add)
  expect(waitingBudget.total).toBeLessThan(20 * 512 * 1024);
  for (const stream of stalled) stream.close(constants.NGHTTP2_CANCEL);
  client.session.destroy();
  await settled(hop);
}, 30_000);

test("a stream that the client cancels is cancelled upstream", async () => {
  await using server = await TestServer.start((stream) => {
    stream.respond({ ":status": 200 });
    stream.write("begun");
  });
  using hop = new Hop(server.port);
  using client = new TestClient(hop);
  const stream = client.request({});
  stream.on("error", () => {});
  await new Promise<void>((resolve) => stream.once("data", () => resolve()));
  expect(server.streams.size).toBe(1);
  stream.close(constants.NGHTTP2_CANCEL);
  await eventually(() => expect(server.streams.size).toBe(0), 5000);
  await settled(hop);
});

test("a client that disconnects cancels all its streams upstream", async () => {
  await using server = await TestServer.start((stream) => {
    stream.respond({ ":status": 200 });
    stream.write("begun");
  });
  using hop = new Hop(server.port);
  const client = new TestClient(hop);
  for (let i = 0; i < 50; i++) client.request({}).on("error", () => {}).resume();
  await eventually(() => expect(server.streams.size).toBe(50), 5000);
  client.session.destroy();
  await eventually(() => expect(server.streams.size).toBe(0), 5000);
  await settled(hop);
});

test("trailers come through in both directions, and 103 does", async () => {
  await using server = await TestServer.start((stream) => {
    let sum = "";
    stream.on("trailers", (h) => void (sum = String(h["x-sum"])));
    stream.resume();
    stream.on("end", () => {
      stream.additionalHeaders({ ":status": 103, link: "</x>" });
      stream.respond({ ":status": 200 }, { waitForTrailers: true });
      stream.on("wantTrailers", () => stream.sendTrailers({ "x-back": sum }));
      stream.end("ok");
    });
  });
  using hop = new Hop(server.port);
  using client = new TestClient(hop);
  const stream = client.session.request({ ":method": "POST", ":path": "/" }, { waitForTrailers: true });
  stream.on("wantTrailers", () => stream.sendTrailers({ "x-sum": "42" }));
  stream.end("abc");
  const answer = await answerOf(stream);
  expect([answer.status, answer.interim, answer.trailers["x-back"]]).toEqual([200, [103], "42"]);
  await settled(hop);
});

test("a server that dies with requests in flight breaks them off or has them told, and none hangs", async () => {
  const server = await TestServer.start((stream, headers) => {
    stream.on("error", () => {});
    if (headers[":path"] === "/begun") {
      stream.respond({ ":status": 200 });
      stream.write("begun");
    }
  });
  using hop = new Hop(server.port);
  using client = new TestClient(hop);
  const outcomes = Promise.all(
    Array.from(
      { length: 40 },
      (_, i) =>
        answerOf(client.request({ ":method": "POST", ":path": i % 2 === 0 ? "/begun" : "/waiting" })).then(
          (a) => a.status,
          () => "broken",
        ),
    ),
  );
  await eventually(() => expect(server.streams.size).toBe(40), 5000);
  for (const stream of server.streams) stream.session?.destroy();
  const seen = new Set(await outcomes);
  expect([...seen].every((o) => o === "broken" || o === 502 || o === 200)).toBe(true);
  expect(seen.has(502)).toBe(true);
  await settled(hop);
  await server[Symbol.asyncDispose]();
});

const nghttp = findProgram("nghttp");
test.skipIf(nghttp === null)("nghttp with a large window downloads 100 MB, giving credit as it goes", async () => {
  await using server = await TestServer.start((stream) => {
    stream.respond({ ":status": 200 });
    void writeAll(stream);
  });
  using hop = new Hop(server.port);
  for (const bits of ["16", "24"]) {
    const { stdout, stderr } = await run({ argv: [nghttp as string, "-ns", "-w", bits, "-W", bits, `${hop.url}/`] }); // not skipped
    expect(stderr).not.toContain("error");
    expect(stdout).toContain("200");
    expect(stdout).toMatch(/100M|104857600/);
  }
  await settled(hop);
}, 60_000);

const h2load = findProgram("h2load");
test.skipIf(h2load === null)("h2load with many streams on few connections gets only 2xx", async () => {
  await using server = await TestServer.start((stream) => {
    stream.respond({ ":status": 200 });
    stream.end("hello");
  });
  using hop = new Hop(server.port);
  const { stdout } = await run({ argv: [h2load as string, "-n", "5000", "-c", "4", "-m", "100", `${hop.url}/`] }); // not skipped
  expect(stdout).toContain("5000 succeeded, 0 failed, 0 errored, 0 timeout");
  await settled(hop);
}, 60_000);
