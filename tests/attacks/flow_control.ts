/** Clients that ask for much and take nothing: what is sent to them waits in the sidecars. */
import type { Attack } from "./_attack.ts";
import { credit, data, H2Wire, request } from "./_h2_wire.ts";
import type { Place, Rig } from "./_rig.ts";
import type { Wire } from "./_wire.ts";

/** Time for bodies to arrive in the sidecars and stay there. */
const STAY_MS = 3_000;
const HTTP2_PLACES = ["outbound", "inbound", "mesh"] as const;

/** Connections with so many streams each, all waiting for a body of 10 MB that the attacker does not read. */
async function stall(
  rig: Rig,
  place: Place,
  connections: number,
  streams: number,
  window: number,
): Promise<H2Wire[]> {
  const all: H2Wire[] = [];
  for (let at = 0; at < connections; at++) {
    const peer = await H2Wire.start(await rig.open(place, "http2"), window);
    await peer.send(credit(0, 0x7fff_ffff - 65_535));
    await peer.flood(streams, () => request(peer.id(), "/big"), 100);
    all.push(peer);
  }
  return all;
}

const fewStreams = (place: Place): Attack => ({
  name: "100 streams of 10 MB, windows closed",
  place,
  boundMb: 40,
  refusals: [],
  async run(rig, scale) {
    const peers = await stall(rig, place, 1, scale.of(100, 20), 0);
    await Bun.sleep(scale.of(STAY_MS, 500));
    for (const peer of peers) peer.close();
  },
});

const openWindows = (place: Place): Attack => ({
  name: "100 streams of 10 MB, windows open, nothing read",
  place,
  boundMb: 40,
  refusals: [],
  async run(rig, scale) {
    const wire = await rig.open(place, "http2");
    const peer = await H2Wire.start(wire, 0x7fff_ffff);
    wire.deaf();
    await peer.send(credit(0, 0x7fff_ffff - 65_535));
    await peer.flood(scale.of(100, 20), () => request(peer.id(), "/big"));
    await Bun.sleep(scale.of(STAY_MS, 500));
    peer.close();
  },
});

const manyStreams = (place: Place): Attack => ({
  name: "zero-window stall: 100 connections × 1,000 streams × 10 MB",
  place,
  boundMb: 160,
  refusals: ["memory_share", "request_share", "queue_full"],
  isAbsorbedWhenSmall: true,
  async run(rig, scale) {
    const peers = await stall(rig, place, scale.of(100, 4), 1_000, 0);
    await Bun.sleep(scale.of(STAY_MS, 500));
    for (const peer of peers) peer.close();
  },
});

const drip = (place: Place): Attack => ({
  name: "window drip: 500 streams get a byte of credit at a time",
  place,
  boundMb: 160,
  refusals: [],
  isAbsorbedWhenSmall: true,
  async run(rig, scale) {
    const peers = await stall(rig, place, scale.of(10, 2), 500, 0);
    const until = performance.now() + scale.of(6_000, 1_000);
    while (performance.now() < until) {
      for (const peer of peers) {
        await peer.send(...Array.from({ length: 500 }, (_, at) => credit(2 * at + 1, 1)));
      }
      await Bun.sleep(100);
    }
    for (const peer of peers) peer.close();
  },
});

const slowReaders = (place: Place): Attack => ({
  name: "slow readers: 1,000 HTTP/1.1 clients ask for 10 MB and read nothing",
  place,
  boundMb: 160,
  refusals: ["memory_share"],
  isAbsorbedWhenSmall: true,
  async run(rig, scale) {
    const wires: Wire[] = [];
    for (let at = 0; at < scale.of(1_000, 100); at++) {
      const wire = await rig.open(place, "files");
      wire.deaf();
      await wire.send("GET / HTTP/1.1\r\nhost: web\r\n\r\n");
      wires.push(wire);
    }
    await Bun.sleep(scale.of(STAY_MS, 500));
    for (const wire of wires) wire.close();
  },
});

const uploads = (place: Place): Attack => ({
  name: "uploads that nobody reads: 20 connections × 1,000 streams × 64 KiB",
  place,
  boundMb: 160,
  refusals: ["memory_share", "request_share", "queue_full"],
  isAbsorbedWhenSmall: true,
  async run(rig, scale) {
    const peers: H2Wire[] = [];
    const chunk = Buffer.alloc(16_384, 0x61);
    for (let at = 0; at < scale.of(20, 2); at++) {
      const peer = await H2Wire.start(await rig.open(place, "http2"));
      for (let n = 0; n < scale.of(1_000, 200); n++) {
        const id = peer.id();
        const frames = [
          request(id, "/never", true, "POST"),
          data(id, chunk),
          data(id, chunk),
          data(id, chunk),
          data(id, chunk.subarray(0, 16_000)),
        ];
        if (!(await peer.send(...frames))) break;
      }
      peers.push(peer);
    }
    await Bun.sleep(scale.of(STAY_MS, 500));
    for (const peer of peers) peer.close();
  },
});

const unansweredHttp1 = (place: Place): Attack => ({
  name: "2,000 HTTP/1.1 requests that the application does not answer",
  place,
  boundMb: 60,
  refusals: [],
  async run(rig, scale) {
    const wires: Wire[] = [];
    for (let at = 0; at < scale.of(2_000, 100); at++) {
      const wire = await rig.open(place, "http1");
      await wire.send("GET /never HTTP/1.1\r\nhost: web\r\n\r\n");
      wires.push(wire);
    }
    await Bun.sleep(scale.of(STAY_MS, 500));
    for (const wire of wires) wire.close();
  },
});

const unanswered = (place: Place): Attack => ({
  name: "requests that are never answered: 100 connections × 1,000 streams",
  place,
  boundMb: 120,
  refusals: ["request_share"],
  async run(rig, scale) {
    const peers: H2Wire[] = [];
    for (let at = 0; at < scale.of(100, 20); at++) {
      const peer = await H2Wire.start(await rig.open(place, "http2"));
      await peer.flood(1_000, () => request(peer.id(), "/never"), 100);
      peers.push(peer);
    }
    await Bun.sleep(scale.of(STAY_MS, 500));
    for (const peer of peers) peer.close();
  },
});

export const FLOW_CONTROL: readonly Attack[] = [
  ...HTTP2_PLACES.flatMap((
    place,
  ) => [fewStreams(place), openWindows(place), manyStreams(place), drip(place), uploads(place), unanswered(place)]),
  ...(["outbound", "inbound"] as const).flatMap((place) => [slowReaders(place), unansweredHttp1(place)]),
];
