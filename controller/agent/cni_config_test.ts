import { expect, test } from "bun:test";
import { chain, unchain } from "./cni_config.ts";

const ENTRY = { socket: "/run/tulle/cni.sock" };
const OURS = { type: "tulle-cni", socket: ENTRY.socket };
const BRIDGE = { type: "bridge", bridge: "cni0" };

function changed(result: ReturnType<typeof chain>): unknown {
  if (result.kind !== "changed") throw new Error(JSON.stringify(result));
  return JSON.parse(result.text);
}

test("chain: the plugin goes to the end of a list, once", () => {
  const list = JSON.stringify({ cniVersion: "1.0.0", name: "net", plugins: [BRIDGE, { type: "portmap" }] });
  const result = chain(list, ENTRY);
  expect(changed(result)).toEqual({ cniVersion: "1.0.0", name: "net", plugins: [BRIDGE, { type: "portmap" }, OURS] });
  if (result.kind === "changed") expect(chain(result.text, ENTRY)).toEqual({ kind: "unchanged" });
});

test("chain: a single plugin becomes a list", () => {
  expect(changed(chain(JSON.stringify({ cniVersion: "0.4.0", name: "net", ...BRIDGE }), ENTRY))).toEqual({
    cniVersion: "0.4.0",
    name: "net",
    plugins: [BRIDGE, OURS],
  });
});

test("chain: others that came after it, or another socket, are put right", () => {
  const late = { cniVersion: "1.0.0", name: "net", plugins: [BRIDGE, { ...OURS, socket: "/old" }, { type: "tuning" }] };
  expect(changed(chain(JSON.stringify(late), ENTRY))).toEqual({ ...late, plugins: [BRIDGE, { type: "tuning" }, OURS] });
});

test.each([
  ["half a file", '{"cniVersion": "1.0', "not JSON"],
  ["a list of nothing", '{"plugins": []}', "no plugin that would make an interface"],
  ["our plugin alone", JSON.stringify({ plugins: [OURS, OURS] }), "no plugin"],
  ["plugins of another form", '{"plugins": [1]}', "no list of objects"],
  ["neither", "{}", "neither plugins nor a type"],
  ["no object", "[]", "not an object"],
])("chain: %s cannot be used", (_name, text, detail) => {
  expect(chain(text, ENTRY)).toEqual({ kind: "unusable", detail: expect.stringContaining(detail) });
});

test("unchain: leaves what was there", () => {
  const list = { cniVersion: "1.0.0", name: "net", plugins: [BRIDGE] };
  const result = chain(JSON.stringify(list), ENTRY);
  if (result.kind !== "changed") throw new Error("not chained");
  expect(changed(unchain(result.text))).toEqual(list);
  expect(unchain(JSON.stringify(list))).toEqual({ kind: "unchanged" });
  expect(unchain("nonsense")).toMatchObject({ kind: "unusable" });
});
