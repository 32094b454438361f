// A peer that keeps to RFC 9113 §6.9 is never told that it broke it, and is never left without credit, however the
// windows change meanwhile.
import { expect, setDefaultTimeout, test } from "bun:test";
import fc from "fast-check";
import { brief, data, goawayCode, request, settingsAck } from "../../tests/support/h2_peer.ts";
import { type Pair, server } from "./http2_connection_fixture.ts";
import { FIRST_STREAM_WINDOW_BYTES, TIGHT_BYTES, TIGHT_STREAM_WINDOW_BYTES } from "./limits.ts";
import { BLAME, type Holding, PeerShare } from "./waiting_budget.ts";

setDefaultTimeout(60_000); // a property with many runs, on a machine that may be busy

const STREAMS = 3;
const CHUNK = 16_384;

/** Makes much wait, or little. */
function pressure(): { set(isTight: boolean): void; end(): void } {
  let hoard: Holding | null = null;
  const holder = { onHeldTooLong() {} };
  return {
    set(isTight) {
      if (!isTight) hoard?.release();
      hoard = isTight ? hoard ?? new PeerShare("inbound", "hoarder").hold(holder) : null;
      hoard?.set(TIGHT_BYTES + 1, BLAME.shared);
    },
    end: () => hoard?.release(),
  };
}

/** What a correct client knows of its windows. */
class Sender {
  readonly windows: number[] = [];
  readonly sent: number[] = [];
  readonly #pair: Pair;
  #initial = FIRST_STREAM_WINDOW_BYTES;
  #connection = 1 << 30;

  constructor(pair: Pair) {
    this.#pair = pair;
  }

  open(): void {
    this.#pair.peer.send(request(2 * this.windows.length + 1, { ":method": "POST" }, 0));
    this.windows.push(this.#initial);
    this.sent.push(0);
  }

  send(at: number, most: number): void {
    const n = Math.min(most, this.windows[at] ?? 0, this.#connection);
    if (n <= 0) return;
    this.windows[at] = (this.windows[at] ?? 0) - n;
    this.#connection -= n;
    this.sent[at] = (this.sent[at] ?? 0) + n;
    for (let left = n; left > 0; left -= CHUNK) this.#pair.peer.send(data(2 * at + 1, Math.min(left, CHUNK)));
  }

  async read(): Promise<void> {
    for (const { type, id, flags, payload } of await this.#pair.peer.frames()) {
      if (type === "GOAWAY" || type === "RST_STREAM") throw new Error(`${type} ${payload.toString("hex")}`);
      if (type === "WINDOW_UPDATE" && id > 0) {
        this.windows[(id - 1) / 2] = (this.windows[(id - 1) / 2] ?? 0) + payload.readUInt32BE(0);
      } else if (type === "WINDOW_UPDATE") this.#connection += payload.readUInt32BE(0);
      else if (type === "SETTINGS" && flags === 0) {
        const initial = payload.readUInt32BE(2);
        this.windows.forEach((window, at) => this.windows[at] = window + initial - this.#initial);
        this.#initial = initial;
        this.#pair.peer.send(settingsAck());
      }
    }
  }
}

test("a correct sender is never blamed and never stuck, whatever waits elsewhere (property)", async () => {
  const step = fc.record({
    kind: fc.constantFrom("send", "send", "read", "consume", "tight", "plenty", "open"),
    stream: fc.nat(STREAMS - 1),
    bytes: fc.integer({ min: 1, max: 4 * CHUNK }),
  });
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 10, maxLength: 80 }), async (steps) => {
      const elsewhere = pressure();
      try {
        const pair = await server({}, { consumes: false });
        const sender = new Sender(pair);
        const consumed = new Array<number>(STREAMS).fill(0);
        const consume = (at: number, bytes: number) => {
          const n = Math.min(bytes, (sender.sent[at] ?? 0) - (consumed[at] ?? 0));
          consumed[at] = (consumed[at] ?? 0) + n;
          if (n > 0) pair.owner.streams[at]?.consumed(n);
        };
        sender.open();
        for (const { kind, stream, bytes } of steps) {
          if (kind === "send") sender.send(stream, bytes);
          else if (kind === "read") await sender.read();
          else if (kind === "consume") consume(stream, bytes);
          else if (kind === "open" && sender.windows.length < STREAMS) sender.open();
          else if (kind === "tight" || kind === "plenty") elsewhere.set(kind === "tight");
        }
        for (let at = 0; at < sender.windows.length; at++) {
          const goal = (sender.sent[at] ?? 0) + 10 * FIRST_STREAM_WINDOW_BYTES;
          for (let turn = 0; turn < 400 && (sender.sent[at] ?? 0) < goal; turn++) {
            sender.send(at, CHUNK);
            consume(at, Infinity);
            await sender.read();
          }
          expect(sender.sent[at]).toBeGreaterThanOrEqual(goal);
        }
      } finally {
        elsewhere.end();
      }
    }),
    { numRuns: 30 },
  );
});

test("streams begin with a small window while much waits, and open ones lose what they have not used", async () => {
  const elsewhere = pressure();
  try {
    const { peer, owner } = await server({}, { consumes: false });
    peer.send(request(1, { ":method": "POST" }, 0));
    elsewhere.set(true);
    expect(brief(await peer.frames())).toEqual(["SETTINGS 0"]);
    peer.send(settingsAck(), request(3, { ":method": "POST" }, 0));
    for (const id of [1, 3]) {
      for (let sent = 0; sent < TIGHT_STREAM_WINDOW_BYTES; sent += CHUNK) peer.send(data(id, CHUNK));
    }
    expect(brief(await peer.frames())).toEqual([]);
    peer.send(data(1, 1), data(3, 1));
    expect(brief(await peer.frames())).toEqual(["RST_STREAM 1:3", "RST_STREAM 3:3"]);
    expect(owner.streams.length).toBe(2);
  } finally {
    elsewhere.end();
  }
});

test("what is sent before the SETTINGS are acknowledged goes by the window before them", async () => {
  const elsewhere = pressure();
  try {
    const { peer } = await server({}, { consumes: false });
    peer.send(request(1, { ":method": "POST" }, 0));
    elsewhere.set(true);
    for (let sent = 0; sent < FIRST_STREAM_WINDOW_BYTES; sent += CHUNK) peer.send(data(1, CHUNK));
    peer.send(settingsAck());
    const frames = await peer.frames();
    expect([goawayCode(frames), brief(frames)]).toEqual([null, ["SETTINGS 0"]]);
  } finally {
    elsewhere.end();
  }
});
