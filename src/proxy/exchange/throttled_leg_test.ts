import { expect, test } from "bun:test";
import type { Leg, LegListener } from "../../http/leg.ts";
import { response } from "../../../tests/support/legs.ts";
import { ThrottledLeg } from "./throttled_leg.ts";

const BODY = new Uint8Array(4000);

/** A client's leg that takes everything at once, and the exchange on its other side; both count. */
class Ends {
  listener: LegListener | null;
  readonly reason = "";
  nowMs = 0;
  /** Bytes that the client was told that it may send, and the upstream. */
  toClient = 0;
  toUpstream = 0;
  readonly events: string[] = [];
  readonly leg: ThrottledLeg;

  constructor(requestBytesPerSecond: number, responseBytesPerSecond: number) {
    const note = (event: string) => (leg: Leg) => void this.events.push(`${event} ${leg === this.leg}`);
    this.listener = {
      onHead: note("head"),
      onInterim: note("interim"),
      onData: note("data"),
      onTrailers: note("trailers"),
      onAbort: note("abort"),
      onConsumed: (_leg, bytes) => void (this.toUpstream += bytes),
    };
    this.leg = new ThrottledLeg(this, { requestBytesPerSecond, responseBytesPerSecond }, () => this.nowMs);
  }

  sendHead(): void {}
  sendInterim(): void {}
  sendTrailers(): void {}
  sendData(_buffer: Uint8Array, start: number, end: number): void {
    this.events.push(`sent ${end - start}`);
    this.listener?.onConsumed(this, end - start);
  }
  abort(code: number): void {
    this.events.push(`aborted ${code}`);
  }
  consumed(bytes: number): void {
    this.toClient += bytes;
  }

  at(ms: number): void {
    this.nowMs = ms;
    this.leg.onTimer(0);
  }
}

test("a response's bytes go on at once; the word for more comes at the rate", () => {
  const ends = new Ends(0, 1000);
  ends.leg.sendHead(response(200), false, "");
  ends.leg.sendData(BODY, 0, 4000, false);
  expect(ends.events).toEqual(["sent 4000"]);
  expect(ends.toUpstream).toBe(0);
  const seen = [1000, 2500, 4000, 9000].map((ms) => {
    ends.at(ms);
    return ends.toUpstream;
  });
  expect(seen).toEqual([1000, 2500, 4000, 4000]);
  ends.leg.consumed(7);
  expect(ends.toClient).toBe(7);
  ends.leg.abort(8);
});

test("a request's credit comes at the rate, and its events as from the leg that the exchange knows", () => {
  const ends = new Ends(1000, 0);
  ends.listener?.onData(ends, BODY, 0, 4000, false);
  expect(ends.events).toEqual(["data true"]);
  ends.leg.consumed(4000);
  ends.at(1500);
  expect(ends.toClient).toBe(1500);
  ends.leg.sendData(BODY, 0, 10, false);
  expect(ends.toUpstream).toBe(10);
  ends.listener?.onAbort(ends, 8, false, "gone");
  expect(ends.events.at(-1)).toBe("abort true");
});

test("after the response's end no credit is for anything", () => {
  const ends = new Ends(0, 1000);
  ends.leg.sendData(BODY, 0, 100, true);
  ends.at(5000);
  expect(ends.toUpstream).toBe(0);
});
