import { expect, test } from "bun:test";
import type { AccessEntry } from "../telemetry/access_log.ts";
import { parseTapQuery, type TapQuery } from "./tap_query.ts";
import { MAX_WAITING_LINES, tapStream } from "./tap_stream.ts";

const ENTRY: AccessEntry = {
  direction: "inbound",
  protocol: "http/1.1",
  source: "10.0.0.1:4000",
  destination: "10.0.0.2:80",
  peerId: "spiffe://cluster.local/ns/shop/sa/front",
  method: "GET",
  authority: "web",
  path: "/a/b",
  route: "shop/web",
  status: 200,
  grpcStatus: -1,
  error: "",
  requestBytes: 0,
  responseBytes: 10,
  durationMs: 1,
};

function open(query: string) {
  const parsed = parseTapQuery(new URLSearchParams(query));
  if (typeof parsed === "string") throw new Error(parsed);
  const state = { ended: 0, publish: (_entry: AccessEntry): void => {} };
  const stream = tapStream(parsed satisfies TapQuery, (watcher) => {
    state.publish = watcher;
    return () => state.ended++;
  }, () => 0);
  if (stream === null) throw new Error("no stream");
  return { stream, state };
}

test("tapStream() ends after its limit and ends the subscription", async () => {
  const { stream, state } = open("limit=2");
  for (let i = 0; i < 5; i++) state.publish(ENTRY);
  const lines = (await new Response(stream).text()).trimEnd().split("\n");
  expect(lines.map((line) => JSON.parse(line).path)).toEqual(["/a/b", "/a/b"]);
  expect(state.ended).toBe(1);
});

test.each([
  ["direction=inbound&method=GET&authority=web&path=/a&route=shop/web&min-status=200", true],
  ["peer=spiffe://cluster.local/ns/shop/sa/front", true],
  ["direction=outbound", false],
  ["method=POST", false],
  ["authority=api", false],
  ["path=/b", false],
  ["peer=spiffe://cluster.local/ns/shop/sa/back", false],
  ["route=shop/api", false],
  ["min-status=500", false],
])("tapStream() with %s takes the event: %p", async (query, expected) => {
  const { stream, state } = open(`limit=1&${query}`);
  state.publish(ENTRY);
  if (!expected) await stream.cancel();
  const isTaken = expected ? (await new Response(stream).text()) !== "" : false;
  expect(isTaken).toBe(expected);
  expect(state.ended).toBe(1);
});

test("tapStream() drops events for a slow caller and says how many", async () => {
  const { stream, state } = open(`limit=${MAX_WAITING_LINES + 1}`);
  for (let i = 0; i < MAX_WAITING_LINES + 5; i++) state.publish(ENTRY);
  const reader = stream.getReader();
  for (let i = 0; i < MAX_WAITING_LINES; i++) await reader.read();
  state.publish(ENTRY);
  const last = await reader.read();
  expect(JSON.parse(new TextDecoder().decode(last.value))).toMatchObject({ dropped: 5, path: "/a/b" });
});

test("tapStream() ends the subscription when the caller goes away", async () => {
  const { stream, state } = open("limit=5");
  await stream.cancel();
  expect(state.ended).toBe(1);
});
