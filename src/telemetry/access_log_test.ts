import { expect, test } from "bun:test";
import { type AccessEntry, AccessLog, FLUSH_CHARS, formatEntry, MAX_BUFFERED_CHARS } from "./access_log.ts";

const ENTRY: AccessEntry = {
  direction: "inbound",
  protocol: "http/2",
  source: "10.0.0.1:4000",
  destination: "10.0.0.2:80",
  peerId: "spiffe://cluster.local/ns/shop/sa/front",
  method: "GET",
  authority: "web",
  path: "/a?token=secret",
  route: "shop/web",
  status: 200,
  grpcStatus: -1,
  error: "",
  requestBytes: 0,
  responseBytes: 10,
  durationMs: 1.23456,
};

function fixture() {
  const written: string[] = [];
  const blocked: ((lost?: number) => void)[] = [];
  const counts = { dropped: 0, told: 0 };
  const log = new AccessLog({
    write: (text) => {
      written.push(text);
      return new Promise<number>((resolve) => blocked.push((lost = 0) => resolve(lost)));
    },
    now: () => 0,
    onDrop: (lines) => counts.dropped += lines,
    onRecovered: (dropped) => counts.told += dropped,
  });
  return { log, written, blocked, counts };
}

test("formatEntry() writes one JSON line without the query", () => {
  const line = formatEntry(ENTRY, 0);
  expect(line).toEndWith("\n");
  expect(JSON.parse(line)).toMatchObject({
    time: "1970-01-01T00:00:00.000Z",
    path: "/a",
    status: 200,
    duration_ms: 1.235,
  });
  expect(line).not.toContain("secret");
  expect(line).not.toContain("grpc_status");
});

test("log() writes a batch once it is worth it, one at a time", async () => {
  const { log, written, blocked } = fixture();
  while (written.length === 0) log.log(ENTRY);
  expect(written[0]?.length).toBeGreaterThanOrEqual(FLUSH_CHARS);
  for (let i = 0; i < 500; i++) log.log(ENTRY);
  expect(written.length).toBe(1);
  blocked[0]?.();
  const flushed = log.flush();
  await Promise.resolve();
  while (written.length < 2) await Promise.resolve();
  blocked[1]?.();
  await flushed;
  expect(written.join("").trimEnd().split("\n").every((line) => JSON.parse(line).status === 200)).toBe(true);
});

test("log() drops and counts lines when nobody reads", () => {
  const { log, written, counts } = fixture();
  const length = formatEntry(ENTRY, 0).length;
  const lines = Math.ceil(2 * MAX_BUFFERED_CHARS / length);
  for (let i = 0; i < lines; i++) log.log(ENTRY);
  expect(written.length).toBe(1);
  expect(counts.dropped).toBeGreaterThan(lines / 3);
});

test("lines that could not be written are counted, and told of once some are", async () => {
  const { log, written, blocked, counts } = fixture();
  while (written.length === 0) log.log(ENTRY);
  log.log(ENTRY);
  const flushed = log.flush();
  blocked[0]?.(40);
  while (written.length < 2) await Promise.resolve();
  expect(counts).toEqual({ dropped: 40, told: 0 });
  blocked[1]?.();
  await flushed;
  expect(counts).toEqual({ dropped: 40, told: 40 });
});

test("flush() ends after a time when nobody reads", async () => {
  const { log, written } = fixture();
  log.log(ENTRY);
  await log.flush();
  expect(written.length).toBe(1);
});
