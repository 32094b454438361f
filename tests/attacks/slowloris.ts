/** Clients that take their time: connections and requests that are kept open by a byte now and then. */
import { frame, FrameType, PREFACE } from "../support/h2_frames.ts";
import type { Attack } from "./_attack.ts";
import { data, H2Wire, request } from "./_h2_wire.ts";
import type { AppPort, Place, Rig } from "./_rig.ts";
import type { Wire } from "./_wire.ts";

const HTTP2_PLACES = ["outbound", "inbound", "mesh"] as const;
const HTTP1_PLACES = ["outbound", "inbound"] as const;
/** Longer than a head may take. */
const FULL_MS = 32_000;
const BYTE_MS = 250;

/** Opens connections and sends each a byte at a time of `text`, its last character over and over. */
async function drip(
  rig: Rig,
  place: Place,
  port: AppPort,
  count: number,
  first: string,
  text: string,
  ms: number,
): Promise<string> {
  const wires: Wire[] = [];
  for (let at = 0; at < count; at++) {
    const wire = await rig.open(place, port);
    if (first !== "") await wire.send(first);
    wires.push(wire);
  }
  const until = performance.now() + ms;
  for (let at = 0; performance.now() < until; at++) {
    for (const wire of wires) if (!wire.isClosed) await wire.send(text[Math.min(at, text.length - 1)] ?? "");
    await Bun.sleep(BYTE_MS);
  }
  const open = wires.filter((wire) => !wire.isClosed).length;
  for (const wire of wires) wire.close();
  return `${open} of ${count} were still open`;
}

const heads = (place: Place): Attack => ({
  name: "slow heads: 1,000 connections, a byte at a time",
  place,
  boundMb: 40,
  refusals: place === "inbound" ? [] : ["head_timeout"], // undeclared ports pass what is not HTTP
  isAbsorbedWhenSmall: true,
  run: (rig, scale) =>
    drip(rig, place, "http1", scale.of(1_000, 50), "", "GET /slow HTTP/1.1\r\nhost: web\r\nx-a: b", scale.of(FULL_MS)),
});

const prefaces = (place: Place): Attack => ({
  name: "slow HTTP/2 prefaces: 1,000 connections, a byte at a time",
  place,
  boundMb: 60,
  refusals: place === "inbound" ? [] : ["head_timeout"], // undeclared ports pass what is not HTTP
  isAbsorbedWhenSmall: true,
  run: (rig, scale) => {
    const settings = frame(FrameType.SETTINGS, 0, 0, Buffer.alloc(12_000));
    const bytes = Buffer.concat([PREFACE, settings]).toString("latin1");
    return drip(rig, place, "http2", scale.of(1_000, 50), bytes.slice(0, 20), bytes.slice(20), scale.of(FULL_MS));
  },
});

const bodies = (place: Place): Attack => ({
  name: "slow bodies: 1,000 uploads, a byte at a time",
  place,
  boundMb: 60,
  refusals: [],
  run: (rig, scale) =>
    drip(
      rig,
      place,
      "http1",
      scale.of(1_000, 50),
      "POST /sink HTTP/1.1\r\nhost: web\r\ncontent-length: 1000000\r\n\r\n",
      "x",
      scale.of(6_000),
    ),
});

const streams = (place: Place): Attack => ({
  name: "slow bodies: 1,000 streams on 5 connections, a byte at a time",
  place,
  boundMb: 60,
  refusals: [],
  async run(rig, scale) {
    const peers: H2Wire[] = [];
    const each = scale.of(200, 50);
    for (let at = 0; at < 5; at++) {
      const peer = await H2Wire.start(await rig.open(place, "http2"));
      await peer.flood(each, () => request(peer.id(), "/never", true, "POST"), 100);
      peers.push(peer);
    }
    const byte = Buffer.alloc(1, 0x61);
    const until = performance.now() + scale.of(6_000);
    while (performance.now() < until) {
      for (const peer of peers) await peer.send(...Array.from({ length: each }, (_, at) => data(2 * at + 1, byte)));
      await Bun.sleep(BYTE_MS);
    }
    for (const peer of peers) peer.close();
  },
});

export const SLOWLORIS: readonly Attack[] = [
  ...HTTP1_PLACES.flatMap((place) => [heads(place), bodies(place)]),
  ...HTTP2_PLACES.flatMap((place) => [prefaces(place), streams(place)]),
];
