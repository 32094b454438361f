import { expect, test } from "bun:test";
import { readSkips } from "../../core/skips.ts";

test("readSkips() reads ports, ranges and blocks", () => {
  const problems: string[] = [];
  const skips = readSkips(
    {
      "tulle.dev/skip-outbound-ports": "25, 7000-7010",
      "tulle.dev/skip-inbound-ports": "9100",
      "tulle.dev/skip-subnets": "10.0.0.0/8,fd00::/8",
    },
    "web",
    problems,
  );
  expect(skips).toEqual({
    outboundPorts: [{ first: 25, last: 25 }, { first: 7000, last: 7010 }],
    inboundPorts: [{ first: 9100, last: 9100 }],
    outboundBlocks: ["10.0.0.0/8", "fd00::/8"],
  });
  expect(problems).toEqual([]);
});

test.each([
  ["tulle.dev/skip-outbound-ports", "0"],
  ["tulle.dev/skip-outbound-ports", "9-1"],
  ["tulle.dev/skip-inbound-ports", "65536"],
  ["tulle.dev/skip-inbound-ports", "http"],
  ["tulle.dev/skip-subnets", "10.0.0.0/40"],
])("readSkips() leaves out %s: %s, and says so", (key, value) => {
  const problems: string[] = [];
  const skips = readSkips({ [key]: value }, "web", problems);
  expect([skips.outboundPorts, skips.inboundPorts, skips.outboundBlocks]).toEqual([[], [], []]);
  expect(problems[0]).toStartWith(`web: metadata.annotations["${key}"]: found "${value}", want `);
});
