import { expect, test } from "bun:test";
import fc from "fast-check";
import { parseFile } from "./parse_file.ts";
import { keyOf, type Resource } from "./resources.ts";
import { ResourceStore } from "./store.ts";

function service(name: string, port: number): Resource {
  const text = `{apiVersion: v1, kind: Service, metadata: {name: ${name}}, spec: {ports: [{port: ${port}}]}}`;
  const resource = parseFile("a.yaml", text).resources[0]?.resource;
  if (resource === undefined) throw new Error(`not a Service: ${name}`);
  return resource;
}

test("apply() tells once which names changed, and not of what is equal", () => {
  const store = new ResourceStore();
  store.replace([service("a", 80), service("b", 80), service("c", 80)]);
  const told: string[][] = [];
  store.onChange((changed) => told.push([...changed.keys()].sort()));
  store.replace([service("a", 80), service("b", 81), service("d", 80)]);
  store.replace([service("a", 80), service("b", 81), service("d", 80)]);
  expect(told).toEqual([["Service default/b", "Service default/c", "Service default/d"]]);
  expect(store.get("Service", "default", "b")?.ports[0]?.port).toBe(81);
  expect(store.get("Service", "default", "c")).toBe(null);
});

test("apply() in any order of events gives what a fresh list gives", () => {
  const event = fc.tuple(fc.constantFrom("a", "b", "c"), fc.option(fc.integer({ min: 1, max: 3 }), { nil: null }));
  fc.assert(
    fc.property(fc.array(event, { maxLength: 15 }), (events) => {
      const store = new ResourceStore();
      const last = new Map<string, Resource>();
      for (const [name, port] of events) {
        store.list("Service"); // it is there, so it is kept in order from now on
        if (port === null) store.apply([], [`Service default/${name}`]);
        else store.apply([service(name, port)], []);
        if (port === null) last.delete(name);
        else last.set(name, service(name, port));
      }
      const fresh = new ResourceStore();
      fresh.replace([...last.values()]);
      expect(store.list("Service").map(keyOf)).toEqual(fresh.list("Service").map(keyOf));
      expect(store.list("Service")).toEqual(fresh.list("Service"));
    }),
    { numRuns: 100, interruptAfterTimeLimit: 1000 },
  );
});
