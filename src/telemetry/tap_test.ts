import { expect, test } from "bun:test";
import type { AccessEntry } from "./access_log.ts";
import { MAX_WATCHERS, TapHub } from "./tap.ts";

test("isWatched is true exactly while someone watches", () => {
  const hub = new TapHub();
  const end = hub.subscribe(() => {});
  expect(hub.isWatched).toBe(true);
  end?.();
  expect(hub.isWatched).toBe(false);
});

test("publish() reaches each watcher", () => {
  const hub = new TapHub();
  const seen: AccessEntry[] = [];
  hub.subscribe((entry) => seen.push(entry));
  hub.subscribe((entry) => seen.push(entry));
  hub.publish({} as AccessEntry); // only passed on
  expect(seen.length).toBe(2);
});

test("subscribe() refuses more watchers than MAX_WATCHERS", () => {
  const hub = new TapHub();
  for (let i = 0; i < MAX_WATCHERS; i++) hub.subscribe(() => {});
  expect(hub.subscribe(() => {})).toBeNull();
});
