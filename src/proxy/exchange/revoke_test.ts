import { expect, test } from "bun:test";
import { Live } from "./live.ts";
import { Revocation, SETTLE_MS } from "./revoke.ts";

const ALONE = { before: null, after: null };

test("a change is looked at once it has settled, and changes meanwhile do not put that off", async () => {
  const live = new Live();
  const { promise, resolve } = Promise.withResolvers<number>();
  let looks = 0;
  live.add({ ...ALONE, shutdown() {}, rejudge: () => resolve(++looks) });
  live.add({ ...ALONE, shutdown() {} });
  const revocation = new Revocation(live);
  const started = performance.now();
  revocation.changed();
  expect(looks).toBe(0);
  const changes = setInterval(() => revocation.changed(), SETTLE_MS / 10);
  expect(await promise).toBe(1);
  clearInterval(changes);
  expect(performance.now() - started).toBeGreaterThanOrEqual(SETTLE_MS - 1);
});
