/** Much work in few bytes: tiny chunks and frames, long chunk extensions, requests by the thousand on one connection. */
import type { Attack } from "./_attack.ts";
import { data, H2Wire, request } from "./_h2_wire.ts";
import type { Place, Rig } from "./_rig.ts";
import type { Wire } from "./_wire.ts";

const HTTP2_PLACES = ["outbound", "inbound", "mesh"] as const;
const HTTP1_PLACES = ["outbound", "inbound"] as const;
const MILLION = 1_000_000;
const POST = "POST /sink HTTP/1.1\r\nhost: web\r\ntransfer-encoding: chunked\r\n\r\n";

/** Sends a piece of text over and over. @returns how often it was sent */
async function pour(wire: Wire, text: string, count: number): Promise<number> {
  const perWrite = Math.max(1, Math.floor(64 * 1024 / text.length));
  const many = Buffer.from(text.repeat(perWrite));
  for (let sent = 0; sent < count; sent += perWrite) if (!(await wire.send(many))) return sent;
  return count;
}

const tinyChunks = (place: Place): Attack => ({
  name: "a body of 1,000,000 chunks of one byte",
  place,
  boundMb: 60,
  refusals: [],
  async run(rig, scale) {
    using wire = await rig.open(place, "http1");
    let answer = "";
    wire.onData = (bytes) => answer += bytes.toString("latin1");
    await wire.send(POST);
    const sent = await pour(wire, "1\r\na\r\n", scale.of(MILLION, 20_000));
    await wire.send("0\r\n\r\n");
    for (let turn = 0; turn < 100 && answer === ""; turn++) await Bun.sleep(50);
    if (!answer.startsWith("HTTP/1.1 200")) throw new Error(`not served: ${answer.slice(0, 100)}`);
    return `${sent} chunks`;
  },
});

const tinyFrames = (place: Place): Attack => ({
  name: "a body of 1,000,000 DATA frames of one byte",
  place,
  boundMb: 60,
  refusals: [],
  async run(rig, scale) {
    using peer = await H2Wire.start(await rig.open(place, "http2"));
    const id = peer.id();
    await peer.send(request(id, "/", true, "POST"));
    const one = data(id, Buffer.alloc(1, 0x61));
    // No more than the window that is there in any case: credit is not looked at.
    const sent = await peer.flood(scale.of(MILLION, 20_000), () => one, 5_000);
    await Bun.sleep(scale.of(1_000, 100));
    return `${sent} frames`;
  },
});

const extensions = (place: Place): Attack => ({
  name: "chunks of one byte with extensions of 1,000: 100,000",
  place,
  boundMb: 40,
  refusals: ["protocol_error"],
  async run(rig, scale) {
    using wire = await rig.open(place, "http1");
    await wire.send(POST);
    const sent = await pour(wire, `1;x=${"y".repeat(1_000)}\r\na\r\n`, scale.of(100_000, 2_000));
    await Promise.race([wire.closed, Bun.sleep(500)]);
    return `${sent} chunks`;
  },
});

const pipelines = (place: Place): Attack => ({
  name: "pipelining: 100 connections × 20,000 requests, answers unread",
  place,
  boundMb: 120,
  refusals: [],
  async run(rig, scale) {
    const text = "GET / HTTP/1.1\r\nhost: web\r\n\r\n";
    const wires: Wire[] = [];
    for (let at = 0; at < scale.of(100, 5); at++) {
      const wire = await rig.open(place, "http1");
      wire.deaf();
      wires.push(wire);
    }
    const sent = await Promise.all(wires.map((wire) => pour(wire, text, scale.of(20_000, 5_000))));
    for (const wire of wires) wire.close();
    return `${sent.reduce((a, b) => a + b, 0)} requests`;
  },
});

const pipelinedBytes = (place: Place): Attack => ({
  name: "pipelining behind a request that is not answered: 500 connections × 1 MB",
  place,
  boundMb: 160,
  refusals: ["memory_share"],
  isAbsorbedWhenSmall: true,
  run: async (rig: Rig, scale) => {
    const more = Buffer.from("GET / HTTP/1.1\r\nhost: web\r\n\r\n".repeat(36_000));
    const wires: Wire[] = [];
    for (let at = 0; at < scale.of(500, 10); at++) {
      const wire = await rig.open(place, "http1");
      await wire.send("GET /never HTTP/1.1\r\nhost: web\r\n\r\n");
      wires.push(wire);
    }
    await Bun.sleep(200);
    await Promise.all(wires.map((wire) => wire.send(more)));
    await Bun.sleep(scale.of(1_000, 100));
    for (const wire of wires) wire.close();
  },
});

export const SMALL_PIECES: readonly Attack[] = [
  ...HTTP1_PLACES.flatMap((place) => [
    tinyChunks(place),
    extensions(place),
    pipelines(place),
    pipelinedBytes(place),
  ]),
  ...HTTP2_PLACES.map(tinyFrames),
];
