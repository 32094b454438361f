import { expect, test } from "bun:test";
import { LineQueue, MAX_WAITING_BYTES } from "./line_queue.ts";

/** An output whose answers are told: how many bytes it takes next. */
function fixture(atomicBytes = 4096) {
  const state = { text: "", takes: Infinity };
  const queue = new LineQueue({
    atomicBytes,
    write(bytes) {
      if (state.takes < 0) return -1;
      const taken = Math.min(bytes.length, state.takes);
      state.takes -= taken;
      state.text += new TextDecoder().decode(bytes.subarray(0, taken));
      return taken;
    },
  });
  return { queue, state };
}

test("offer() writes at once when nothing waits", () => {
  const { queue, state } = fixture();
  queue.offer("a\n");
  queue.offer("b\n");
  expect(state.text).toBe("a\nb\n");
});

test("offer() keeps lines in order while the output takes none, and goes on by itself", async () => {
  const { queue, state } = fixture();
  state.takes = 0;
  const written = queue.write("a\nb\n");
  queue.offer("c\n");
  expect(state.text).toBe("");
  state.takes = Infinity;
  expect(await written).toBe(0);
  expect(state.text).toBe("a\nb\nc\n");
});

test("offer() loses what comes on top of the bound, and tells of it when all is written", async () => {
  const { queue, state } = fixture();
  queue.onRecovered = (lost) => queue.offer(`${lost} lost\n`);
  state.takes = 0;
  const line = "x".repeat(1023) + "\n";
  for (let i = 0; i < MAX_WAITING_BYTES / 1024 + 7; i++) queue.offer(line);
  expect(queue.lost).toBe(7);
  state.takes = Infinity;
  expect(await queue.write("later\n")).toBe(0);
  expect(state.text).toEndWith("later\n7 lost\n");
});

test("write() says how many lines are lost when the output fails, and the next line begins a new one", async () => {
  const { queue, state } = fixture(3);
  const told: number[] = [];
  queue.onRecovered = (lost) => told.push(lost);
  state.takes = 7; // "aa\n", "bb\n", "c"
  const written = queue.write("aa\nbb\ncc\ndd\n");
  state.takes = -1;
  expect(await written).toBe(2);
  expect(queue.lost).toBe(2);
  queue.offer("no\n");
  state.takes = Infinity;
  queue.offer("e\n");
  expect(state.text).toBe("aa\nbb\nc\ne\n");
  expect(told).toEqual([3]);
});

test("write() hands whole lines to an output that mixes longer ones", async () => {
  const pieces: string[] = [];
  const queue = new LineQueue({
    atomicBytes: 6,
    write(bytes) {
      pieces.push(new TextDecoder().decode(bytes));
      return bytes.length;
    },
  });
  expect(await queue.write("aa\nbb\ncc\nlong line\nd\n")).toBe(0);
  expect(pieces).toEqual(["aa\nbb\n", "cc\n", "long l", "ine\nd\n"]);
});
