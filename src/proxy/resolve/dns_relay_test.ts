import { afterEach, expect, test } from "bun:test";
import { query, response } from "../../../tests/support/dns.ts";
import { freePorts } from "../../../tests/support/ports.ts";
import { eventually } from "../../../tests/support/eventually.ts";
import { A, CNAME } from "../../wire/dns/message.ts";
import { nameBytes } from "../../../tests/support/dns.ts";
import { DnsRelay } from "./dns_relay.ts";
import type { Nameserver } from "./nameservers.ts";
import { Pins } from "./pins.ts";

const NAME = "api.example.org";
const HOST = "127.0.0.1";
/** What the relay gives its questions; no program of a test does. */
const ID = 0xbeef;
const DATA = { name: NAME, type: A, data: [192, 0, 2, 1] };

type UdpSocket = Bun.udp.Socket<"buffer">;
type Handler = (bytes: Buffer, port: number, server: UdpSocket) => void;

const toClose: (() => void)[] = [];
afterEach(() => {
  for (const close of toClose.splice(0)) close();
});

async function udp(handler: Handler, port = 0): Promise<UdpSocket> {
  const socket = await Bun.udpSocket({
    hostname: HOST,
    port,
    socket: { data: (server, bytes, from) => handler(bytes, from, server), error() {} },
  });
  toClose.push(() => socket.close());
  return socket;
}

const idOf = (bytes: Uint8Array) => ((bytes[0] as number) << 8) | (bytes[1] as number);
const answer: Handler = (bytes, port, server) => server.send(response(NAME, A, [DATA], idOf(bytes)), port, HOST);

async function relayTo(...servers: readonly Nameserver[]) {
  const pins = new Pins();
  const counts: string[] = [];
  let learnt = 0;
  const relay = new DnsRelay({
    pins,
    observer: {
      onQuery: (transport) => counts.push(`${transport} query`),
      onAnswer: (transport) => counts.push(`${transport} answer`),
      onFailure: (transport, reason) => counts.push(`${transport} ${reason}`),
    },
    nameservers: () => servers,
    onLearnt: () => learnt++,
    clock: () => performance.now(),
    randomId: () => ID,
  });
  const [free = 0] = await freePorts(1, HOST);
  const port = await relay.open(HOST, free, false);
  toClose.push(() => relay.close());
  const has = (ip = "192.0.2.1", name = NAME) => pins.has(name, ip, performance.now());
  return { relay, port, pins, counts, has, learnt: () => learnt };
}

/** Asks once; collects what comes back. */
async function ask(port: number, message: Uint8Array): Promise<Buffer[]> {
  const got: Buffer[] = [];
  const socket = await udp((bytes) => got.push(Buffer.from(bytes)));
  socket.send(message, port, HOST);
  return got;
}

test("an answer comes back as it is, with the program's id, and its addresses are pinned before it does", async () => {
  const ids: number[] = [];
  const server = await udp((bytes, port, from) => {
    ids.push(idOf(bytes));
    answer(bytes, port, from);
  });
  const { port, has, counts, learnt } = await relayTo({ host: HOST, port: server.port });
  const got = await ask(port, query("API.example.org", A, 0x0102));
  await eventually(() => expect(got.length).toBe(1));
  expect(got[0]).toEqual(Buffer.from(response(NAME, A, [DATA], 0x0102)));
  expect([has(), learnt(), counts]).toEqual([true, 1, ["udp query", "udp answer"]]);
  expect(ids).toEqual([ID]);
});

test("what answers another question, under another id or from another address is not believed", async () => {
  const stranger = await udp(() => {});
  const server = await udp((bytes, port, from) => {
    const id = idOf(bytes);
    stranger.send(response(NAME, A, [{ ...DATA, data: [6, 6, 6, 6] }], id), port, HOST);
    from.send(response(NAME, A, [{ ...DATA, data: [6, 6, 6, 7] }], id ^ 1), port, HOST);
    from.send(response("b.example.org", A, [{ ...DATA, data: [6, 6, 6, 8] }], id), port, HOST);
    from.send(query(NAME, A, id), port, HOST);
    answer(bytes, port, from);
  });
  const { port, has, counts } = await relayTo({ host: HOST, port: server.port });
  const got = await ask(port, query(NAME, A, 7));
  await eventually(() => expect(got.length).toBe(1));
  expect(["192.0.2.1", "6.6.6.6", "6.6.6.7", "6.6.6.8"].map((ip) => has(ip))).toEqual([true, false, false, false]);
  expect(has("6.6.6.8", "b.example.org")).toBe(false);
  expect(counts).toEqual(["udp query", "udp mismatch", "udp mismatch", "udp mismatch", "udp answer"]);
});

test("where a nameserver is gone or silent the next is asked; refusals pass", async () => {
  const gone = await udp(() => {});
  const free = gone.port;
  gone.close();
  const silent = await udp(() => {});
  const server = await udp((bytes, port, from) => {
    const refusal = Uint8Array.from([bytes[0] as number, bytes[1] as number, 0x81, 0x85, 0, 0, 0, 0, 0, 0, 0, 0]);
    from.send(refusal, port, HOST);
  });
  const { port, counts } = await relayTo(
    { host: HOST, port: free },
    { host: HOST, port: silent.port },
    { host: HOST, port: server.port },
  );
  const got = await ask(port, query(NAME, A, 0x0a0b));
  await eventually(() => expect(got.length).toBe(1));
  expect(got[0]?.toString("hex")).toBe("0a0b81850000000000000000");
  expect(counts).toEqual(["udp query", "udp answer"]);
});

test("a nameserver that there is no way to is no nameserver", async () => {
  const server = await udp(answer);
  // The kernel refuses the first at once, as it does IPv6 on a host without.
  const { port, counts } = await relayTo({ host: "255.255.255.255", port: 53 }, { host: HOST, port: server.port });
  const got = await ask(port, query(NAME, A));
  await eventually(() => expect(got.length).toBe(1));
  expect(counts).toEqual(["udp query", "udp answer"]);
});

test("an answer for a program that has gone costs no other program its own", async () => {
  const waiting: (() => void)[] = [];
  const server = await udp((bytes, port, from) => {
    const kept = Buffer.from(bytes);
    waiting.push(() => answer(kept, port, from));
  });
  const { port, counts } = await relayTo({ host: HOST, port: server.port });
  const gone = await udp(() => {});
  gone.send(query(NAME, A), port, HOST);
  await eventually(() => expect(waiting.length).toBe(1));
  gone.close();
  const got = await ask(port, query(NAME, A));
  await eventually(() => expect(waiting.length).toBe(2));
  for (const reply of waiting) reply();
  await eventually(() => expect(counts.filter((text) => text === "udp answer").length).toBe(2));
  await eventually(() => expect(got.length).toBe(1));
});

test("who answers in the first nameserver's stead is asked first, until it does not answer", async () => {
  const asked: string[] = [];
  const named = (name: string): Handler => (bytes, port, from) => {
    asked.push(name);
    answer(bytes, port, from);
  };
  const first = await udp(() => {});
  const firstPort = first.port;
  first.close();
  const second = await udp(named("second"));
  const { port } = await relayTo({ host: HOST, port: firstPort }, { host: HOST, port: second.port });
  const askAll = async (count: number) => {
    for (let i = 0; i < count; i++) {
      const got = await ask(port, query(NAME, A));
      await eventually(() => expect(got.length).toBe(1));
    }
  };
  await askAll(1);
  await udp(named("first"), firstPort);
  await askAll(1);
  const secondPort = second.port;
  second.close();
  await askAll(1);
  await udp(named("second"), secondPort);
  await askAll(1);
  expect(asked).toEqual(["second", "second", "first", "first"]);
});

test("where nobody answers nothing is made up; what is no question goes nowhere", async () => {
  const { port, counts, pins } = await relayTo();
  const got = await ask(port, query(NAME, A));
  await eventually(() => expect(counts).toEqual(["udp query", "udp unreachable"]));
  await ask(port, Uint8Array.of(1, 2, 3));
  await ask(port, response(NAME, A, [DATA]));
  await eventually(() => expect(counts.filter((text) => text === "udp malformed").length).toBe(2));
  expect([got.length, pins.names]).toEqual([0, 0]);
});

const framed = (message: Uint8Array) =>
  Buffer.concat([Buffer.from([message.length >>> 8, message.length & 255]), message]);

test("by TCP bytes pass as they are, in any pieces, and answers are learnt from", async () => {
  const asked: Buffer[] = [];
  const target = { name: NAME, type: CNAME, data: nameBytes("cdn.example.net") };
  const replies = Buffer.concat([
    framed(response(NAME, A, [target, { ...DATA, name: "cdn.example.net" }], 1)),
    framed(response("b.example.org", A, [{ ...DATA, name: "b.example.org" }], 9)), // nobody asked
  ]);
  const server = Bun.listen({
    hostname: HOST,
    port: 0,
    socket: {
      data(socket, bytes) {
        asked.push(Buffer.from(bytes));
        for (let i = 0; i < replies.length; i += 7) socket.write(replies.subarray(i, i + 7));
      },
    },
  });
  toClose.push(() => server.stop(true));
  const { port, has, counts } = await relayTo({ host: HOST, port: server.port });
  const got: Buffer[] = [];
  const client = await Bun.connect({
    hostname: HOST,
    port,
    socket: { data: (_socket, bytes) => void got.push(Buffer.from(bytes)) },
  });
  const question = framed(query(NAME, A, 1));
  client.write(question.subarray(0, 5));
  client.write(question.subarray(5));
  await eventually(() => expect(Buffer.concat(got)).toEqual(replies));
  expect(Buffer.concat(asked)).toEqual(question);
  expect([has(), has("192.0.2.1", "b.example.org")]).toEqual([true, false]);
  expect(counts).toEqual(["tcp query", "tcp answer", "tcp answer", "tcp mismatch"]);
  client.end();
});

test("a program's connection is reset where no nameserver takes it", async () => {
  const gone = await udp(() => {});
  const { port } = gone;
  gone.close();
  const { port: relayPort, counts } = await relayTo({ host: HOST, port }, { host: HOST, port });
  let isClosed = false;
  await Bun.connect({ hostname: HOST, port: relayPort, socket: { data() {}, close: () => void (isClosed = true) } });
  await eventually(() => expect([isClosed, counts]).toEqual([true, ["tcp unreachable"]]));
});

test("during an upgrade two processes listen, and the one that stops answers what it was asked", async () => {
  let reply: (() => void) | null = null;
  const server = await udp((bytes, port, from) => {
    const kept = Buffer.from(bytes);
    reply = () => answer(kept, port, from);
  });
  const first = await relayTo({ host: HOST, port: server.port });
  const got = await ask(first.port, query(NAME, A));
  await eventually(() => expect(first.counts).toEqual(["udp query"]));
  await eventually(() => expect(reply).not.toBeNull());
  const second = await relayTo({ host: HOST, port: server.port });
  expect(await second.relay.open(HOST, first.port, true)).toBe(first.port);
  const stopped = new Promise<void>((resolve) => first.relay.stop(resolve));
  await eventually(() => {
    reply?.();
    expect(got.length).toBe(1);
  });
  await stopped;
  expect(first.has()).toBe(true);
});
