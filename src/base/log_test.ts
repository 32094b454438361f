import { expect, test } from "bun:test";
import { createLogger, type LogLevel, MAX_LINES_PER_SECOND } from "./log.ts";

function recorder(level: LogLevel) {
  const lines: Record<string, unknown>[] = [];
  const clock = { now: Date.UTC(2026, 0, 2) };
  const log = createLogger({ level, write: (line) => lines.push(JSON.parse(line)), now: () => clock.now });
  return { lines, clock, log };
}

test("info() writes one JSON line with time, level, message and fields", () => {
  const { lines, log } = recorder("info");
  log.info("listening", { port: 4143 });
  expect(lines).toEqual([{ time: "2026-01-02T00:00:00.000Z", level: "info", message: "listening", port: 4143 }]);
});

test("debug() writes nothing when the level is info", () => {
  const { lines, log } = recorder("info");
  log.debug("detail");
  expect(lines).toEqual([]);
});

test("warn() drops lines beyond the rate and says so in the next second", () => {
  const { lines, clock, log } = recorder("debug");
  for (let i = 0; i < MAX_LINES_PER_SECOND + 7; i++) log.warn("again");
  expect(lines.length).toBe(MAX_LINES_PER_SECOND);
  clock.now += 1000;
  log.warn("later");
  expect(lines.at(-1)).toMatchObject({ message: "later", suppressed: 7 });
});

test("error() keeps line feeds of a message inside the line", () => {
  const written: string[] = [];
  createLogger({ level: "error", write: (line) => written.push(line), now: () => 0 }).error("a\nb");
  expect(written[0]?.indexOf("\n")).toBe((written[0]?.length ?? 0) - 1);
});
