/** What the proxy's client does with a controller that does not keep to the rules. */
import { afterAll, expect, test } from "bun:test";
import fc from "fast-check";
import { ControllerConnection } from "../../src/discovery/rpc/connection.ts";
import type { RpcError } from "../../src/discovery/rpc/error.ts";
import { createCa } from "../support/certificates.ts";

const ca = await createCa();
const leaf = await ca.issue({ uris: ["spiffe://cluster.local/ns/tulle/sa/controller"], dnsNames: ["mesh.tulle.dev"] });

/** Bytes that the next connections get after their preface, and whether they are closed then. */
let script: { readonly bytes: Uint8Array; readonly close: boolean } = { bytes: new Uint8Array(0), close: false };

const server = Bun.listen<{ answered: boolean }>({
  hostname: "127.0.0.1",
  port: 0,
  data: { answered: false },
  tls: { key: leaf.key, cert: leaf.certificate, ALPNProtocols: Buffer.from("\x02h2") } as unknown as Bun.TLSOptions, // binary ALPN
  socket: {
    open: (socket) => void (socket.data = { answered: false }),
    data(socket) {
      if (socket.data.answered) return;
      socket.data.answered = true;
      socket.write(script.bytes);
      if (script.close) socket.end();
    },
    error: () => {},
  },
});
afterAll(() => server.stop(true));

/** Opens a stream and waits for its end. */
function outcome(bytes: Uint8Array, close: boolean, pingIntervalMs = 10_000): Promise<RpcError | null> {
  script = { bytes, close };
  return new Promise((resolve) => {
    const connection = new ControllerConnection({
      host: "127.0.0.1",
      port: server.port,
      ca: ca.certificate,
      client: null,
      serverName: "mesh.tulle.dev",
      verify: (_socket, ok) => ok ? "" : "no",
      pingIntervalMs,
    });
    const call = connection.call("/a.B/C", false, { onMessage: () => {}, onEnd: resolve });
    call.send(new Uint8Array(10));
  });
}

function frame(type: number, flags: number, id: number, payload: readonly number[]): Uint8Array {
  const length = payload.length;
  return Uint8Array.of(length >> 16, length >> 8, length, type, flags, 0, 0, 0, id, ...payload);
}

test("a controller that stops to answer is given up by PING", async () => {
  const error = await outcome(frame(4, 0, 0, []), false, 50);
  expect(error).toEqual({ code: "unavailable", message: "the controller does not answer any more" });
});

test.each<[string, Uint8Array, string]>([
  [
    "a frame larger than allowed",
    Uint8Array.of(1, 0, 0, 0, 0, 0, 0, 0, 1),
    "internal: the controller sent a frame of 65536 bytes",
  ],
  ["PUSH_PROMISE", frame(5, 4, 1, [0, 0, 0, 2]), "internal: the controller sent PUSH_PROMISE"],
  ["CONTINUATION out of place", frame(9, 4, 1, []), "internal: the controller sent CONTINUATION without HEADERS"],
  [
    "a broken header block",
    frame(1, 4, 1, [0xff, 0xff, 0xff, 0xff, 0xff, 0xff]),
    "internal: the controller sent a header block that cannot be read",
  ],
  [
    "padding longer than the frame",
    frame(0, 8, 1, [9, 0]),
    "internal: the controller sent padding longer than its frame",
  ],
  ["settings cut short", frame(4, 0, 0, [0, 1]), "internal: the controller sent malformed SETTINGS"],
  [
    "a window beyond 2^31-1",
    frame(8, 0, 0, [0x7f, 0xff, 0xff, 0xff]),
    "internal: the controller sent a window that is too large",
  ],
  ["GOAWAY", frame(7, 0, 0, [0, 0, 0, 0, 0, 0, 0, 0]), "unavailable: the controller is going away"],
  ["RST_STREAM", frame(3, 0, 1, [0, 0, 0, 8]), "unavailable: the controller reset the stream: CANCEL"],
  [
    "a response without an end of stream",
    Uint8Array.of(...frame(1, 4, 1, [0x88]), ...frame(0, 1, 1, [])),
    "unavailable: the stream broke off",
  ],
  ["status 404", frame(1, 5, 1, [0x8d]), "unimplemented: HTTP status 404"],
])("%s ends the call with its reason", async (_what, bytes, reason) => {
  const error = await outcome(bytes, false);
  expect(`${error?.code}: ${error?.message}`).toBe(reason);
});

test("any bytes end the call in some way, and nothing throws", async () => {
  const piece = fc.oneof(
    fc.uint8Array({ maxLength: 40 }),
    fc.tuple(fc.integer({ min: 0, max: 10 }), fc.nat(63), fc.nat(3), fc.array(fc.nat(255), { maxLength: 20 }))
      .map(([type, flags, id, payload]) => frame(type, flags, id, payload)),
  );
  await fc.assert(
    fc.asyncProperty(fc.array(piece, { maxLength: 8 }), async (pieces) => {
      const error = await outcome(Uint8Array.from(pieces.flatMap((p) => [...p])), true);
      expect(error === null || error.code.length > 0).toBe(true);
    }),
    { numRuns: 150 },
  );
});
