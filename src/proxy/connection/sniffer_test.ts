import { expect, test } from "bun:test";
import { FakeSocket, turn } from "../../../tests/support/fake_socket.ts";
import { PREFACE } from "../../../tests/support/h2_peer.ts";
import { IdleConnections } from "../../http/idle_connections.ts";
import type { RawSocket, SocketOwner } from "../../net/socket.ts";
import { Sniffer, type SnifferOwner } from "./sniffer.ts";
import type { Tunnel } from "./tunnel.ts";

/** A tunnel that notes that it was given up. */
class TestTunnel {
  cancelled = 0;
  cancel(): void {
    this.cancelled++;
  }
  get asTunnel(): Tunnel {
    return this as unknown as Tunnel; // sniffers use no other member
  }
}

class Owner implements SnifferOwner {
  readonly events: string[] = [];
  readonly tunnel = new TestTunnel();
  aheads = true;
  /** What takes the socket over. */
  readonly ended: string[] = [];

  http(socket: RawSocket, isHttp2: boolean, early: Uint8Array): void {
    this.events.push(`${isHttp2 ? "http2" : "http1"} ${early.length}`);
    this.#take(socket);
  }
  opaque(socket: RawSocket, tunnel: Tunnel | null, early: Uint8Array, serverFirst: boolean): void {
    this.events.push(
      `opaque ${Buffer.from(early).toString()}${tunnel === null ? "" : " ahead"}${serverFirst ? " server" : ""}`,
    );
    this.#take(socket);
  }
  ahead(): Tunnel | null {
    this.events.push("asked ahead");
    return this.aheads ? this.tunnel.asTunnel : null;
  }
  closed(): void {
    this.events.push("closed");
  }

  #take(socket: RawSocket): void {
    const { ended } = this;
    socket.data = {
      onEnd: () => ended.push("end"),
      onClose() {},
      onData: () => ended.push("data"),
    } as unknown as SocketOwner;
  }
}

function sniff(serverFirst = false): { socket: FakeSocket; owner: Owner; sniffer: Sniffer } {
  const socket = new FakeSocket();
  const owner = new Owner();
  return { socket, owner, sniffer: new Sniffer(socket.raw, owner, "detect", serverFirst, new IdleConnections()) };
}

for (
  const { what, pieces, want } of [
    { what: "HTTP/1.1", pieces: ["GET / HTTP/1.1\r\n"], want: "http1 16" },
    { what: "HTTP/1.1 byte by byte", pieces: [..."GET / HTTP/1.1\r\nhost: a\r\n"], want: "http1" },
    { what: "HTTP/2", pieces: [PREFACE.toString("latin1")], want: "http2 24" },
    { what: "HTTP/2 in two pieces", pieces: ["PRI * HT", "TP/2.0\r\n\r\nSM\r\n\r\n"], want: "http2 24" },
    { what: "bytes that are neither", pieces: ["\x16\x03\x01"], want: "opaque \x16\x03\x01" },
  ]
) {
  test(`Sniffer hands ${what} over with all bytes so far`, () => {
    const { socket, owner } = sniff();
    for (const piece of pieces) socket.deliver(piece);
    expect(owner.events).toHaveLength(1);
    expect(owner.events[0]).toStartWith(want);
  });
}

test("bytes that stay ambiguous become opaque after a while", () => {
  const { socket, owner, sniffer } = sniff();
  socket.deliver("GET");
  sniffer.onTimer(0);
  expect(owner.events).toEqual(["opaque GET"]);
});

test("a client that ends before it is known what it is becomes opaque, with its end behind its bytes", () => {
  const { socket, owner } = sniff();
  socket.deliver("GE");
  socket.fin();
  expect(owner.events).toEqual(["opaque GE"]);
  expect(owner.ended).toEqual(["end"]);
});

test("the server is asked ahead, and whoever speaks first decides", () => {
  const first = sniff();
  first.sniffer.onSoon();
  first.sniffer.serverSpoke();
  expect(first.owner.events).toEqual(["asked ahead", "opaque  ahead server"]);
  const second = sniff();
  second.sniffer.onSoon();
  second.socket.deliver("GET / HTTP/1.1\r\n");
  expect(second.owner.events).toEqual(["asked ahead", "http1 16"]);
  expect(second.owner.tunnel.cancelled).toBe(1);
  second.sniffer.serverSpoke(); // too late
  expect(second.owner.events).toHaveLength(2);
});

test("a server known to speak first is asked at once, after the sniffer is in its owner's hands", async () => {
  const { owner } = sniff(true);
  expect(owner.events).toEqual([]);
  await turn();
  expect(owner.events).toEqual(["asked ahead"]);
});

test("a client that goes away takes the connection ahead with it", () => {
  const { socket, owner, sniffer } = sniff();
  sniffer.onSoon();
  socket.reset();
  expect(owner.events).toEqual(["asked ahead", "closed"]);
  expect(owner.tunnel.cancelled).toBe(1);
  sniffer.onSoon(); // its time comes all the same
  expect(owner.events).toHaveLength(2);
});

test("abandon() closes, and nothing follows", () => {
  const { socket, owner, sniffer } = sniff();
  sniffer.abandon();
  expect(socket.closed).toBe(true);
  sniffer.onSoon();
  expect(owner.events).toEqual([]);
});
