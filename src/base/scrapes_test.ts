import { expect, test } from "bun:test";
import { Scrapes } from "./scrapes.ts";

test("scrapes see the present until a second's share is used up, then share the last text, then get none", async () => {
  let now = 5_000;
  let made = 0;
  const scrapes = new Scrapes(() => String(++made), () => now);
  const read = async (count: number) => {
    const texts: (string | null)[] = [];
    for (let at = 0; at < count; at++) texts.push(await scrapes.text());
    return texts;
  };
  expect(await read(16)).toEqual(Array.from({ length: 16 }, (_, at) => String(at + 1)));
  now += 900;
  expect(await read(112)).toEqual(Array(112).fill("16"));
  expect(await read(1000)).toEqual(Array(1000).fill(null));
  now += 100;
  expect(await read(2)).toEqual(["17", "18"]);
});
