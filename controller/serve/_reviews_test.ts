import { expect, test } from "bun:test";
import { Reviews } from "./_reviews.ts";

const LIMITS = { reviews: 4, heldBytes: 1000, reviewBytes: 300, arrivalMs: 60_000 };

async function* body(...sizes: number[]) {
  for (const size of sizes) yield new Uint8Array(size).fill(0x61);
}

/** A review whose answer waits until it is let go. */
function pending(reviews: Reviews, caller: string, ...sizes: number[]) {
  const { promise, resolve } = Promise.withResolvers<void>();
  const done = reviews.run(caller, body(...sizes), async (text) => {
    await promise;
    return text.length;
  });
  return { done, letGo: resolve };
}

/** What a review gets that could be answered at once. */
async function outcome(reviews: Reviews, caller: string, ...sizes: number[]): Promise<string | number> {
  const run = await reviews.run(caller, body(...sizes), (text) => Promise.resolve(text.length));
  return run.kind === "answer" ? run.answer : `${run.status} ${run.kind}`;
}

test("Reviews are bounded in number, half of them for one address, and the next one is left room", async () => {
  const reviews = new Reviews(LIMITS);
  const held = [pending(reviews, "a", 10), pending(reviews, "a", 10)];
  expect(await outcome(reviews, "a", 10)).toBe("429 busy");
  expect(await outcome(reviews, "b", 10)).toBe(10);
  for (const each of held) each.letGo();
  expect((await Promise.all(held.map(({ done }) => done))).map(({ kind }) => kind)).toEqual(["answer", "answer"]);
  expect(await outcome(reviews, "a", 10)).toBe(10);
  expect([reviews.underWay, reviews.heldBytes]).toEqual([0, 0]);
});

test("Reviews are bounded in bytes that have arrived, and give back what a refusal took", async () => {
  const reviews = new Reviews(LIMITS);
  const held = pending(reviews, "a", 150, 150);
  expect(await outcome(reviews, "a", 150, 51)).toBe("429 busy");
  expect(reviews.heldBytes).toBe(300);
  expect(await outcome(reviews, "b", 150, 150)).toBe(300);
  expect(await outcome(reviews, "b", 150, 151)).toBe("413 too_large");
  held.letGo();
  await held.done;
  expect(await outcome(reviews, "a", 150, 51)).toBe(201);
  expect([reviews.underWay, reviews.heldBytes]).toEqual([0, 0]);
});

test("Reviews that do not arrive are given up", async () => {
  const reviews = new Reviews({ ...LIMITS, arrivalMs: 1 });
  async function* stuck() {
    yield new Uint8Array(10);
    await new Promise(() => {});
  }
  const run = await reviews.run("a", stuck(), () => Promise.resolve(""));
  expect(run.kind).toBe("late");
  expect([reviews.underWay, reviews.heldBytes]).toEqual([0, 0]);
});

test("Reviews give back what a body or an answer that throws has taken", async () => {
  const reviews = new Reviews(LIMITS);
  const bad = reviews.run("a", body(10), () => Promise.reject(new Error("no JSON")));
  expect(await bad.catch((error: Error) => error.message)).toBe("no JSON");
  expect([reviews.underWay, reviews.heldBytes]).toEqual([0, 0]);
});
