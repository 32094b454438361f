import { expect, test } from "bun:test";
import type { OutboundTarget } from "../model/outbound.ts";
import { NO_RESOURCE } from "../model/resource.ts";
import { CROWDED_IDLE_MS, IDLE_MS, MAX_TARGETS, TargetTable, UNKNOWN_IDLE_MS } from "./table.ts";

class Fixture {
  nowMs = 0;
  readonly added: string[] = [];
  readonly removed: string[] = [];
  readonly table = new TargetTable(() => this.nowMs, {
    onAdd: (key) => void this.added.push(key),
    onRemove: (key) => void this.removed.push(key),
  });
}

function target(key: string, known = true, version = "1"): OutboundTarget {
  return {
    key,
    version,
    known,
    parent: NO_RESOURCE,
    authority: "",
    port: 80,
    protocol: "detect",
    routes: [],
    backends: [],
    streamRoutes: [],
    egress: null,
  };
}

/** Asks for a target, and gives it. */
function fill(f: Fixture, key: string, known = true): void {
  void f.table.want(key, 1000);
  f.table.apply(target(key, known));
}

test("want() asks once for all who wait, and answers them together", async () => {
  const f = new Fixture();
  const both = Promise.all([f.table.want("a:1", 1000), f.table.want("a:1", 1000)]);
  expect(f.table.lookup("a:1")).toBeNull();
  f.table.apply(target("a:1"));
  expect([await both, f.added]).toEqual([[target("a:1"), target("a:1")], ["a:1"]]);
  expect(await f.table.want("a:1", 0)).toBe(f.table.lookup("a:1") as OutboundTarget);
});

test("want() ends with a code when no answer comes, when it is cancelled and when the snapshot is refused", async () => {
  const f = new Fixture();
  const abort = new AbortController();
  const wants = [f.table.want("a:1", 1), f.table.want("b:1", 1000, abort.signal), f.table.want("c:1", 1000)];
  abort.abort();
  f.table.refuse("c:1", "bad port");
  expect(await Promise.all(wants)).toMatchObject([{ code: "timeout" }, { code: "cancelled" }, {
    code: "refused",
    detail: "bad port",
  }]);
  expect(await f.table.want("d:1", 1000, abort.signal)).toMatchObject({ code: "cancelled" });
});

test.each(["", "a", "a:0", "a:70000", "a:b:1", "::1:80", "a b:1", "[x]:1", "a:1\n"])(
  "want() refuses %p",
  async (key) => {
    const f = new Fixture();
    expect(await f.table.want(key, 1000)).toMatchObject({ code: "bad_target" });
    expect(f.added).toEqual([]);
  },
);

test("onChange() hears of each snapshot, until its end", () => {
  const f = new Fixture();
  const heard: string[] = [];
  const end = f.table.onChange("a:1", (t) => void heard.push(t.version));
  f.table.apply(target("a:1", true, "1"));
  f.table.apply(target("a:1", true, "2"));
  end();
  f.table.apply(target("a:1", true, "3"));
  expect([heard, f.table.lookup("a:1")?.version]).toEqual([["1", "2"], "3"]);
});

test("apply() does not bring back what was given up", () => {
  const f = new Fixture();
  expect([f.table.apply(target("a:1")), f.table.size]).toEqual([false, 0]);
});

test("evictIdle() gives up what nobody uses, unknown targets first, never what is listened to", () => {
  const f = new Fixture();
  for (const key of ["idle:1", "used:1", "kept:1"]) fill(f, key);
  fill(f, "unknown:1", false);
  f.table.onChange("kept:1", () => {});
  f.nowMs = UNKNOWN_IDLE_MS;
  f.table.evictIdle();
  expect(f.removed).toEqual(["unknown:1"]);
  f.table.lookup("used:1");
  f.nowMs = IDLE_MS;
  f.table.evictIdle();
  expect(f.removed).toEqual(["unknown:1", "idle:1"]);
});

test("want() beyond the limit takes the place of the target unused longest, or fails while all are in use", async () => {
  const f = new Fixture();
  for (let i = 0; i < MAX_TARGETS; i++) {
    f.nowMs = i < 2 ? i : 10;
    fill(f, `t${i}:1`, i !== 5);
  }
  expect(await f.table.want("more:1", 0)).toMatchObject({ code: "limit" });
  f.nowMs = CROWDED_IDLE_MS + 10;
  void f.table.want("more:1", 0);
  void f.table.want("and-more:1", 0);
  expect([f.removed, f.table.size]).toEqual([["t5:1", "t0:1"], MAX_TARGETS]);
});

test("restore() takes a snapshot of before unless there is a newer one", () => {
  const f = new Fixture();
  fill(f, "a:1");
  f.table.restore(target("a:1", true, "old"));
  f.table.restore(target("b:1", true, "old"));
  expect([f.table.lookup("a:1")?.version, f.table.lookup("b:1")?.version, f.added]).toEqual(["1", "old", [
    "a:1",
    "b:1",
  ]]);
});
