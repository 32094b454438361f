/** Threads are simulated by listeners that only remember whether they listen: what is decided is the same. */
import { expect, test } from "bun:test";
import fc from "fast-check";
import { AcceptCounts, AcceptShare } from "./accept_share.ts";
import type { Listener } from "./listener.ts";

class FakeListener implements Listener {
  readonly port = 1;
  listening = true;
  renewTls = () => true;
  duplicate = () => -1;
  stop(): void {}
  pause(): boolean {
    this.listening = false;
    return true;
  }
  resume(): void {
    this.listening = true;
  }
}

function threads(n: number) {
  const counts = new AcceptCounts(1, n);
  const wakes: number[] = [];
  const listeners = Array.from({ length: n }, () => new FakeListener());
  const shares = listeners.map((listener, thread) => {
    const share = new AcceptShare(counts, 0, thread, (other) => wakes.push(other), () => 1e9);
    share.listens(listener);
    return share;
  });
  return {
    counts,
    shares,
    listeners,
    accept(thread: number) {
      shares[thread]?.opened();
      if (shares[thread]?.stepsBack() === true) listeners[thread]?.pause();
    },
    /** Delivers what threads have sent to each other. */
    deliver() {
      for (const thread of wakes.splice(0)) shares[thread]?.resume();
    },
    all: () => shares.map((_, thread) => counts.open(0, thread)),
  };
}

test("the thread that comes first cannot take everything", () => {
  const { accept, listeners, deliver, all } = threads(2);
  for (let i = 0; i < 8; i++) {
    deliver();
    accept(listeners[0]?.listening === true ? 0 : 1); // thread 0 whenever it listens
  }
  expect(all()).toEqual([4, 4]);
});

test("somebody listens once messages have arrived, whatever comes and goes in which order", () => {
  const step = fc.record({ thread: fc.nat(2), what: fc.constantFrom("accept", "accept", "close", "deliver") });
  fc.assert(fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
    const { accept, shares, listeners, counts, deliver } = threads(3);
    for (const { thread, what } of steps) {
      if (what === "deliver") deliver();
      else if (what === "close" && counts.open(0, thread) > 0) shares[thread]?.closed();
      else if (what === "accept" && listeners[thread]?.listening === true) accept(thread);
    }
    deliver();
    expect(listeners.some(({ listening }) => listening)).toBe(true);
  }));
});

test("leave() says how many connections went with the thread, and nobody waits for it", () => {
  const { counts, accept } = threads(2);
  accept(0);
  expect(counts.leave(1)).toBe(0);
  expect(counts.leastOther(0, 0)).toBe(-1);
  for (let i = 0; i < 3; i++) accept(0);
  expect(counts.leave(0)).toBe(4);
});
