import { expect, test } from "bun:test";
import { pinnedPtr } from "./_libc.ts";

test("pinnedPtr() keeps memory of which nothing but the address is used", async () => {
  const collected: string[] = [];
  const registry = new FinalizationRegistry<string>((name) => void collected.push(name));
  const make = (name: string) => {
    const memory = new Uint8Array(new ArrayBuffer(8));
    registry.register(memory, name);
    return memory;
  };
  for (let n = 0; n < 100; n++) make("lost");
  for (let n = 0; n < 100; n++) pinnedPtr(make("pinned"));
  while (!collected.includes("lost")) {
    await Bun.sleep(1);
    Bun.gc(true);
  }
  await Bun.sleep(1);
  Bun.gc(true);
  await Bun.sleep(1);
  expect(new Set(collected)).toEqual(new Set(["lost"]));
});
