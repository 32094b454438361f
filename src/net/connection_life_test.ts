import { expect, test } from "bun:test";
import { ConnectionLife, lifeSpan } from "./connection_life.ts";

test("lifeSpan() lets clients move over before a certificate ends, each at another time", () => {
  expect(lifeSpan(1000, 500, 0)).toEqual({ retireMs: 800, expireMs: 1000, cutMs: 1500 });
  expect(lifeSpan(1000, 500, 0.999).retireMs).toBeLessThan(950);
  expect(lifeSpan(-5, 500, 0.5)).toEqual({ retireMs: 0, expireMs: 0, cutMs: 500 }); // a clock that was set
});

test("ConnectionLife retires until the connection is gone, then cuts", async () => {
  const events: string[] = [];
  const { promise, resolve } = Promise.withResolvers<void>();
  const life = new ConnectionLife(
    {
      retire: () => void events.push("retire"),
      cut() {
        events.push("cut");
        resolve();
      },
    },
    20,
    1200,
  );
  await promise;
  expect(events).toEqual(["retire", "retire", "cut"]); // again after a second
  life.stop();
});

test("ConnectionLife does nothing once it is stopped", async () => {
  let events = 0;
  const life = new ConnectionLife({ retire: () => void events++, cut: () => void events++ }, 0, 0);
  life.stop();
  await Bun.sleep(80);
  expect(events).toBe(0);
});
