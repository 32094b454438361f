import { afterEach, beforeEach, expect, test } from "bun:test";
import { PeerShare, waitingBudget } from "../../http/waiting_budget.ts";
import { MAX_REPLAY_BYTES, REPLAY_BYTES_BUDGET, ReplayBody, replayBytes } from "./replay_body.ts";

const bytes = new Uint8Array(MAX_REPLAY_BYTES);
const share = new PeerShare("inbound", "a");
const owner = {
  stuck: 0,
  onBodyStuck() {
    this.stuck++;
  },
};

function sizeOf(body: ReplayBody): number {
  let sum = 0;
  for (let piece = body.first; piece !== null; piece = piece.next) sum += piece.end - piece.start;
  return sum;
}

/** What other tests of this process left open. */
let before = [0, 0];
const now = () => [replayBytes(), waitingBudget.total];
const more = () => now().map((value, at) => value - (before[at] ?? 0));

beforeEach(() => void (before = now()));
afterEach(() => expect(more()).toEqual([0, 0]));

test("ReplayBody keeps what may be sent again, and forgets a body that is too long for it", () => {
  const body = new ReplayBody(owner, share);
  body.keep(bytes, 0, bytes.length, false);
  expect([body.isWhole, sizeOf(body)]).toEqual([true, MAX_REPLAY_BYTES]);
  body.keep(bytes, 0, 1, false);
  expect([body.isWhole, sizeOf(body)]).toEqual([false, 0]);
});

test("ReplayBody keeps no more for second tries than the budget of all requests", () => {
  const bodies = Array.from({ length: 2 * REPLAY_BYTES_BUDGET / MAX_REPLAY_BYTES }, () => new ReplayBody(owner, share));
  for (const body of bodies) body.keep(bytes, 0, bytes.length, false);
  expect(replayBytes()).toBeLessThanOrEqual(REPLAY_BYTES_BUDGET);
  expect(bodies.filter((body) => body.isWhole).length).toBeLessThanOrEqual(REPLAY_BYTES_BUDGET / MAX_REPLAY_BYTES);
  expect(bodies[0]?.isWhole).toBe(true);
  for (const body of bodies) body.drop();
});

test("ReplayBody counts bytes that nobody else has as waiting, until they are sent", () => {
  const body = new ReplayBody(owner, share);
  body.keep(bytes, 0, 1000, true);
  expect(more()[0]).toBe(0);
  expect(more()[1]).toBeGreaterThanOrEqual(1000);
  body.sent();
  expect(more()[0]).toBeGreaterThanOrEqual(1000);
  expect(more()[1]).toBe(0);
  body.drop();
});

test("ReplayBody tells its owner when too much waits", () => {
  const body = new ReplayBody(owner, share);
  body.keep(bytes, 0, 1000, true);
  body.onHeldTooLong();
  expect(owner.stuck).toBe(1);
});
