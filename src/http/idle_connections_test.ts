import { expect, test } from "bun:test";
import { FakeSocket, turn } from "../../tests/support/fake_socket.ts";
import { END_STREAM, frame, PREFACE, request, settings, settingsAck } from "../../tests/support/h2_peer.ts";
import { response } from "../../tests/support/legs.ts";
import { HeadCache } from "../wire/http1/head_cache.ts";
import type { RequestHead } from "../wire/http1/request_head.ts";
import { RecordingServer } from "./http1_fixture.ts";
import { Http1Server } from "./http1_server.ts";
import { Http2Connection } from "./http2_connection.ts";
import { RecordingOwner } from "./http2_connection_fixture.ts";
import { IdleConnection, IdleConnections, MIN_IDLE_MS } from "./idle_connections.ts";
import { PeerShare } from "./waiting_budget.ts";

const GET = "GET / HTTP/1.1\r\nhost: web\r\n\r\n";

class Named extends IdleConnection {
  readonly socket = new FakeSocket().raw;
  readonly #name: string;
  readonly #closed: string[];
  mayClose = true;

  constructor(name: string, closed: string[]) {
    super();
    this.#name = name;
    this.#closed = closed;
  }

  closeIdle(): boolean {
    if (this.mayClose) this.#closed.push(this.#name);
    return this.mayClose;
  }
}

test("IdleConnections closes those that never said a byte first, then who is idle for longest, and nobody young", () => {
  const closed: string[] = [];
  const idle = new IdleConnections();
  const named = (name: string) => new Named(name, closed);
  const all = { used: named("used"), again: named("again"), silent: named("silent"), busy: named("busy") };
  idle.add(all.again);
  idle.add(all.used);
  idle.add(all.busy);
  idle.addSilent(all.silent);
  idle.delete(all.busy);
  idle.add(all.again); // it was used meanwhile
  const young = named("young");
  for (const one of Object.values(all)) one.idleSinceMs -= 2 * MIN_IDLE_MS;
  idle.addSilent(young);
  idle.deleteSilent(young); // it has said something
  idle.add(young);
  while (idle.closeOne());
  expect(closed).toEqual(["silent", "used", "again"]);
  expect(idle.size).toBe(1);
});

test("IdleConnections passes over one that may not be closed now", () => {
  const closed: string[] = [];
  const idle = new IdleConnections();
  const [stays, goes] = [new Named("stays", closed), new Named("goes", closed)];
  for (const one of [stays, goes]) {
    idle.add(one);
    one.idleSinceMs -= 2 * MIN_IDLE_MS;
  }
  stays.mayClose = false;
  expect([idle.closeOne(), idle.closeOne()]).toEqual([true, false]);
  expect(closed).toEqual(["goes"]);
  expect(idle.size).toBe(1);
});

/** A connection of HTTP/1.1 or HTTP/2, and its client. */
function serve(isHttp2: boolean) {
  const socket = new FakeSocket();
  const share = new PeerShare("outbound", "workload");
  if (!isHttp2) {
    const owner = new RecordingServer(true);
    const connection = new Http1Server(socket.raw, owner, new HeadCache<RequestHead>(), share);
    const ask = () => socket.deliver(GET);
    const begin = () => socket.deliver(GET.slice(0, 9));
    const answer = () => connection.sendHead(response(204), true, "");
    return { socket, share, connection, owner, ask, begin, answer };
  }
  const owner = new RecordingOwner(true);
  const connection = new Http2Connection(socket.raw, true, false, owner, share);
  socket.deliver(Buffer.concat([PREFACE, settings(), settingsAck()]));
  const ask = () => socket.deliver(request(2 * owner.streams.length + 1));
  const begin = () => socket.deliver(frame(1, END_STREAM, 2 * owner.streams.length + 1));
  const answer = () => owner.streams.at(-1)?.sendHead(response(204), true, "");
  return { socket, share, connection, owner, ask, begin, answer };
}

for (const isHttp2 of [false, true]) {
  const version = isHttp2 ? "HTTP/2" : "HTTP/1.1";
  test(`a connection of ${version} may be closed while no request is under way, and not while one is`, async () => {
    const { socket, share: { idle }, connection, owner, ask, begin, answer } = serve(isHttp2);
    const isClosed = () => {
      connection.idleSinceMs -= 2 * MIN_IDLE_MS;
      return idle.closeOne();
    };
    ask();
    expect(isClosed()).toBe(false);
    socket.room = 0;
    answer();
    await turn();
    expect(isClosed()).toBe(false); // its client has not taken the answer
    socket.drain();
    await turn();
    begin();
    expect(idle.closeOne()).toBe(false); // the beginning of a head is one of a request, for as long as idle ones are spared
    expect(isClosed()).toBe(true);
    expect(socket.closed).toBe(true);
    expect(idle.size).toBe(0);
    expect(owner.events.filter((event) => event.startsWith("closed"))).toHaveLength(1);
  });
}

test("an idle connection of HTTP/2 says GOAWAY with the last stream that it took", async () => {
  const { socket, share: { idle }, connection, ask, answer } = serve(true);
  ask();
  answer();
  await turn();
  socket.take();
  connection.idleSinceMs -= 2 * MIN_IDLE_MS;
  idle.closeOne();
  const bytes = socket.take();
  expect([bytes[3], bytes.readUInt32BE(9), bytes.readUInt32BE(13)]).toEqual([7, 1, 0]);
});
