/** Opaque connections: streams between sidecars that each open one, upgrades, and servers that send without an end. */
import { frame, FrameType, literalBlock } from "../support/h2_frames.ts";
import type { Attack } from "./_attack.ts";
import { credit, H2Wire } from "./_h2_wire.ts";
import type { Place } from "./_rig.ts";
import type { Wire } from "./_wire.ts";

const END_HEADERS = 4;

function connectStream(id: number, protocol: string, path: string): Buffer {
  const fields: [string, string][] = [
    [":method", "CONNECT"],
    [":protocol", protocol],
    [":scheme", "http"],
    [":path", path],
    [":authority", "web"],
  ];
  return frame(FrameType.HEADERS, END_HEADERS, id, literalBlock(fields));
}

const streamFlood: Attack = {
  name: "10,000 opaque connections as streams of 5 connections",
  place: "mesh",
  boundMb: 160,
  refusals: ["connection_share", "memory_share", "overloaded"],
  isAbsorbedWhenSmall: true,
  async run(rig, scale) {
    const peers: H2Wire[] = [];
    for (let at = 0; at < 5; at++) {
      const peer = await H2Wire.start(await rig.open("mesh", "noise"), 0);
      await peer.flood(scale.of(2_000, 50), () => connectStream(peer.id(), "tulle-tcp", "/"), 100);
      peers.push(peer);
    }
    await Bun.sleep(scale.of(4_000, 300));
    const answered = peers.reduce((sum, peer) => sum + peer.heads, 0);
    for (const peer of peers) peer.close();
    return `${answered} were answered`;
  },
};

const noise = (place: Place): Attack => ({
  name: "500 opaque connections to a server that never stops, nothing read",
  place,
  boundMb: 160,
  refusals: ["memory_share"],
  isAbsorbedWhenSmall: true,
  async run(rig, scale) {
    const wires: Wire[] = [];
    for (let at = 0; at < scale.of(500, 20); at++) {
      const wire = await rig.open(place, "noise");
      wire.deaf();
      await wire.send("x");
      wires.push(wire);
    }
    await Bun.sleep(scale.of(3_000, 300));
    for (const wire of wires) wire.close();
  },
});

const upgrades = (place: Place): Attack => ({
  name: "upgrades: 2,000 WebSockets",
  place,
  boundMb: 80,
  refusals: [],
  async run(rig, scale) {
    const wires: Wire[] = [];
    const head = "GET /socket HTTP/1.1\r\nhost: web\r\nconnection: upgrade\r\nupgrade: websocket\r\n" +
      "sec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
    let upgraded = 0;
    for (let at = 0; at < scale.of(2_000, 50); at++) {
      const wire = await rig.open(place, "http1");
      wire.onData = (bytes) => {
        if (bytes.toString("latin1").startsWith("HTTP/1.1 101")) upgraded++;
      };
      await wire.send(head);
      wires.push(wire);
    }
    await Bun.sleep(scale.of(2_000, 300));
    for (const wire of wires) wire.close();
    return `${upgraded} upgraded`;
  },
});

const socketStreams = (place: Place): Attack => ({
  name: "upgrades over HTTP/2: 10 connections × 500 streams",
  place,
  boundMb: 120,
  refusals: [],
  async run(rig, scale) {
    const peers: H2Wire[] = [];
    for (let at = 0; at < scale.of(10, 2); at++) {
      const peer = await H2Wire.start(await rig.open(place, "http1"), 0);
      await peer.send(credit(0, 1 << 20));
      await peer.flood(scale.of(500, 50), () => connectStream(peer.id(), "websocket", "/socket"), 50);
      peers.push(peer);
    }
    await Bun.sleep(scale.of(3_000, 300));
    const answered = peers.reduce((sum, peer) => sum + peer.heads, 0);
    for (const peer of peers) peer.close();
    return `${answered} were answered`;
  },
});

export const TUNNELS: readonly Attack[] = [
  streamFlood,
  ...(["outbound", "inbound"] as const).flatMap((place) => [noise(place), upgrades(place), socketStreams(place)]),
];
