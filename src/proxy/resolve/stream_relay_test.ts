import { afterEach, expect, test } from "bun:test";
import { query, response } from "../../../tests/support/dns.ts";
import { eventually } from "../../../tests/support/eventually.ts";
import { FakeSocket } from "../../../tests/support/fake_socket.ts";
import { freePorts } from "../../../tests/support/ports.ts";
import { resetConnection } from "../../net/reset.ts";
import type { RawSocket } from "../../net/socket.ts";
import { A } from "../../wire/dns/message.ts";
import { StreamRelay } from "./stream_relay.ts";

const HOST = "127.0.0.1";
const NAME = "api.example.org";

const toClose: (() => void)[] = [];
afterEach(() => {
  for (const close of toClose.splice(0)) close();
});

const framed = (message: Uint8Array) =>
  Buffer.concat([Buffer.from([message.length >>> 8, message.length & 255]), message]);
const question = (id: number) => framed(query(NAME, A, id));
const reply = (id: number) => framed(response(NAME, A, [{ name: NAME, type: A, data: [192, 0, 2, 1] }], id));

/** A nameserver on a port of its own. */
function nameserver(data: (socket: Bun.Socket, bytes: Buffer) => void, end: (socket: Bun.Socket) => void = () => {}) {
  const server = Bun.listen({ hostname: HOST, port: 0, allowHalfOpen: true, socket: { data, end } });
  toClose.push(() => server.stop(true));
  return { host: HOST, port: server.port };
}

/** A program that is connected to the relay; its socket gives what it got. */
function program(...servers: readonly { readonly host: string; readonly port: number }[]) {
  const socket = new FakeSocket();
  let isGone = false;
  const owner = { learn() {}, gone: () => void (isGone = true) };
  const observer = { onQuery() {}, onAnswer() {}, onFailure() {} };
  const relay = new StreamRelay(owner, observer, socket.raw, servers);
  toClose.push(() => relay.close());
  socket.data = relay.side;
  relay.side.onOpen(socket.raw);
  const got: Buffer[] = [];
  const received = () => {
    got.push(socket.take());
    return Buffer.concat(got);
  };
  return { socket, relay, received, isGone: () => isGone };
}

test("a program that asked before a nameserver was found is heard on by the next one", async () => {
  const [closed = 0] = await freePorts(1, HOST);
  const answering = nameserver((socket, bytes) => void socket.write(reply(bytes[3] as number)));
  const { socket, received } = program({ host: HOST, port: closed }, answering);
  socket.deliver(question(1));
  expect(socket.paused).toBe(true); // what is not asked yet is kept by the kernel
  await eventually(() => expect(received()).toEqual(reply(1)));
  socket.deliver(question(2));
  await eventually(() => expect(received()).toEqual(Buffer.concat([reply(1), reply(2)])));
});

test("a program that has said all it has to say gets its answer, and both connections end", async () => {
  let hasEnded = false;
  const answering = nameserver(() => {}, (socket) => {
    hasEnded = true;
    socket.write(reply(1));
    socket.end();
  });
  const { socket, received, isGone } = program(answering);
  socket.deliver(question(1));
  socket.fin();
  await eventually(() => expect([hasEnded, socket.closed, isGone()]).toEqual([true, true, true]));
  expect([received(), socket.terminated]).toEqual([reply(1), false]);
});

test("a program that stays when its nameserver is gone is counted until its time is over", async () => {
  const resetting = nameserver((socket) => resetConnection(socket as unknown as RawSocket)); // it is one
  const { socket, relay, isGone } = program(resetting);
  socket.deliver(question(1));
  await eventually(() => expect(socket.shut).toBe(true));
  expect([socket.closed, isGone()]).toEqual([false, false]);
  relay.onTimer(0);
  expect([socket.closed, isGone()]).toEqual([true, true]);
});
