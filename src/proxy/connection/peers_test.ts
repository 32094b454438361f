import { expect, test } from "bun:test";
import { Peers } from "./peers.ts";

test("a peer that takes all connections it gets leaves a quarter of them to others", () => {
  const peers = new Peers();
  let used = 0;
  const connect = (key: string) => {
    if (!peers.mayEnter(key, used + 1, 1000)) return false;
    peers.enter(key);
    used++;
    return true;
  };
  while (connect("greedy"));
  expect(used).toBe(750);
  let others = 0;
  while (connect("other")) others++;
  expect(others).toBeGreaterThan(150);
  expect(connect("third")).toBe(true);
});

test("connections of a peer are counted together, and forgotten when the last has ended", () => {
  const peers = new Peers();
  const first = peers.enter("a");
  expect(peers.enter("a")).toBe(first);
  peers.leave(first);
  expect(peers.enter("a")).toBe(first);
  peers.leave(first);
  peers.leave(first);
  expect(peers.enter("a")).not.toBe(first);
});
