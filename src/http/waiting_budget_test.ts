import { afterEach, expect, test } from "bun:test";
import { turn } from "../../tests/support/fake_socket.ts";
import { PROGRESS_BYTES, WAITING_BYTES_BUDGET } from "./limits.ts";
import type { Refusal } from "./refusal.ts";
import { BLAME, type HeldConnection, type Holder, type Holding, PeerShare, waitingBudget } from "./waiting_budget.ts";

const MB = 1024 * 1024;
const ended: string[] = [];
waitingBudget.onEnded = (share, reason: Refusal) => ended.push(`${share.peer} ${reason}`);

class Stream implements Holder {
  readonly holding: Holding;
  isEnded = false;

  constructor(share: PeerShare, bytes: number, connection: HeldConnection | null = null, blame: number = BLAME.own) {
    this.holding = share.hold(this, connection);
    this.holding.set(bytes, blame);
  }

  onHeldTooLong(): void {
    this.isEnded = true;
    this.holding.release();
  }
}

afterEach(() => {
  ended.length = 0;
  expect(waitingBudget.total).toBe(0);
});

const alive = (streams: readonly Stream[]) => streams.map((stream) => (stream.isEnded ? "-" : "x")).join("");
const release = (streams: readonly Stream[]) => {
  for (const stream of streams) if (!stream.isEnded) stream.holding.release();
};

test("a peer alone may have half of the budget; of what is more, what occupied most for longest goes", async () => {
  const share = new PeerShare("inbound", "a");
  const streams = Array.from({ length: 8 }, () => new Stream(share, WAITING_BYTES_BUDGET / 16));
  const [first, second, third] = streams;
  for (const stream of streams) stream.holding.sinceMs -= 1_000;
  if (first !== undefined && second !== undefined && third !== undefined) {
    first.holding.set(1, BLAME.own);
    first.holding.sinceMs -= 10_000; // long, but little
    second.holding.sinceMs -= 10_000;
    third.holding.set(2 * third.holding.bytes - 1, BLAME.own); // much, but not for long
  }
  await turn();
  expect(alive(streams)).toBe("xxxxxxxx");
  streams.push(new Stream(share, 1));
  await turn();
  expect(alive(streams)).toBe("x-xxxxxxx");
  expect(ended).toEqual(["a memory_share"]);
  release(streams);
});

test("who is not to blame goes last", async () => {
  const share = new PeerShare("inbound", "a");
  const streams = Array.from({ length: 8 }, () => new Stream(share, WAITING_BYTES_BUDGET / 16));
  for (const stream of streams) stream.holding.sinceMs -= 1_000;
  const first = streams[0];
  if (first !== undefined) {
    first.holding.sinceMs -= 10_000;
    first.holding.set(first.holding.bytes, BLAME.shared);
  }
  streams.push(new Stream(share, 1));
  await turn();
  expect(alive(streams.slice(0, 1))).toBe("x");
  expect(streams.filter((stream) => stream.isEnded).length).toBe(1);
  release(streams);
});

test("of the connections of a peer the one that holds most gives up first, before a stream of another that just waits", async () => {
  const share = new PeerShare("inbound", "a pod");
  const greedy: HeldConnection = { heldBytes: 0 };
  const other: HeldConnection = { heldBytes: 0 };
  // As it was seen: one program's streams fill the window of their connection, so that none is to blame for itself, while
  // another's has used up its own, and waits for its credit because the receiver is busy with the former.
  const piece = 144 * 1024;
  const streams = Array.from(
    { length: Math.floor(WAITING_BYTES_BUDGET / 2 / piece) },
    () => new Stream(share, piece, greedy, BLAME.unclear),
  );
  for (const stream of streams) stream.holding.sinceMs -= 350;
  const bystander = new Stream(share, 96 * 1024, other);
  bystander.holding.sinceMs -= 200;
  expect([greedy.heldBytes, other.heldBytes]).toEqual([streams.length * piece, 96 * 1024]);
  for (let n = 0; n < 5; n++) {
    streams.push(...Array.from({ length: 32 }, () => new Stream(share, piece, greedy, BLAME.unclear)));
    await turn();
  }
  expect(bystander.isEnded).toBe(false);
  expect(ended.length).toBeGreaterThan(100);
  release([bystander, ...streams]);
  expect([greedy.heldBytes, other.heldBytes]).toEqual([0, 0]);
});

test("a peer that wants more than its share loses its own streams, and never those of another", async () => {
  const quiet = [new Stream(new PeerShare("inbound", "quiet"), 10 * MB)];
  const greedy = new PeerShare("inbound", "greedy");
  const streams: Stream[] = [];
  for (let n = 0; n < 200; n++) {
    streams.push(new Stream(greedy, MB));
    await turn();
  }
  expect(alive(quiet)).toBe("x");
  expect(quiet[0]?.holding.bytes).toBe(10 * MB);
  expect(greedy.bytes).toBeLessThanOrEqual((WAITING_BYTES_BUDGET - 10 * MB) / 2);
  expect(new Set(ended)).toEqual(new Set(["greedy memory_share"]));
  release([...quiet, ...streams]);
});

test("a stream whose receiver reads is not the worst; one that takes a byte at a time is", async () => {
  const share = new PeerShare("inbound", "a");
  const streams = Array.from({ length: 4 }, () => new Stream(share, WAITING_BYTES_BUDGET / 8));
  const [first, second] = streams;
  for (const stream of streams) stream.holding.sinceMs -= 1_000;
  if (second !== undefined) second.holding.sinceMs -= 1;
  first?.holding.moved(PROGRESS_BYTES);
  for (let n = 0; n < 1000; n++) second?.holding.moved(1);
  streams.push(new Stream(share, 1));
  await turn();
  expect(alive(streams)).toBe("x-xxx");
  release(streams);
});

test("what makes no progress for the longest time allowed is ended, although there is room", () => {
  const share = new PeerShare("inbound", "a");
  const streams = [new Stream(share, 1), new Stream(share, 1)];
  const [stuck, reads] = streams;
  if (stuck !== undefined && reads !== undefined) {
    stuck.holding.sinceMs -= waitingBudget.idleMs + 1;
    reads.holding.sinceMs -= waitingBudget.idleMs + 1;
    reads.holding.moved(PROGRESS_BYTES);
  }
  waitingBudget.onTimer(0);
  expect(alive(streams)).toBe("-x");
  expect(ended).toEqual(["a write_idle"]);
  release(streams);
});

test("full sockets have less room the more waits for their peer", () => {
  const share = new PeerShare("inbound", "a");
  const other = new PeerShare("inbound", "b");
  const before = share.roomBytes;
  const streams = [new Stream(share, 0.45 * WAITING_BYTES_BUDGET)];
  expect(share.roomBytes).toBeLessThan(before);
  expect(share.roomBytes).toBeGreaterThan(0);
  expect(other.roomBytes).toBe(before);
  release(streams);
});
