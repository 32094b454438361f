/** HTTP/1.1 through both sidecars: the client and the server see what they would see without them. */
import { afterAll, beforeAll, expect, setDefaultTimeout, test } from "bun:test";
import { MAX_FIELDS } from "../../src/wire/http1/limits.ts";
import { header, Http1Client, type HttpApp, reply, serveHttp } from "../support/http1.ts";
import { isDirect, type Mesh, startMesh } from "../support/mesh.ts";
import { run } from "../support/process.ts";
import { service, workload } from "../support/resources.ts";
import { connectTcp } from "../support/tcp.ts";
import { need } from "../support/tools.ts";

setDefaultTimeout(90_000);

const PORT = 8080;
const curl = need("curl");
let mesh: Mesh;
let app: HttpApp;
const target = () => mesh.to("front", `web:${PORT}`);

beforeAll(async () => {
  mesh = await startMesh({
    workloads: [workload("front", { calls: [`web:${PORT}`] }), workload("web")],
    services: [service("web", PORT, "http")],
  });
  app = serveHttp(mesh.ip("web"), PORT, async (request, peer) => {
    switch (request.path.split("?")[0]) {
      case "/echo":
        await peer.write(
          reply(200, request.body.toString("latin1"), { "x-length": header(request, "content-length") ?? "none" }),
        );
        return;
      case "/what": // the request as it arrived
        await peer.write(reply(200, JSON.stringify({ ...request, body: request.body.toString("latin1") })));
        return;
      case "/chunked":
        await peer.write("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\ntrailer: x-sum\r\n\r\n5\r\nhello\r\n");
        await peer.write("6\r\n world\r\n0\r\nx-sum: 11\r\n\r\n");
        return;
      case "/until-close":
        await peer.write("HTTP/1.1 200 OK\r\nconnection: close\r\n\r\nall there is");
        peer.end();
        return;
      case "/early-hints":
        await peer.write("HTTP/1.1 103 Early Hints\r\nlink: </a.css>; rel=preload\r\n\r\n" + reply(200, "done"));
        return;
      case "/no-content":
        await peer.write("HTTP/1.1 204 No Content\r\nx-mark: 1\r\n\r\n");
        return;
      case "/not-modified":
        await peer.write('HTTP/1.1 304 Not Modified\r\netag: "a"\r\ncontent-length: 42\r\n\r\n');
        return;
      case "/teapot":
        await peer.write("HTTP/1.1 418 I'm a teapot\r\ncontent-length: 0\r\n\r\n");
        return;
      case "/cookies":
        await peer.write("HTTP/1.1 200 OK\r\nset-cookie: a=1\r\nset-cookie: b=2\r\ncontent-length: 0\r\n\r\n");
        return;
      case "/head":
        await peer.write(
          `HTTP/1.1 200 OK\r\ncontent-length: 1234\r\n\r\n${request.method === "HEAD" ? "" : "x".repeat(1234)}`,
        );
        return;
      default:
        await peer.write(reply(404, `no ${request.path}`));
    }
  });
});

afterAll(async () => {
  app?.[Symbol.dispose]();
  await mesh?.[Symbol.asyncDispose]();
});

async function ask(text: string, isHead = false) {
  using client = await Http1Client.connect(target());
  await client.peer.write(text);
  return await client.readResponse(isHead);
}

test("a connection serves many requests, one after the other", async () => {
  using client = await Http1Client.connect(target());
  for (let turn = 0; turn < 200; turn++) {
    const response = await client.get(`/what?turn=${turn}`);
    expect(response.status).toBe(200);
    expect(JSON.parse(response.body.toString()).startLine).toBe(`GET /what?turn=${turn} HTTP/1.1`);
  }
});

test("pipelined requests are answered in their order", async () => {
  using client = await Http1Client.connect(target());
  const paths = Array.from({ length: 20 }, (_, at) => `/what?at=${at}`);
  await client.peer.write(paths.map((path) => `GET ${path} HTTP/1.1\r\nhost: web\r\n\r\n`).join(""));
  for (const path of paths) {
    const response = await client.readResponse();
    expect(JSON.parse(response.body.toString()).path).toBe(path);
  }
});

test("a request body by length and one in chunks arrive whole", async () => {
  const body = "0123456789".repeat(5_000);
  const byLength = await ask(`POST /echo HTTP/1.1\r\nhost: web\r\ncontent-length: ${body.length}\r\n\r\n${body}`);
  expect(byLength.body.toString()).toBe(body);
  const chunk = `${(1000).toString(16)}\r\n${body.slice(0, 1000)}\r\n`;
  const inChunks = await ask(
    `POST /echo HTTP/1.1\r\nhost: web\r\ntransfer-encoding: chunked\r\n\r\n${chunk.repeat(10)}0\r\n\r\n`,
  );
  expect(inChunks.body.length).toBe(10_000);
});

test("a request with as many fields as may be passes both sidecars, and one with more is refused", async () => {
  const get = (fields: number) => `GET /what HTTP/1.1\r\nhost: web\r\n${"x-a: 1\r\n".repeat(fields - 1)}\r\n`;
  const passed = await ask(get(MAX_FIELDS));
  expect([passed.status, passed.body.toString().split('"x-a"').length]).toEqual([200, MAX_FIELDS]);
  expect((await ask(get(MAX_FIELDS + 1))).status).toBe(431);
});

test("request trailers reach the server", async () => {
  const response = await ask(
    "POST /what HTTP/1.1\r\nhost: web\r\ntransfer-encoding: chunked\r\ntrailer: x-sum\r\n\r\n3\r\nabc\r\n0\r\nx-sum: 3\r\n\r\n",
  );
  const seen = JSON.parse(response.body.toString());
  expect(seen.body).toBe("abc");
  expect(seen.trailers).toEqual([["x-sum", "3"]]);
});

test("a chunked response keeps its trailers", async () => {
  const response = await ask("GET /chunked HTTP/1.1\r\nhost: web\r\nte: trailers\r\n\r\n");
  expect(response.body.toString()).toBe("hello world");
  expect(response.trailers).toEqual([["x-sum", "11"]]);
});

test("a response that ends with its connection arrives whole", async () => {
  const response = await ask("GET /until-close HTTP/1.1\r\nhost: web\r\n\r\n");
  expect(response.status).toBe(200);
  expect(response.body.toString()).toBe("all there is");
});

test("HEAD has the length but no body, and the connection goes on", async () => {
  using client = await Http1Client.connect(target());
  const head = await client.get("/head", {}, "HEAD");
  expect(header(head, "content-length")).toBe("1234");
  const get = await client.get("/head");
  expect(get.body.length).toBe(1234);
});

test("204 and 304 have no body, and the connection goes on", async () => {
  using client = await Http1Client.connect(target());
  const none = await client.get("/no-content");
  expect([none.status, header(none, "x-mark"), header(none, "content-length")]).toEqual([204, "1", null]);
  const same = await client.get("/not-modified");
  expect([same.status, header(same, "etag")]).toEqual([304, '"a"']);
  expect((await client.get("/echo")).status).toBe(200);
});

test("100-continue is passed on before the body is sent", async () => {
  using client = await Http1Client.connect(target());
  await client.peer.write("POST /echo HTTP/1.1\r\nhost: web\r\ncontent-length: 5\r\nexpect: 100-continue\r\n\r\n");
  const start = await client.peer.readExactly(12);
  expect(start.toString()).toBe("HTTP/1.1 100");
  client.peer.unread(start);
  await client.peer.write("hello");
  const response = await client.readResponse();
  expect(response.interim.length).toBe(1);
  expect([response.status, response.body.toString()]).toEqual([200, "hello"]);
});

test("103 Early Hints arrives before the final response", async () => {
  const response = await ask("GET /early-hints HTTP/1.1\r\nhost: web\r\n\r\n");
  expect(response.interim.map((one) => one.startLine.split(" ")[1])).toEqual(["103"]);
  expect(response.body.toString()).toBe("done");
});

test("status, reason phrase and repeated headers stay as they are", async () => {
  const teapot = await ask("GET /teapot HTTP/1.1\r\nhost: web\r\n\r\n");
  expect(teapot.startLine).toBe("HTTP/1.1 418 I'm a teapot");
  const cookies = await ask("GET /cookies HTTP/1.1\r\nhost: web\r\n\r\n");
  expect(cookies.headers.filter(([name]) => name === "set-cookie").map(([, value]) => value)).toEqual(["a=1", "b=2"]);
});

test("HTTP/1.0 is answered and closed unless it asks to stay", async () => {
  const peer = await connectTcp(target());
  await peer.write("GET /echo HTTP/1.0\r\nhost: web\r\n\r\n");
  const text = (await peer.readAll()).toString();
  expect(text.startsWith("HTTP/1.1 200") || text.startsWith("HTTP/1.0 200")).toBe(true);
});

test("hop-by-hop headers are not passed on, end-to-end ones are", async () => {
  const response = await ask(
    "GET /what HTTP/1.1\r\nhost: web\r\nconnection: keep-alive, x-hop\r\nkeep-alive: timeout=5\r\nx-hop: 1\r\nx-end: 1\r\n\r\n",
  );
  const names = (JSON.parse(response.body.toString()).headers as [string, string][]).map(([name]) => name);
  expect(names).toContain("x-end");
  if (!isDirect) {
    expect(names).not.toContain("x-hop");
    expect(names).not.toContain("keep-alive");
  }
});

test("the server sees the host header, path and query exactly", async () => {
  const path = "/what?q=%C3%A9&empty=&a=b%20c";
  const response = await ask(`GET ${path} HTTP/1.1\r\nhost: Shop.example:81\r\n\r\n`);
  const seen = JSON.parse(response.body.toString());
  expect(seen.path).toBe(path);
  expect((seen.headers as [string, string][]).find(([name]) => name === "host")?.[1]).toBe("Shop.example:81");
});

test.skipIf(isDirect)("headers beyond the limit are answered with 431, and other connections go on", async () => {
  using other = await Http1Client.connect(target());
  expect((await other.get("/echo")).status).toBe(200);
  const response = await ask(`GET /echo HTTP/1.1\r\nhost: web\r\nx-big: ${"a".repeat(300_000)}\r\n\r\n`);
  expect(response.status).toBe(431);
  expect((await other.get("/echo")).status).toBe(200);
});

test("16 KiB of headers pass", async () => {
  const big = Object.fromEntries(Array.from({ length: 16 }, (_, at) => [`x-${at}`, "v".repeat(1000)]));
  using client = await Http1Client.connect(target());
  const response = await client.get("/what", big);
  expect(response.status).toBe(200);
  expect(JSON.parse(response.body.toString()).headers.filter(([name]: [string]) => name.startsWith("x-")).length)
    .toBeGreaterThanOrEqual(16);
});

test.skipIf(curl === null)("curl: keep-alive, upload and HEAD in one call", async () => {
  const base = `http://${target().authority}`;
  const argv = [curl?.curl ?? "", "-sS", "-o", "/dev/null", "-w", "%{http_code} %{num_connects}\\n"];
  const done = await run({
    argv: [...argv, `${base}/echo`, "-o", "/dev/null", `${base}/chunked`, "-o", "/dev/null", `${base}/echo`],
  });
  expect(done.stderr).toBe("");
  expect(done.stdout.trim().split("\n")).toEqual(["200 1", "200 0", "200 0"]);
  const upload = await run({
    argv: [curl?.curl ?? "", "-sS", "--data-binary", "@-", `${base}/echo`],
    stdin: "z".repeat(200_000),
  });
  expect(upload.stdout.length).toBe(200_000);
});

test.skipIf(isDirect)("a refused upstream is answered with 502 or 503 and a reason", async () => {
  app[Symbol.dispose]();
  const response = await ask("GET /echo HTTP/1.1\r\nhost: web\r\n\r\n");
  expect([502, 503, 504]).toContain(response.status);
  expect(response.body.length).toBeGreaterThan(0);
});
