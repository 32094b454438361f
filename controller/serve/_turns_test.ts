import { expect, test } from "bun:test";
import { Shares } from "./_shares.ts";
import { Turns } from "./_turns.ts";

test("Shares gives one caller half, and always something to the next", () => {
  const shares = new Shares(100);
  let held = 0;
  while (shares.enter("greedy")) held++;
  expect(held).toBe(50);
  expect(shares.enter("other")).toBe(true);
  shares.leave("other");
  shares.leave("greedy");
  expect(shares.used).toBe(49);
  expect(shares.enter("greedy")).toBe(true);
});

test("Turns serves callers in turn, however much one of them asks for", async () => {
  const turns = new Turns(1);
  const done: string[] = [];
  const gate = Promise.withResolvers<void>();
  const one = (caller: string, at: number) =>
    turns.run(caller, async () => {
      await gate.promise;
      done.push(`${caller}${at}`);
    });
  const greedy = Array.from({ length: 5 }, (_, at) => one("greedy", at));
  const others = [one("a", 0), one("b", 0), one("a", 1)];
  gate.resolve();
  await Promise.all([...greedy, ...others]);
  expect(done).toEqual(["greedy0", "greedy1", "a0", "b0", "greedy2", "a1", "greedy3", "greedy4"]);
});

test("Turns goes on after work that fails", async () => {
  const turns = new Turns(2);
  const gate = Promise.withResolvers<number>();
  const begun = Array.from({ length: 4 }, () => turns.run("greedy", () => gate.promise));
  const other = turns.run("other", () => Promise.resolve(2));
  gate.reject(new Error("it failed"));
  for (const each of begun) expect(await each.catch((error: Error) => error.message)).toBe("it failed");
  expect(await other).toBe(2);
  expect(await turns.run("greedy", () => Promise.resolve(3))).toBe(3);
});
