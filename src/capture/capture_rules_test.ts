import { expect, test } from "bun:test";
import { type CapturePlan, DEFAULT_PLAN } from "./capture_plan.ts";
import { captureRules, MAX_SKIP_RULES } from "./capture_rules.ts";

function comments(plan: Partial<CapturePlan>): string[] {
  return captureRules({ ...DEFAULT_PLAN, ...plan }).map((rule) => `${rule.chain}: ${rule.comment}`);
}

test("captureRules() redirects the self-test address before it lets the proxy pass", () => {
  const order = comments({});
  expect(order.indexOf("output: the proxy tests capture with this address")).toBe(0);
  expect(order.indexOf("output: connections of the proxy")).toBe(2);
});

test("captureRules() ends each chain with the redirect of all other TCP", () => {
  const order = comments({ skipOutboundPorts: [{ first: 25, last: 25 }] });
  expect(order.filter((each) => each.endsWith("all other TCP goes to the proxy"))).toEqual([
    "output: all other TCP goes to the proxy",
    "prerouting: all other TCP goes to the proxy",
  ]);
  expect(order.at(-1)).toBe("prerouting: all other TCP goes to the proxy");
});

test("captureRules() redirects DNS of both protocols behind what passes, where names are pinned", () => {
  expect(comments({}).join()).not.toContain("DNS");
  const order = comments({ dnsPort: 4153, skipOutboundBlocks: ["10.0.0.0/8"] }).filter((each) =>
    each.startsWith("output")
  );
  expect(order.slice(-4)).toEqual([
    "output: skipped block",
    "output: DNS goes to the proxy",
    "output: DNS goes to the proxy",
    "output: all other TCP goes to the proxy",
  ]);
  const rule = captureRules({ ...DEFAULT_PLAN, dnsPort: 4153 }).find((each) =>
    each.comment === "DNS goes to the proxy"
  );
  expect(rule?.expressions).toEqual([
    { kind: "meta", key: 16 },
    { kind: "equals", value: new Uint8Array([17]) },
    { kind: "payload", base: 2, offset: 2, length: 2 },
    { kind: "equals", value: new Uint8Array([0, 53]) },
    { kind: "redirect", port: 4153 },
  ]);
});

test("captureRules() leaves out a direction whose port is null", () => {
  expect(comments({ outboundPort: null }).some((each) => each.startsWith("output"))).toBe(false);
  expect(comments({ inboundPort: null }).some((each) => each.startsWith("prerouting"))).toBe(false);
});

test("captureRules() knows the proxy by its mark when users cannot be told apart", () => {
  const rules = captureRules({ ...DEFAULT_PLAN, proxyUid: null, proxyMark: 0x2102 });
  const rule = rules.find((each) => each.comment === "connections of the proxy");
  expect(rule?.expressions).toEqual([
    { kind: "meta", key: 3 },
    { kind: "equals", value: new Uint8Array([0x02, 0x21, 0, 0]) },
    { kind: "return" },
  ]);
});

test("captureRules() compares the masked address when a block is skipped", () => {
  const rules = captureRules({ ...DEFAULT_PLAN, skipOutboundBlocks: ["10.200.0.1/12"] });
  const rule = rules.find((each) => each.comment === "skipped block");
  expect(rule?.expressions.slice(2)).toEqual([
    { kind: "payload", base: 1, offset: 16, length: 4 },
    { kind: "mask", mask: new Uint8Array([255, 240, 0, 0]) },
    { kind: "equals", value: new Uint8Array([10, 192, 0, 0]) },
    { kind: "return" },
  ]);
});

test.each([
  [{ skipOutboundPorts: [{ first: 0, last: 0 }] }, "bad_port"],
  [{ skipInboundPorts: [{ first: 1, last: 65536 }] }, "bad_port"],
  [{ skipOutboundPorts: [{ first: 20, last: 10 }] }, "bad_port_range"],
  [{ skipOutboundBlocks: ["shop"] }, "bad_address"],
  [{ skipInboundPorts: new Array(MAX_SKIP_RULES + 1).fill({ first: 1, last: 1 }) }, "too_many_skips"],
])("captureRules() refuses a plan with a mistake (%#)", (plan, code) => {
  expect(() => captureRules({ ...DEFAULT_PLAN, ...plan })).toThrow(code);
});
