import { expect, test } from "bun:test";
import type { Directory, DirectoryChange } from "../core/directory.ts";
import type { InboundWorkload } from "../core/snapshot.ts";
import { parseTarget } from "../core/target.ts";
import { Audience, type Watcher } from "./audience.ts";

function answer(name: string): InboundWorkload {
  return {
    workload: { namespace: "shop", name },
    identity: "",
    ports: [],
    defaultPolicy: "deny",
    clusterNetworks: [],
    probeNetworks: [],
    zone: "",
  };
}

/** An audience, how to tell it, and who was touched since the last time. */
function rig() {
  let tell: (change: DirectoryChange) => void = () => {};
  const audience = new Audience({
    current: {} as Directory, // never asked
    onChange(listener) {
      tell = listener;
      return () => {};
    },
  });
  const touched: string[] = [];
  const watcher = (name: string, target: string | null = null): Watcher => ({
    target: target === null ? null : parseTarget(target),
    onTouched: () => void touched.push(name),
  });
  const told = (change: Partial<DirectoryChange>) => {
    tell({ isAll: false, answers: new Set(), addresses: new Set(), ...change });
    return touched.splice(0).sort();
  };
  return { audience, watcher, told };
}

test("a change touches those that have one of its answers, and no others", () => {
  const { audience, watcher, told } = rig();
  const [web, api] = [answer("web"), answer("api")];
  const [a, b, c] = [watcher("a"), watcher("b"), watcher("c")];
  audience.move(a, null, web);
  audience.move(b, null, web);
  audience.move(c, null, api);
  expect(told({ answers: new Set([web]) })).toEqual(["a", "b"]);
  expect(told({ isAll: true })).toEqual(["a", "b", "c"]);
  audience.move(a, web, api);
  audience.leave(b, web);
  expect(told({ answers: new Set([web]) })).toEqual([]);
  expect(told({ answers: new Set([api]) })).toEqual(["a", "c"]);
});

test("who has no answer is touched by whatever may give one", () => {
  const { audience, watcher, told } = rig();
  audience.move(watcher("gone"), null, null);
  audience.move(watcher("address", "10.0.0.7:80"), null, null);
  audience.move(watcher("name", "web.shop:80"), null, null);
  expect(told({ addresses: new Set(["10.0.0.7"]) })).toEqual(["address", "gone"]);
  expect(told({ addresses: new Set(["10.0.0.8"]) })).toEqual(["gone"]);
  expect(told({ isAll: true })).toEqual(["address", "gone", "name"]);
});
