import { expect, jest, test } from "bun:test";
import { BUSY_START_MS, MAX_IDLE_MS, MemoryTrimmer, MIN_WORK_MS } from "./memory.ts";

function fixture() {
  const state = { cpuMs: 0, trims: 0 };
  const trimmer = new MemoryTrimmer({
    cpuMs: () => state.cpuMs,
    trim() {
      state.trims++;
      state.cpuMs += 10;
    },
  });
  return { state, trimmer };
}

test("look() trims once when the proxy is idle after work", () => {
  const { state, trimmer } = fixture();
  state.cpuMs = MIN_WORK_MS;
  trimmer.look();
  expect(state.trims).toBe(0); // still at work
  state.cpuMs += MAX_IDLE_MS;
  trimmer.look();
  expect(state.trims).toBe(1);
  trimmer.look();
  trimmer.look();
  expect(state.trims).toBe(1);
});

test("look() leaves a proxy alone that is never idle, and one that does little", () => {
  const { state, trimmer } = fixture();
  for (let i = 0; i < 20; i++) {
    state.cpuMs += MAX_IDLE_MS + 1;
    trimmer.look();
  }
  expect(state.trims).toBe(0);
  const quiet = fixture();
  for (let cpuMs = MAX_IDLE_MS; cpuMs < MIN_WORK_MS; cpuMs += MAX_IDLE_MS) {
    quiet.state.cpuMs += MAX_IDLE_MS;
    quiet.trimmer.look();
  }
  expect(quiet.state.trims).toBe(0);
});

test("start() waits until a proxy that gets its first requests at once is not busy", () => {
  jest.useFakeTimers();
  try {
    const { state, trimmer } = fixture();
    trimmer.start();
    for (let second = 0; second < 10; second++) {
      state.cpuMs += BUSY_START_MS + 1;
      jest.advanceTimersByTime(1000);
    }
    expect(state.trims).toBe(0);
    jest.advanceTimersByTime(10_000);
    expect(state.trims).toBe(1);
  } finally {
    jest.useRealTimers();
  }
});

test("start() trims once soon, unless it is ended before", () => {
  jest.useFakeTimers();
  try {
    const { state, trimmer } = fixture();
    trimmer.start()();
    jest.advanceTimersByTime(10_000);
    expect(state.trims).toBe(0);
    trimmer.start();
    jest.advanceTimersByTime(10_000);
    expect(state.trims).toBe(1);
  } finally {
    jest.useRealTimers();
  }
});
