/** A policy that changes ends what is under way and not permitted any more, and touches nothing else. */
import { afterAll, afterEach, beforeAll, expect, setDefaultTimeout, test } from "bun:test";
import * as grpc from "@grpc/grpc-js";
import { eventually } from "../support/eventually.ts";
import { fetchOnce, Http1Client, type HttpApp, serveHttp } from "../support/http1.ts";
import { isDirect, type Mesh, startMesh } from "../support/mesh.ts";
import { sumOf } from "../support/prometheus.ts";
import { allowAccounts, type Resource, server, service, spiffeId, workload } from "../support/resources.ts";
import { connectTcp, listenTcp, type TcpListener, type TcpPeer } from "../support/tcp.ts";

setDefaultTimeout(60_000);

const HTTP = 8080;
const RAW = 9000;
const GRPC = 50051;
const PORTS = [HTTP, RAW, GRPC];
let mesh: Mesh;
let http: HttpApp;
let raw: TcpListener;
let rpc: grpc.Server;

/** Who may call all ports. */
function only(...accounts: readonly string[]): Resource[] {
  return [
    server("http", "web", HTTP, { proxyProtocol: "HTTP/1" }),
    server("raw", "web", RAW, { proxyProtocol: "opaque" }),
    server("grpc", "web", GRPC, { proxyProtocol: "gRPC" }),
    ...["http", "raw", "grpc"].flatMap((name) => allowAccounts(name, { kind: "Server", name }, accounts)),
  ];
}

const bytes = (value: Buffer) => value;
const TALK = {
  Talk: {
    path: "/shop.v1.Catalogue/Talk",
    requestStream: true,
    responseStream: true,
    requestSerialize: bytes,
    requestDeserialize: bytes,
    responseSerialize: bytes,
    responseDeserialize: bytes,
  },
};

beforeAll(async () => {
  const calls = PORTS.map((port) => `web${port}:${port}`);
  mesh = await startMesh({
    workloads: [workload("front", { calls }), workload("stranger", { calls }), workload("web")],
    services: [
      service(`web${HTTP}`, HTTP, "http", { app: "web" }),
      service(`web${RAW}`, RAW, "tulle.dev/opaque", { app: "web" }),
      service(`web${GRPC}`, GRPC, "grpc", { app: "web" }),
    ],
    resources: only("front", "stranger"),
  });
  http = serveHttp(mesh.ip("web"), HTTP, async (request, peer) => {
    if (request.path === "/") return await peer.write("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n");
    if (request.path === "/endless") {
      await peer.write("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nfirst\r\n");
      await peer.closed;
      return;
    }
    await peer.write("HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n");
    await echo(peer);
  });
  raw = listenTcp(mesh.ip("web"), RAW, echo);
  rpc = new grpc.Server();
  rpc.addService(TALK, {
    Talk(call: grpc.ServerDuplexStream<Buffer, Buffer>) {
      call.on("data", (message: Buffer) => call.write(message));
      call.on("end", () => call.end());
    },
  });
  await new Promise<void>((resolve, reject) => {
    rpc.bindAsync(`${mesh.ip("web")}:${GRPC}`, grpc.ServerCredentials.createInsecure(), (error) => {
      if (error === null) resolve();
      else reject(error);
    });
  });
  if (!isDirect) await bothMay();
});

afterEach(async () => {
  mesh.apply(only("front", "stranger"));
  if (!isDirect) await bothMay();
});

afterAll(async () => {
  http?.[Symbol.dispose]();
  raw?.[Symbol.dispose]();
  rpc?.forceShutdown();
  await mesh?.[Symbol.asyncDispose]();
});

async function bothMay(): Promise<void> {
  await eventually(async () => {
    for (const who of ["front", "stranger"]) {
      expect((await fetchOnce(mesh.to(who, `web${HTTP}:${HTTP}`), "/")).status).toBe(200);
      using peer = await connectTcp(mesh.to(who, `web${RAW}:${RAW}`));
      await peer.write("x");
      expect((await peer.readExactly(1)).toString()).toBe("x");
    }
  }, 30_000);
}

async function echo(peer: TcpPeer): Promise<void> {
  for (;;) {
    const chunk = await peer.read(3_600_000).catch(() => null);
    if (chunk === null) return peer.end();
    await peer.write(chunk);
  }
}

/** Something long that a workload has open. */
interface Open extends Disposable {
  /** Proves that it works. */
  use(): Promise<void>;
  /** How it ended. */
  readonly ended: Promise<string>;
}

async function openRaw(who: string): Promise<Open> {
  const peer = await connectTcp(mesh.to(who, `web${RAW}:${RAW}`));
  return over(peer);
}

async function openSocket(who: string): Promise<Open> {
  const client = await Http1Client.connect(mesh.to(who, `web${HTTP}:${HTTP}`));
  const answer = await client.get("/socket", { connection: "upgrade", upgrade: "websocket" });
  expect(answer.status).toBe(101);
  return over(client.peer);
}

function over(peer: TcpPeer): Open {
  return {
    async use() {
      await peer.write("ping");
      expect((await peer.readExactly(4)).toString()).toBe("ping");
    },
    ended: peer.closed.then((error) => error ?? "in order"),
    [Symbol.dispose]: () => peer.terminate(),
  };
}

async function openResponse(who: string): Promise<Open> {
  const peer = await connectTcp(mesh.to(who, `web${HTTP}:${HTTP}`));
  await peer.write("GET /endless HTTP/1.1\r\nhost: web\r\n\r\n");
  for (let text = ""; !text.includes("first");) text += Buffer.from(await peer.read() ?? []).toString("latin1");
  let isOver = false;
  const ended = peer.closed.then((error) => {
    isOver = true;
    return error ?? "in order";
  });
  return {
    async use() {
      await Promise.resolve();
      expect(isOver).toBe(false);
    },
    ended,
    [Symbol.dispose]: () => peer.terminate(),
  };
}

async function openStream(who: string): Promise<Open> {
  const Client = grpc.makeGenericClientConstructor(TALK, "Catalogue");
  const client = new Client(mesh.to(who, `web${GRPC}:${GRPC}`).authority, grpc.credentials.createInsecure());
  const call = (client["Talk"] as () => grpc.ClientDuplexStream<Buffer, Buffer>).call(client); // made from TALK
  const { promise: ended, resolve } = Promise.withResolvers<string>();
  call.on("error", (error: grpc.ServiceError) => resolve(`${error.code} ${error.details}`));
  call.on("end", () => resolve("in order"));
  const use = async () => {
    const answer = new Promise<Buffer>((done) => call.once("data", done));
    call.write(Buffer.from("ping"));
    expect((await Promise.race([answer, ended])).toString()).toBe("ping");
  };
  await use();
  return {
    use,
    ended,
    [Symbol.dispose]() {
      call.cancel();
      client.close();
    },
  };
}

const OPENERS = { raw: openRaw, webSocket: openSocket, response: openResponse, gRPC: openStream };

async function openAll(who: string, stack: DisposableStack): Promise<Map<string, Open>> {
  const all = new Map<string, Open>();
  for (const [name, open] of Object.entries(OPENERS)) all.set(name, stack.use(await open(who)));
  for (const each of all.values()) await each.use();
  return all;
}

test.skipIf(isDirect)("what a change forbids is ended with the reason, and what it permits goes on", async () => {
  using stack = new DisposableStack();
  const kept = await openAll("front", stack);
  const lost = await openAll("stranger", stack);
  mesh.apply(only("front"));
  const ends = await Promise.all([...lost].map(async ([name, { ended }]) => [name, await ended] as const));
  expect(Object.fromEntries(ends)).toEqual({
    raw: "ECONNRESET",
    webSocket: "ECONNRESET",
    response: "ECONNRESET",
    gRPC: expect.stringMatching(/^7 revoked: .*no policy of Server shop\/grpc allows it to spiffe:/),
  });
  for (const each of kept.values()) await each.use();

  const metrics = await mesh.sidecar("web").metrics();
  const client = { client_id: spiffeId("stranger"), authz_kind: "default", authz_name: "deny" };
  expect(sumOf(metrics, "inbound_tcp_authz_terminate_total", client)).toBe(1);
  expect(sumOf(metrics, "inbound_http_authz_terminate_total", client)).toBe(3);
  expect(sumOf(metrics, "inbound_http_authz_terminate_total", { client_id: spiffeId("front") })).toBe(0);
  expect(mesh.sidecar("web").child().output()).toMatch(
    /"connection ended: policy does not admit it any more".*"reason":"no policy of Server shop\/raw allows it to spiffe:/,
  );
});

test.skipIf(isDirect)("changes that take nothing away end nothing", async () => {
  using stack = new DisposableStack();
  const all = [...(await openAll("front", stack)).values(), ...(await openAll("stranger", stack)).values()];
  for (let round = 0; round < 3; round++) {
    mesh.apply([
      ...only("front", "stranger"),
      ...allowAccounts(`more${round}`, { kind: "Server", name: "raw" }, ["ops"]),
    ]);
    await eventually(async () => {
      const config = await (await fetch(`${mesh.sidecar("web").adminUrl}/config`)).text();
      expect(config).toContain(`more${round}`);
    });
  }
  for (const each of all) await each.use();
  const metrics = await mesh.sidecar("web").metrics();
  expect(sumOf(metrics, "inbound_tcp_authz_deny_total", { client_id: spiffeId("front") })).toBe(0);
});
