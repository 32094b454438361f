/** Applications that answer as no application should. The client is honest, and so are all others. */
import type { Attack } from "./_attack.ts";
import { credit, data, H2Wire, request } from "./_h2_wire.ts";
import type { Wire } from "./_wire.ts";

const place = "outbound";
/** Paths of _hostile_app.ts. */
const HTTP1_PATHS = [
  ["/interims", "endless interim responses"],
  ["/huge-head", "a head without an end"],
  ["/endless-line", "a header line without an end"],
  ["/endless-trailers", "trailers without an end"],
  ["/endless-chunk", "a chunk without an end"],
  ["/endless-extension", "a chunk extension without an end"],
  ["/tiny-chunks", "chunks of one byte without an end"],
  ["/unasked", "responses nobody asked for"],
] as const;
const HTTP2_PATHS = [
  ["/settings", "a flood of SETTINGS"],
  ["/pings", "a flood of PING"],
  ["/interims", "endless interim responses"],
  ["/empty-data", "a flood of empty DATA"],
  ["/bomb", "an HPACK bomb"],
  ["/continuations", "CONTINUATIONs without an end"],
  ["/after-reset", "frames on streams it has reset"],
  ["/pushes", "pushes nobody wants"],
  ["/endless", "bodies without an end"],
] as const;

const http1 = ([path, what]: (typeof HTTP1_PATHS)[number]): Attack => ({
  name: `the application sends ${what} (HTTP/1.1), 20 clients`,
  place,
  boundMb: 80,
  refusals: [],
  async run(rig, scale) {
    const until = performance.now() + scale.of(3_000, 200);
    let answers = 0;
    const one = async () => {
      while (performance.now() < until) {
        using wire: Wire = await rig.open(place, "hostile1");
        wire.onData = () => answers++;
        await wire.send(`GET ${path} HTTP/1.1\r\nhost: web\r\n\r\n`);
        await Promise.race([wire.closed, Bun.sleep(until - performance.now() + 10)]);
        await Bun.sleep(5);
      }
    };
    await Promise.all(Array.from({ length: 20 }, one));
    return answers === 0 ? "no answer" : undefined;
  },
});

/** The answer to a request that is still being sent goes on for ever, and so does the request. */
const early: Attack = {
  name: "the application answers before it was asked, without an end (HTTP/1.1), 20 clients",
  place,
  boundMb: 80,
  refusals: [],
  async run(rig, scale) {
    const wires: Wire[] = [];
    for (let at = 0; at < 20; at++) {
      const wire = await rig.open(place, "hostile1");
      await wire.send("POST /endless-chunk HTTP/1.1\r\nhost: web\r\ncontent-length: 1000000000\r\n\r\n");
      wires.push(wire);
    }
    const piece = Buffer.alloc(16_384, 0x61);
    const until = performance.now() + scale.of(3_000, 200);
    await Promise.all(wires.map(async (wire) => {
      while (performance.now() < until && await wire.send(piece)) await Bun.sleep(1);
    }));
    for (const wire of wires) wire.close();
  },
};

const http2 = ([path, what]: (typeof HTTP2_PATHS)[number]): Attack => ({
  name: `the application sends ${what} (HTTP/2), 5 clients × 20 streams`,
  place,
  boundMb: 80,
  refusals: [],
  async run(rig, scale) {
    const peers: H2Wire[] = [];
    for (let at = 0; at < 5; at++) {
      const peer = await H2Wire.start(await rig.open(place, "hostile2"), 1 << 20);
      await peer.send(credit(0, 1 << 28));
      for (let n = 0; n < scale.of(20, 4); n++) {
        const id = peer.id();
        await peer.send(request(id, path, true, "POST"), data(id, Buffer.alloc(100, 0x61), true));
      }
      peers.push(peer);
    }
    await Bun.sleep(scale.of(3_000, 300));
    for (const peer of peers) peer.close();
  },
});

export const UPSTREAM: readonly Attack[] = [...HTTP1_PATHS.map(http1), early, ...HTTP2_PATHS.map(http2)];
