// Upgrades of HTTP/1.1 through two proxies: extended CONNECT in between (RFC 8441).
import { expect, test } from "bun:test";
import { type FakeSocket, turn } from "../../../tests/support/fake_socket.ts";
import { connectHead } from "../../../tests/support/legs.ts";
import type { HeaderBlock } from "../../wire/header_block.ts";
import type { Exchange } from "./exchange.ts";
import { clientOf, TestEndpoint, TestPipeline } from "./exchange_fixture.ts";
import {
  ClientMark,
  inboundRequest,
  inboundResponse,
  outboundResponse,
  upgradeOf,
  upgradeRequest,
} from "./header_edits.ts";

const PLAIN = { minorVersion: 1, upgrade: "" } as const;
const MARK = new ClientMark("");

/** The client's proxy: every upgrade goes over the mesh. */
class Outer extends TestPipeline {
  readonly #mesh: TestEndpoint;

  constructor(mesh: TestEndpoint) {
    super([mesh]);
    mesh.meshed = true;
    this.#mesh = mesh;
  }
  override route(exchange: Exchange): void {
    this.exchanges.push(exchange);
    exchange.dispatch(this.#mesh.state, upgradeRequest(exchange.request, exchange.upgrade), PLAIN, true, 0);
  }
  override responseHead(_exchange: Exchange, head: HeaderBlock): HeaderBlock {
    return outboundResponse(head);
  }
}

/** The server's proxy: the application gets the upgrade back. */
class Inner extends TestPipeline {
  readonly #app: TestEndpoint;

  constructor(app: TestEndpoint) {
    super([app]);
    this.#app = app;
  }
  override route(exchange: Exchange): void {
    this.exchanges.push(exchange);
    const http1 = { minorVersion: 1 as const, upgrade: upgradeOf(exchange.request) };
    exchange.dispatch(this.#app.state, inboundRequest(exchange.request, MARK, true), http1, false, 0);
  }
  override responseHead(_exchange: Exchange, head: HeaderBlock): HeaderBlock {
    return inboundResponse(head);
  }
}

class Rig {
  readonly mesh = new TestEndpoint(true);
  readonly app = new TestEndpoint(false);
  readonly outer = new Outer(this.mesh);
  readonly inner = new Inner(this.app);
  readonly client = clientOf(this.outer, false);
  readonly #server = clientOf(this.inner, true);

  /** Carries bytes between the proxies until nothing moves. */
  async run(): Promise<void> {
    for (let i = 0; i < 8; i++) {
      await turn();
      const near = this.mesh.dialled[0]?.socket;
      const far = this.#server.socket;
      if (near === undefined) continue;
      carry(near, far);
      carry(far, near);
    }
  }
  async appGot(): Promise<string> {
    await this.run();
    return this.app.dialled[0]?.socket.take().toString("latin1") ?? "";
  }
  async appSays(text: string): Promise<void> {
    await this.run();
    this.app.dialled[0]?.socket.deliver(text);
    await this.run();
  }
  async clientGot(): Promise<string> {
    await this.run();
    return this.client.socket.take().toString("latin1");
  }
  settled(): void {
    expect([this.mesh.pending, this.app.pending]).toEqual([0, 0]);
    expect([this.outer.finishedCount, this.inner.finishedCount]).toEqual([1, 1]);
  }
}

function carry(from: FakeSocket, to: FakeSocket): void {
  const bytes = from.take();
  if (bytes.length > 0) to.deliver(bytes);
}

const GET = "GET /ws HTTP/1.1\r\nhost: web\r\nconnection: upgrade\r\nupgrade: echo\r\n\r\n";
const NOT_TAKEN = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";
const SWITCH = "HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: echo\r\nx-accept: yes\r\n\r\n";

test("an upgrade arrives as it was sent, and its bytes flow both ways, half-close included", async () => {
  const r = new Rig();
  r.client.socket.deliver(GET + "early ");
  expect(await r.appGot()).toBe(GET);
  await r.appSays(`${SWITCH}welcome`);
  expect(await r.appGot()).toBe("early ");
  const got = await r.clientGot();
  expect(got).toStartWith("HTTP/1.1 101 Switching Protocols\r\nx-accept: yes\r\n");
  expect(got).toEndWith("\r\n\r\nwelcome");
  expect(got).not.toContain("tulle-");
  r.client.socket.deliver("late");
  r.client.socket.fin();
  expect(await r.appGot()).toBe("late");
  expect(r.app.dialled[0]?.socket.shut).toBe(true);
  await r.appSays("bye");
  expect(await r.clientGot()).toBe("bye");
  r.app.dialled[0]?.socket.fin();
  await r.run();
  expect(r.client.socket.closed).toBe(true);
  r.settled();
});

test("an upgrade to a version, or to one of several protocols, arrives as it was sent (502 before)", async () => {
  for (const upgrade of ["TLS/1.3", "a, b/2", "a/1, b"]) {
    const r = new Rig();
    const get = GET.replace("upgrade: echo", `upgrade: ${upgrade}`);
    r.client.socket.deliver(get);
    expect(await r.appGot()).toBe(get);
    await r.appSays(NOT_TAKEN);
    expect(await r.clientGot()).toBe(NOT_TAKEN);
    r.settled();
  }
});

test.each([
  ["h2c", []],
  ["H2C", []],
  ["foo", ["tulle-orig-upgrade", "h2c"]],
  ["foo", ["tulle-orig-upgrade", "h2, h2c/1"]],
])("upgradeOf() never gives HTTP/2, whoever asks: %s %p", (protocol, fields) => {
  expect(upgradeOf(connectHead(protocol, fields))).toBe("");
});

test("of several protocols, the client is told which one the application took", async () => {
  const several = GET.replace("upgrade: echo", "upgrade: soap/2, echo");
  const r = new Rig();
  r.client.socket.deliver(several);
  expect(await r.appGot()).toBe(several);
  await r.appSays(SWITCH);
  const got = await r.clientGot();
  expect(got).toContain("\r\nupgrade: echo\r\n");
  expect(got).not.toContain("tulle-");
});

test("an upgrade with a body has it forwarded before the tunnel's bytes (docker exec)", async () => {
  const r = new Rig();
  const post = "POST /exec HTTP/1.1\r\nhost: web\r\ncontent-length: 4\r\nconnection: upgrade\r\nupgrade: tcp\r\n\r\n";
  r.client.socket.deliver(`${post}bodystdin`);
  const got = await r.appGot();
  expect(got).toStartWith("POST /exec HTTP/1.1\r\n");
  expect(got).toContain("content-length: 4\r\n");
  expect(got).toEndWith("\r\n\r\nbody");
  await r.appSays("HTTP/1.1 101 UPGRADED\r\nconnection: upgrade\r\nupgrade: tcp\r\n\r\nprompt");
  expect(await r.appGot()).toBe("stdin");
  expect(await r.clientGot()).toEndWith("prompt");
  r.client.socket.deliver(" more");
  expect(await r.appGot()).toBe(" more");
  r.client.socket.reset();
  await r.run();
  expect(r.app.dialled[0]?.socket.closed).toBe(true);
  r.settled();
});

test("an upgrade that the application ignores with 200 is an ordinary response", async () => {
  for (
    const answer of [
      "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello",
      "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
      "HTTP/1.1 204 No Content\r\n\r\n",
      "HTTP/1.1 400 Bad Request\r\ncontent-length: 5\r\n\r\nhello",
    ]
  ) {
    const r = new Rig();
    r.client.socket.deliver(GET);
    await r.appSays(answer);
    expect(await r.clientGot()).toBe(answer);
    expect(r.client.socket.closed).toBe(false);
    r.settled();
  }
});

test("an application that dies before it answers is told to the client; after that, it resets the tunnel", async () => {
  const before = new Rig();
  before.client.socket.deliver(GET);
  await before.run();
  before.app.dialled[0]?.socket.reset();
  expect(await before.clientGot()).toStartWith("HTTP/1.1 502");
  const after = new Rig();
  after.client.socket.deliver(GET);
  await after.appSays(SWITCH);
  await after.clientGot();
  after.app.dialled[0]?.socket.reset();
  await after.run();
  expect(after.client.socket.terminated).toBe(true);
  after.settled();
});
