import { expect, test } from "bun:test";
import { RequestBudget, RequestShare } from "./request_share.ts";

const take = (share: RequestShare, most: number) => {
  let taken = 0;
  while (taken < most && share.begin()) taken++;
  return taken;
};

test("one client may have two thirds of the requests, and a second one most of what is left", () => {
  const budget = new RequestBudget(300);
  const greedy = new RequestShare(budget);
  const other = new RequestShare(budget);
  expect(take(greedy, 1000)).toBe(200);
  expect(take(other, 1000)).toBe(66);
  expect(take(greedy, 1)).toBe(0);
});

test("requests that end make room again", () => {
  const budget = new RequestBudget(30);
  const share = new RequestShare(budget);
  expect(take(share, 100)).toBe(20);
  share.end();
  expect(take(share, 100)).toBe(1);
  expect(budget.used).toBe(20);
});

test("a client with few requests is served although many others have used up what there is", () => {
  const budget = new RequestBudget(100);
  for (let n = 0; n < 50; n++) take(new RequestShare(budget), 1000);
  expect(take(new RequestShare(budget), 1000)).toBe(8);
});
