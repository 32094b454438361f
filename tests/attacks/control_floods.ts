/** Frames that make work and carry nothing (CVE-2019-9512, -9515, -9518 and their relatives). */
import { frame, FrameType } from "../support/h2_frames.ts";
import type { Attack } from "./_attack.ts";
import { credit, data, H2Wire, request, setting, u32 } from "./_h2_wire.ts";
import type { Place } from "./_rig.ts";

const PLACES = ["outbound", "inbound", "mesh"] as const;
const FRAMES = 1_000_000;
const ACK = 1;
const PADDED = 8;
/** RFC 9218 §7.1. */
const PRIORITY_UPDATE = 0x10;
const NO_BYTES = Buffer.alloc(0);

/** Name, and the frame that is sent over and over; stream 1 is open. */
const FLOODS: readonly [string, Buffer][] = [
  ["SETTINGS", frame(FrameType.SETTINGS, 0, 0)],
  ["acknowledgements of SETTINGS", frame(FrameType.SETTINGS, ACK, 0)],
  ["PING", frame(FrameType.PING, 0, 0, Buffer.alloc(8))],
  ["acknowledgements of PING", frame(FrameType.PING, ACK, 0, Buffer.alloc(8))],
  ["PRIORITY", frame(FrameType.PRIORITY, 0, 1, Buffer.concat([u32(3), Buffer.alloc(1)]))],
  ["WINDOW_UPDATE of the connection", credit(0, 1)],
  ["WINDOW_UPDATE of a stream", credit(1, 1)],
  ["unknown frames", frame(0xfa, 0, 0, Buffer.alloc(8))],
  ["empty DATA", data(1, NO_BYTES)],
  ["DATA that is padding only", frame(FrameType.DATA, PADDED, 1, Buffer.alloc(1))],
  ["PRIORITY_UPDATE", frame(PRIORITY_UPDATE, 0, 0, Buffer.concat([u32(1), Buffer.from("u=1")]))],
  ["GOAWAY", frame(FrameType.GOAWAY, 0, 0, Buffer.alloc(8))],
];

const flood = (place: Place, [what, bytes]: (typeof FLOODS)[number]): Attack => ({
  name: `flood of ${what}: 1,000,000`,
  place,
  boundMb: 30,
  refusals: ["flood"],
  async run(rig, scale) {
    using peer = await H2Wire.start(await rig.open(place, "http2"));
    await peer.send(request(peer.id(), "/never", true, "POST"));
    const sent = await peer.flood(scale.of(FRAMES, 100_000), () => bytes, 5_000);
    await Promise.race([peer.wire.closed, Bun.sleep(2_000)]);
    return `${sent} sent`;
  },
});

const unread = (place: Place): Attack => ({
  name: "PING on 1,000 connections, answers unread",
  place,
  boundMb: 60,
  refusals: [],
  async run(rig, scale) {
    const peers: H2Wire[] = [];
    const pings = Buffer.concat(Array.from({ length: 1_900 }, () => frame(FrameType.PING, 0, 0, Buffer.alloc(8))));
    for (let at = 0; at < scale.of(1_000, 50); at++) {
      const wire = await rig.open(place, "http2");
      wire.deaf();
      const peer = await H2Wire.start(wire);
      await peer.send(pings);
      peers.push(peer);
    }
    await Bun.sleep(scale.of(2_000, 300));
    for (const peer of peers) peer.close();
  },
});

/** Each of its entries changes the window of every stream that is open. */
const stuffedSettings = (place: Place): Attack => ({
  name: "SETTINGS of 2,700 windows each, with 1,000 streams open",
  place,
  boundMb: 40,
  refusals: ["flood"],
  async run(rig, scale) {
    using peer = await H2Wire.start(await rig.open(place, "http2"), 0);
    await peer.flood(1_000, () => request(peer.id(), "/medium"), 100);
    const payload = Buffer.concat(Array.from({ length: 2_700 }, (_, at) => setting(4, at % 2)));
    const sent = await peer.flood(scale.of(1_500, 300), () => frame(FrameType.SETTINGS, 0, 0, payload), 10);
    await Promise.race([peer.wire.closed, Bun.sleep(2_000)]);
    return `${sent} sent`;
  },
});

/** Each of its frames lets every waiting stream try again. */
const wakeAll = (place: Place): Attack => ({
  name: "credit for the connection, byte by byte, with 1,000 streams that have none",
  place,
  boundMb: 120,
  refusals: ["flood"],
  async run(rig, scale) {
    using peer = await H2Wire.start(await rig.open(place, "http2"), 0);
    await peer.flood(1_000, () => request(peer.id(), "/medium"), 100);
    await Bun.sleep(500);
    const sent = await peer.flood(scale.of(FRAMES, 100_000), () => credit(0, 1), 1_000);
    await Promise.race([peer.wire.closed, Bun.sleep(2_000)]);
    return `${sent} sent`;
  },
});

export const CONTROL_FLOODS: readonly Attack[] = PLACES.flatMap((place) => [
  ...FLOODS.map((one) => flood(place, one)),
  unread(place),
  stuffedSettings(place),
  wakeAll(place),
]);
