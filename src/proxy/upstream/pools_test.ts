import { expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { eventually } from "../../../tests/support/eventually.ts";
import { FakeSocket, turn } from "../../../tests/support/fake_socket.ts";
import { brief, END_STREAM, goaway, H2Peer, headers, settings } from "../../../tests/support/h2_peer.ts";
import { Recorder, requestHead } from "../../../tests/support/legs.ts";
import type { Leg } from "../../http/leg.ts";
import { dirtyOutboxes } from "../../net/flush.ts";
import { peerHasEnded } from "../../net/peer_ended.ts";
import { resetConnection } from "../../net/reset.ts";
import type { RawSocket } from "../../net/socket.ts";
import { type Failure, unsent } from "./failure.ts";
import { Http1Pool } from "./http1_pool.ts";
import { Http2Pool } from "./http2_pool.ts";
import { PlainDial } from "./plain_dial.ts";
import { HEAVY, MAX_QUEUED, type Origin, type Waiter } from "./waiter.ts";

/** Sends a GET as soon as it has a leg. */
class Asker extends Recorder implements Waiter {
  readonly http1 = { minorVersion: 1, upgrade: "" } as const;
  origin: Origin = HEAVY;
  isRepeatable = true;
  method = "GET";
  cancelled = false;
  leg: Leg | null = null;
  failure: Failure | null = null;

  onUpstream(leg: Leg): void {
    this.leg = leg;
    leg.sendHead(requestHead(this.method), true, "");
  }
  onUpstreamFailed(failure: Failure): void {
    this.failure = failure;
  }
}

const NO_CONTENT = "HTTP/1.1 204 No Content\r\n\r\n";
const refused = unsent("connect_failed", "nobody listens");

function http1(): { pool: Http1Pool; dials: () => number; accept(): FakeSocket } {
  let dials = 0;
  const pool = new Http1Pool(() => dials++);
  return {
    pool,
    dials: () => dials,
    accept() {
      const socket = new FakeSocket();
      pool.onConnected(socket.raw, null);
      return socket;
    },
  };
}

function ask(pool: Http1Pool | Http2Pool, fresh = false): Asker {
  const asker = new Asker();
  if (pool instanceof Http1Pool) pool.acquire(asker, fresh);
  else pool.acquire(asker);
  return asker;
}

test("Http1Pool connects once for each that waits, and uses idle connections first", () => {
  const { pool, dials, accept } = http1();
  const first = ask(pool);
  const second = ask(pool);
  expect(dials()).toBe(2);
  const socket = accept();
  socket.deliver(NO_CONTENT);
  expect(first.events).toEqual(["head 204 end"]);
  expect(second.leg).toBe(first.leg as never); // the first connection was free before the second stood
  accept();
  ask(pool);
  expect(dials()).toBe(2);
  expect(pool.size).toBe(2);
});

test("Http1Pool gives a second try a connection that cannot have been idle", () => {
  const { pool, dials, accept } = http1();
  ask(pool);
  accept().deliver(NO_CONTENT);
  ask(pool, true);
  expect(dials()).toBe(2);
});

test("Http1Pool gives a request that must arrive once no connection that the server may be closing", async () => {
  const { pool, dials, accept } = http1();
  const once = () => {
    const asker = new Asker();
    asker.isRepeatable = false;
    pool.acquire(asker, false);
  };
  ask(pool);
  accept().deliver(NO_CONTENT);
  once();
  expect(dials()).toBe(1); // nothing is known against it
  const [kept, closed] = [ask(pool), ask(pool)].map(() => accept());
  for (const socket of [kept, closed]) socket?.deliver(NO_CONTENT);
  await Bun.sleep(8);
  closed?.fin(); // idle for 8 ms: 4 ms and less are safe from here on
  const before = dials();
  once();
  expect(dials()).toBe(before + 1);
  ask(pool);
  expect(dials()).toBe(before + 1); // others take it
});

test("Http1Pool fails all that wait when nothing can be connected, and one while others are served", () => {
  const { pool, accept } = http1();
  const all = [ask(pool), ask(pool), ask(pool)];
  accept();
  pool.onDialFailed(refused);
  expect(all.map((a) => a.failure?.code ?? null)).toEqual([null, "connect_failed", null]);
  const other = http1();
  const both = [ask(other.pool), ask(other.pool)];
  other.pool.onDialFailed(refused);
  other.pool.onDialFailed(refused);
  expect(both.map((a) => a.failure?.code)).toEqual(["connect_failed", "connect_failed"]);
});

test("Http1Pool refuses more than it may hold, and skips those that have given up", () => {
  const { pool, accept } = http1();
  const all = Array.from({ length: MAX_QUEUED }, () => ask(pool));
  expect(ask(pool).failure?.code).toBe("queue_full");
  for (const asker of all.slice(0, -1)) asker.cancelled = true;
  expect(ask(pool).failure).toBeNull(); // those who have given up keep nobody from waiting
  accept();
  expect(all.at(-1)?.leg).not.toBeNull();
});

test("Http1Pool lets a client with few requests wait, and serves it, where one with many has taken all it may", () => {
  const { pool, dials, accept } = http1();
  for (let n = 0; n < 6144; n++) {
    ask(pool);
    accept();
  }
  for (let n = 0; n < MAX_QUEUED; n++) ask(pool);
  expect(ask(pool).failure?.code).toBe("queue_full");
  const before = dials();
  const light = new Asker();
  light.origin = { isLight: true, held: 1 };
  pool.acquire(light, false);
  expect(dials()).toBe(before + 1);
  accept();
  expect(light.leg).not.toBeNull();
});

test("a full queue gives up the newest request of who has most for one of somebody who has fewer", () => {
  const { pool } = http1();
  const askAs = (origin: Origin) => {
    const asker = new Asker();
    asker.origin = origin;
    pool.acquire(asker, false);
    return asker;
  };
  const most = { isLight: false, held: 5000 };
  const many = { isLight: false, held: 100 };
  const all = Array.from({ length: MAX_QUEUED }, (_, at) => askAs(at === MAX_QUEUED - 1 ? many : most));
  const failed = () => all.flatMap((asker, at) => (asker.failure === null ? [] : [`${at} ${asker.failure.code}`]));
  expect(askAs(most).failure?.code).toBe("queue_full");
  expect(failed()).toEqual([]);
  const few = askAs({ isLight: false, held: 9 });
  expect(few.failure).toBeNull();
  expect(failed()).toEqual([`${MAX_QUEUED - 2} queue_full`]);
  // As many again of those with few wait beside them, and are then kept out by nobody else.
  const light = { isLight: true, held: 8 };
  for (let n = 0; n < MAX_QUEUED; n++) expect(askAs(light).failure).toBeNull();
  expect(failed()).toHaveLength(1);
  expect(askAs(light).failure).toBeNull();
  expect(failed()).toEqual([`${MAX_QUEUED - 3} queue_full`, `${MAX_QUEUED - 2} queue_full`]);
});

/** A connection from a server's socket to a pool's, both real. */
async function connected(
  server: Bun.TCPSocketListener<unknown>,
  accepted: readonly Bun.Socket<unknown>[],
): Promise<RawSocket> {
  const opened = Promise.withResolvers<RawSocket>();
  new PlainDial("127.0.0.1", server.port, { onConnected: opened.resolve, onDialFailed: opened.reject }).start();
  const socket = await opened.promise;
  await eventually(() => expect(accepted).toHaveLength(1));
  return socket;
}

function listen(accepted: Bun.Socket<unknown>[]): Bun.TCPSocketListener<unknown> {
  return Bun.listen<unknown>({
    hostname: "127.0.0.1",
    port: 0,
    socket: { open: (s) => void accepted.push(s), data() {} },
  });
}

test("Http1Pool sends nothing on a connection that the server has closed already", async () => {
  const accepted: Bun.Socket<unknown>[] = [];
  using server = listen(accepted);
  const socket = await connected(server, accepted);
  accepted[0]?.end();
  // The event loop has no turn in which to hear of it.
  while (!peerHasEnded(socket));
  const { pool } = http1();
  const asker = ask(pool);
  pool.onConnected(socket, null);
  expect([asker.leg, asker.failure]).toMatchObject([null, { code: "connect_failed", unprocessed: true }]);
  expect(pool.size).toBe(0);
});

/** What the kernel says of a connection; asking the socket itself would take an error that waits for it. */
function isEstablished(localPort: number, remotePort: number): boolean {
  const hex = (port: number) => port.toString(16).toUpperCase().padStart(4, "0");
  const line = readFileSync("/proc/self/net/tcp", "latin1").split("\n").find((line) =>
    line.includes(`:${hex(localPort)} `) && line.includes(`:${hex(remotePort)} 01 `)
  );
  return line !== undefined;
}

const ENDS: readonly (readonly [string, (server: Bun.Socket<unknown>) => void])[] = [
  ["has closed", (server) => void server.end()],
  ["has reset", (server) => resetConnection(server as unknown as RawSocket)], // fd is missing in the type only
  ["has spoken on, and closed,", (server) => void server.end("HTTP/1.1 408 Request Timeout\r\n\r\n")],
];

for (const [what, end] of ENDS) {
  test(`Http1Pool sends no POST on a connection that the server ${what} in the turn of the request`, async () => {
    const accepted: Bun.Socket<unknown>[] = [];
    using server = listen(accepted);
    const socket = await connected(server, accepted);
    const { pool } = http1();
    const asker = new Asker();
    asker.method = "POST";
    asker.isRepeatable = false;
    pool.acquire(asker, false);
    pool.onConnected(socket, null);
    expect(asker.leg).not.toBeNull(); // all was well when it got the connection
    end(accepted[0] as Bun.Socket<unknown>); // connected
    while (isEstablished(socket.localPort, server.port));
    dirtyOutboxes.run(); // the turn ends
    expect(asker.events).toEqual(["abort 7 unprocessed server closed the connection: nothing was sent"]);
    expect(pool.size).toBe(0);
  });
}

test("Http1Pool closes what nobody needed for an interval, and keeps what is used", async () => {
  const { pool, accept } = http1();
  ask(pool);
  ask(pool);
  const sockets = [accept(), accept()];
  for (const socket of sockets) socket.deliver(NO_CONTENT);
  ask(pool); // the latest
  sockets[1]?.deliver(NO_CONTENT);
  pool.onTimer(0);
  await turn();
  expect(sockets.filter((s) => s.closed).length).toBe(1);
  pool.onTimer(0);
  pool.onTimer(0);
  await turn();
  expect(pool.size).toBe(0);
});

test("Http1Pool connects again for those that wait when a connection goes", () => {
  const { pool, dials, accept } = http1();
  ask(pool);
  const socket = accept();
  ask(pool);
  pool.onDialFailed(refused); // the second's; there is nobody to tell but the one that waits
  const third = ask(pool);
  const before = dials();
  socket.reset();
  expect(dials()).toBeGreaterThanOrEqual(before);
  accept();
  expect(third.leg).not.toBeNull();
});

test("Http1Pool closes idle connections at shutdown and others when they are done", async () => {
  const { pool, accept } = http1();
  ask(pool);
  ask(pool);
  const sockets = [accept(), accept()];
  sockets[0]?.deliver(NO_CONTENT);
  pool.shutdown();
  await turn();
  expect(sockets.map((s) => s.closed)).toEqual([true, false]);
  sockets[1]?.deliver(NO_CONTENT);
  await turn();
  expect(sockets[1]?.closed).toBe(true);
  expect(pool.size).toBe(0);
});

function http2(): { pool: Http2Pool; dials: () => number; accept(values?: Record<number, number>): H2Peer } {
  let dials = 0;
  const pool = new Http2Pool(false, 100, () => dials++);
  return {
    pool,
    dials: () => dials,
    accept(values = {}) {
      const socket = new FakeSocket();
      pool.onConnected(socket.raw, null);
      const peer = new H2Peer(socket, true);
      peer.send(settings(values));
      return peer;
    },
  };
}

const noContent = (id: number) => headers(id, { ":status": "204" }, END_STREAM);

test("Http2Pool carries all on one connection, and connects once for many that wait", () => {
  const { pool, dials, accept } = http2();
  const all = Array.from({ length: 50 }, () => ask(pool));
  expect(dials()).toBe(1);
  const peer = accept();
  expect(all.every((a) => a.leg !== null)).toBe(true);
  peer.send(noContent(1));
  expect(all[0]?.events).toEqual(["head 204 end"]);
});

test("Http2Pool serves its queue one by one when the peer allows one stream at a time", () => {
  const { pool, accept } = http2();
  ask(pool).cancelled = false;
  const peer = accept({ 3: 1 });
  const more = [ask(pool), ask(pool)];
  for (let id = 1; id <= 5; id += 2) peer.send(noContent(id));
  expect(more.map((a) => a.events)).toEqual([["head 204 end"], ["head 204 end"]]);
});

test("Http2Pool takes a new connection to allow as many streams as the last one did (gRPC max_streams)", () => {
  const { pool, accept } = http2();
  const first = ask(pool);
  accept({ 3: 1 });
  const others = [ask(pool), ask(pool), ask(pool)];
  accept({ 3: 1 }); // its SETTINGS arrive after it was connected
  expect([first, ...others].filter((asker) => asker.leg !== null).length).toBe(2);
});

test("Http2Pool opens a further connection when one is full", () => {
  const { pool, dials, accept } = http2();
  ask(pool);
  accept({ 3: 1 });
  const second = ask(pool);
  expect(dials()).toBe(2);
  accept();
  expect(second.leg).not.toBeNull();
  expect(pool.size).toBe(2);
});

test("Http2Pool turns to a new connection at GOAWAY, and drops the old one when it is done", async () => {
  const { pool, dials, accept } = http2();
  const first = ask(pool);
  const old = accept();
  old.send(goaway(1, 0));
  const second = ask(pool);
  expect(dials()).toBe(2);
  accept();
  expect(second.leg).not.toBeNull();
  old.send(noContent(1));
  await turn();
  expect(first.events).toEqual(["head 204 end"]);
  expect(old.socket.closed).toBe(true);
  expect(pool.size).toBe(1);
});

test("Http2Pool fails those that wait when nothing can be connected", () => {
  const { pool } = http2();
  const all = [ask(pool), ask(pool)];
  pool.onDialFailed(refused);
  expect(all.map((a) => a.failure?.code)).toEqual(["connect_failed", "connect_failed"]);
});

test("Http2Pool sends those that still wait at shutdown elsewhere", async () => {
  const { pool, accept } = http2();
  const asker = ask(pool);
  pool.shutdown();
  const peer = accept();
  await turn();
  expect(asker.failure?.unprocessed).toBe(true);
  expect(peer.socket.closed).toBe(true);
  expect(pool.size).toBe(0);
});

test("Http2Pool moves over to a new connection before the certificates of the old one expire", async () => {
  let dials = 0;
  let cuts = 0;
  const pool = new Http2Pool(true, 100, () => dials++, undefined, () => cuts++);
  const connect = (life: { retireMs: number; expireMs: number; cutMs: number }) => {
    const socket = new FakeSocket();
    pool.onConnected(socket.raw, null, life);
    const peer = new H2Peer(socket, true);
    peer.send(settings());
    return peer;
  };
  const running = ask(pool);
  const old = connect({ retireMs: 10, expireMs: 5000, cutMs: 5000 });
  await eventually(() => expect(dials).toBe(2)); // a stream is open: another one is made first
  const between = ask(pool);
  expect(brief(await old.frames()).filter((text) => /HEADERS|GOAWAY/.test(text))).toEqual([
    "HEADERS 1 END",
    "HEADERS 3 END",
  ]);
  const fresh = connect({ retireMs: 60_000, expireMs: 60_000, cutMs: 60_000 });
  const later = ask(pool);
  expect(brief(await old.frames()).filter((text) => /HEADERS|GOAWAY/.test(text))).toEqual(["GOAWAY 0:0:0"]);
  for (const id of [1, 3]) old.send(headers(id, { ":status": "204" }, END_STREAM));
  fresh.send(headers(1, { ":status": "204" }, END_STREAM));
  for (const asker of [running, between, later]) expect(asker.events).toEqual(["head 204 end"]);
  expect([pool.size, dials, cuts]).toEqual([1, 2, 0]);
  pool.shutdown();
});

test("Http2Pool ends an idle connection whose certificates expire, and cuts one that outlives them", async () => {
  let cuts = 0;
  const pool = new Http2Pool(true, 100, () => {}, undefined, () => cuts++);
  pool.onConnected(new FakeSocket().raw, null, { retireMs: 0, expireMs: 5000, cutMs: 5000 });
  await eventually(() => expect(pool.size).toBe(0));
  const stays = ask(pool);
  pool.onConnected(new FakeSocket().raw, null, { retireMs: 1000, expireMs: 1000, cutMs: 20 });
  await eventually(() => expect(cuts).toBe(1));
  expect(stays.events).toEqual([expect.stringMatching(/^abort/)]);
});
