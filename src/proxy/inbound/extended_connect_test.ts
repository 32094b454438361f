// Extended CONNECT of HTTP/2 clients (RFC 8441) to applications that speak one thing or another.
import { createHash } from "node:crypto";
import { expect, test } from "bun:test";
import { turn } from "../../../tests/support/fake_socket.ts";
import {
  brief,
  END_STREAM,
  type Fields,
  frame,
  headers,
  PREFACE,
  settings,
  settingsAck,
} from "../../../tests/support/h2_peer.ts";
import type { Protocol } from "../../model/outbound.ts";
import { headerBlock } from "../../wire/header_block.ts";
import { type Client, clientOf, TestEndpoint } from "../exchange/exchange_fixture.ts";
import { decidedRequest } from "../exchange/extended_connect.ts";
import { ClientMark } from "../exchange/header_edits.ts";
import type { InboundClient } from "./inbound_client.ts";
import { InboundHttp } from "./inbound_http.ts";
import type { Waiter } from "../upstream/waiter.ts";

const CONNECT: Fields = {
  ":method": "CONNECT",
  ":protocol": "websocket",
  ":scheme": "http",
  ":authority": "web",
  ":path": "/chat?room=1",
  "sec-websocket-version": "13",
  "sec-websocket-protocol": "chat",
};
/** SETTINGS_ENABLE_CONNECT_PROTOCOL = 1, RFC 8441 §3. */
const ANNOUNCED = [settings({ 8: 1 }), settingsAck()];
const observer = { onVerdict() {}, onRequest() {}, onFinished() {}, onRateLimited() {}, onRevoked() {} };

/** An application that is asked for upgrades in HTTP/1.1. */
class Application extends TestEndpoint {
  constructor() {
    super(true, false);
  }
  override acquireRequest(waiter: Waiter, _http2: boolean, fresh: boolean): void {
    this.http1.acquire(waiter, fresh);
  }
}

/** A client in front of the server's sidecar, and its application. */
class Rig {
  readonly app = new Application();
  readonly client: Client;

  constructor(declared: Protocol) {
    const route = {
      isMesh: false,
      mark: new ClientMark(""),
      application: this.app.state,
      policy: () => ({ request: () => ({ kind: "allow" }) }),
      portPolicy: () => ({ spec: { protocol: declared, rateLimit: null } }),
    } as unknown as InboundClient; // what the pipeline asks for
    this.client = clientOf(new InboundHttp(observer), true, () => 1, route);
    this.client.peer.send(PREFACE, settings(), settingsAck());
  }

  connect(id = 1): void {
    this.client.peer.send(headers(id, CONNECT));
  }

  /** Status and fields that the client got, and what followed on the stream. */
  async answer(): Promise<{ status: number; fields: readonly string[]; data: string }> {
    const frames = await this.client.peer.frames();
    const head = frames.find((each) => each.type === "HEADERS");
    if (head === undefined) return { status: 0, fields: [], data: "" };
    const { status, fields } = this.client.peer.section(head, "response");
    const data = frames.filter((each) => each.type === "DATA").map((each) => each.payload.toString()).join("");
    return { status, fields, data };
  }

  /** What the application got on its connection, as text. */
  async appGot(at: number): Promise<string> {
    await turn();
    return this.app.dialled[at]?.socket.take().toString("latin1") ?? "";
  }

  /** The upgrade that the application got, answered as it should be. */
  async switches(at: number, more = ""): Promise<string> {
    const got = await this.appGot(at);
    const key = got.match(/sec-websocket-key: (\S+)/)?.[1] ?? "";
    const accept = createHash("sha1").update(`${key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest("base64");
    this.app.dialled[at]?.socket.deliver(
      `HTTP/1.1 101 Switching Protocols\r\nupgrade: WebSocket\r\nconnection: Upgrade\r\nsec-websocket-accept: ${accept}\r\n` +
        `sec-websocket-protocol: chat\r\n\r\n${more}`,
    );
    return got;
  }
}

test("an HTTP/2 application that announces extended CONNECT gets it as it is", async () => {
  const r = new Rig("detect");
  r.connect();
  await turn();
  const app = r.app.accept([]);
  const before = await app?.peer.frames() ?? [];
  expect(before.filter((each) => each.type === "HEADERS")).toEqual([]); // not before it is announced
  app?.peer.send(...ANNOUNCED);
  const request = (await app?.peer.frames() ?? []).find((each) => each.type === "HEADERS");
  if (app === undefined || app === null || request === undefined) throw new Error("nothing was sent");
  const got = app.peer.section(request, "request");
  expect([got.method, got.protocol, got.path, got.get("sec-websocket-key")])
    .toEqual(["CONNECT", "websocket", "/chat?room=1", null]);
  app.peer.send(
    headers(request.id, { ":status": "200", "sec-websocket-protocol": "chat" }),
    frame(0, 0, 1, text("hi")),
  );
  expect(await r.answer()).toEqual({ status: 200, fields: ["sec-websocket-protocol", "chat"], data: "hi" });
  r.client.peer.send(frame(0, END_STREAM, 1, text("bye")));
  const data = (await app.peer.frames()).filter((each) => each.type === "DATA");
  expect(data.map((each) => each.payload.toString()).join("")).toBe("bye");
});

test("an HTTP/2 application that does not announce it answers 501, and counts as healthy", async () => {
  const r = new Rig("detect");
  r.connect();
  await turn();
  const app = r.app.accept();
  const { status, fields } = await r.answer();
  expect([status, fields[fields.indexOf("tulle-error") + 1]]).toEqual([501, "no_upgrade"]);
  expect((await app?.peer.frames() ?? []).filter((each) => each.type === "HEADERS")).toEqual([]);
  expect(r.app.dialling).toBe(0);
  expect(r.app.pending).toBe(0);
});

for (const answer of ["HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n", ""]) {
  test(`an application that answers the preface with ${JSON.stringify(answer.slice(0, 12))} gets an upgrade`, async () => {
    const r = new Rig("detect");
    r.connect();
    await turn();
    r.app.accept([])?.socket.deliver(answer);
    r.app.dialled[0]?.socket.fin();
    await turn();
    expect(r.app.dialling).toBe(1);
    r.app.accept();
    const got = await r.switches(1, "welcome");
    expect(got).toStartWith("GET /chat?room=1 HTTP/1.1\r\nhost: web\r\n");
    expect(got).toContain("\r\nupgrade: websocket\r\n");
    expect(got).toMatch(/\r\nsec-websocket-key: [A-Za-z0-9+/]{22}==\r\n/);
    expect(got).not.toContain("tulle-");
    expect(await r.answer()).toEqual({ status: 200, fields: ["sec-websocket-protocol", "chat"], data: "welcome" });
    r.client.peer.send(frame(0, END_STREAM, 1, text("bye")));
    expect(await r.appGot(1)).toBe("bye");
    expect(r.app.dialled[1]?.socket.shut).toBe(true);
    // It is remembered: the next one is asked for an upgrade at once.
    r.connect(3);
    await turn();
    r.app.accept();
    expect(await r.appGot(2)).toStartWith("GET /chat");
  });
}

test("a port that is declared HTTP/1.1 is not asked in HTTP/2", async () => {
  const r = new Rig("http1");
  r.connect();
  await turn();
  r.app.accept();
  expect(await r.appGot(0)).toStartWith("GET /chat");
});

test("HTTP/2 is not what an HTTP/1.1 application is asked to switch to", async () => {
  const r = new Rig("http1");
  r.client.peer.send(headers(1, { ...CONNECT, ":protocol": "h2c" }));
  expect((await r.answer()).status).toBe(501);
  expect(r.app.dialling).toBe(0);
});

test("a port that is declared HTTP/2 is never asked for an upgrade", async () => {
  const r = new Rig("http2");
  r.connect();
  await turn();
  r.app.accept([])?.socket.fin();
  expect((await r.answer()).status).toBe(502);
  expect(r.app.dialling).toBe(0);
});

for (
  const [what, answer, status] of [
    ["a 2xx, which is no tunnel", "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello", 501],
    ["a refusal", "HTTP/1.1 403 Forbidden\r\ncontent-length: 0\r\n\r\n", 403],
    [
      "an answer to another key",
      "HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: upgrade\r\nsec-websocket-accept: x\r\n\r\n",
      502,
    ],
  ] as const
) {
  test(`an upgrade that is answered with ${what} is ${status} to the HTTP/2 client`, async () => {
    const r = new Rig("http1");
    r.connect();
    await turn();
    r.app.accept();
    await r.appGot(0);
    r.app.dialled[0]?.socket.deliver(answer);
    expect((await r.answer()).status).toBe(status);
    expect(r.app.pending).toBe(0);
  });
}

test("an application that resets its connection resets the stream with CANCEL (RFC 8441 §5)", async () => {
  const r = new Rig("http1");
  r.connect();
  await turn();
  r.app.accept();
  await r.switches(0);
  expect((await r.answer()).status).toBe(200);
  r.app.dialled[0]?.socket.reset();
  expect(brief(await r.client.peer.frames())).toEqual(["RST_STREAM 1:8"]);
});

test("a server that cannot be connected is told as such, not taken for HTTP/1.1", async () => {
  const r = new Rig("detect");
  r.connect();
  await turn();
  r.app.refuse();
  const { status, fields } = await r.answer();
  expect([status, fields[fields.indexOf("tulle-error") + 1]]).toEqual([502, "connect_failed"]);
});

test("decidedRequest() is the GET that an upgrade would be", () => {
  const start = { method: "CONNECT", scheme: "http", authority: "a", path: "/p", protocol: "websocket", status: 0 };
  const block = headerBlock(start, ["x", "1"]);
  const { method, path, protocol, fields } = decidedRequest(block);
  expect([method, path, protocol, fields]).toEqual(["GET", "/p", "", ["x", "1"]]);
  const plain = headerBlock({ ...start, path: "", protocol: "" }, []);
  expect(decidedRequest(plain)).toBe(plain);
});

function text(value: string): Buffer {
  return Buffer.from(value);
}
