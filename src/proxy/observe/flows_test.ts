import { expect, test } from "bun:test";
import { defaultResource } from "../../model/resource.ts";
import { headerBlock } from "../../wire/header_block.ts";
import { FlowTable, MAX_FLOWS, MAX_PATHS, OTHER_PATH, pathTemplate, templateHash } from "./flows.ts";
import type { InboundClient } from "../inbound/inbound_client.ts";
import type { Verdict } from "../policy/verdict.ts";

const DENY: Verdict = {
  kind: "deny",
  cause: "default",
  policy: defaultResource("deny"),
  audit: false,
  auditPolicy: null,
  server: defaultResource("deny"),
  route: null,
  needsRequest: false,
  reason: "no policy allows it",
  told: "",
};

/** As far as a flow table looks at a client. */
function client(ip: string): InboundClient {
  return {
    port: 80,
    peer: { ip, identity: "spiffe://td/ns/a/sa/b" },
    isMesh: true,
    flows: null,
  } as unknown as InboundClient;
}

function get(path: string) {
  return headerBlock({ method: "GET", scheme: "http", authority: "web", path, protocol: "", status: 0 }, []);
}

test.each([
  ["/", "/"],
  ["/api/v1/items", "/api/v1/items"],
  ["/items/42?token=s3cret", "/items/*"],
  ["/u/3f2504e0-4f89-11d3-9a0c-0305e82c3301/x", "/u/*/x"],
  ["/mail/a@b.example", "/mail/*"],
  ["/shop.v1.Catalogue/GetItemByTheNameOfIts", "/shop.v1.Catalogue/GetItemByTheNameOfIts"],
  [`/${"x".repeat(300)}`, OTHER_PATH],
])("pathTemplate() leaves identifiers and queries out: %s", (path, template) => {
  expect(pathTemplate(path)).toBe(template);
});

test("a FlowTable counts the same request once, whichever connection it comes by", () => {
  const table = new FlowTable();
  for (const each of [client("10.0.0.1"), client("10.0.0.1")]) {
    for (let i = 0; i < 3; i++) table.request(each, get(`/items/${i}`), DENY, 1000);
  }
  const { flows, dropped } = table.report(3000, 1_000_000);
  expect(flows.map(({ path, count, lastSeen, policy }) => [path, count, lastSeen, policy])).toEqual([
    ["/items/*", 6, new Date(998_000).toISOString(), "default deny"],
  ]);
  expect(dropped).toBe(0);
});

test("a FlowTable is bounded by caller and as a whole, and says what it left out", () => {
  const table = new FlowTable();
  const one = client("10.0.0.1");
  for (let i = 0; i < MAX_PATHS * 2; i++) {
    table.request(one, get(`/${String.fromCharCode(97 + i % 26)}${"z".repeat(i / 26)}`), DENY, 0);
  }
  expect(table.size).toBe(MAX_PATHS + 1);
  expect(table.report(0, 0).flows.at(-1)?.count).toBe(MAX_PATHS);
  for (let i = 0; i < MAX_FLOWS * 2; i++) table.request(client(`10.1.${i >> 8}.${i & 255}`), get("/"), DENY, 0);
  expect(table.size).toBe(MAX_FLOWS);
  expect(table.report(0, 0).dropped).toBe(MAX_FLOWS + MAX_PATHS + 1);
});

test("templateHash() is equal where templates are", () => {
  const segments = [
    "",
    "api",
    "v1",
    "42",
    "3f2504e0-4f89",
    "a@b",
    "items",
    "x".repeat(24),
    `${"y".repeat(23)}1`,
    "deadbeef",
    "d3adbeef",
  ];
  const paths = segments.flatMap((a) => segments.flatMap((b) => [`/${a}/${b}`, `/${a}/${b}?q=/${b}`, `/${b}`]));
  const byTemplate = new Map<string, number>();
  for (const path of paths) {
    const template = pathTemplate(path);
    expect(byTemplate.get(template) ?? templateHash(path, 3)).toBe(templateHash(path, 3));
    byTemplate.set(template, templateHash(path, 3));
  }
  expect(new Set(byTemplate.values()).size).toBe(byTemplate.size);
});
