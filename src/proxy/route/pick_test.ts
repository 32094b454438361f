import { expect, test } from "bun:test";
import fc from "fast-check";
import type { Backend, RouteRule } from "../../model/outbound.ts";
import { pickBackend } from "./pick.ts";

function backend(key: string): Backend {
  return { key } as unknown as Backend; // the picker looks at nothing else
}

function ruleOf(...weights: readonly (readonly [Backend | null, number])[]): RouteRule {
  const backends = weights.map(([backend, weight]) => ({ backend, weight, filters: null }));
  const totalWeight = backends.reduce((sum, b) => sum + b.weight, 0);
  return { backends, totalWeight } as unknown as RouteRule; // the picker looks at nothing else
}

const a = backend("a");
const b = backend("b");

test.each([[0, "a"], [0.249, "a"], [0.25, "b"], [0.999, "b"]])(
  "pickBackend() with %p of 1:3 gives %s",
  (random, key) => {
    expect(pickBackend(ruleOf([a, 1], [b, 3]), random)?.backend?.key).toBe(key);
  },
);

test("pickBackend() never gives a backend of weight 0", () => {
  fc.assert(fc.property(fc.double({ min: 0, max: 0.9999999, noNaN: true }), (random) => {
    expect(pickBackend(ruleOf([a, 0], [b, 2], [a, 0]), random)?.backend).toBe(b);
  }));
});

test("pickBackend() gives null for the share of an unresolved reference and without any weight", () => {
  expect(pickBackend(ruleOf([null, 1], [a, 1]), 0.2)?.backend).toBeNull();
  expect(pickBackend(ruleOf([a, 0]), 0.5)).toBeNull();
  expect(pickBackend(ruleOf(), 0.5)).toBeNull();
});
