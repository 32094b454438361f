import { expect, test } from "bun:test";
import { Timer } from "../base/timer_wheel.ts";
import { arm, disarm } from "./ticker.ts";

test("arm() fires a deadline that passed while the process stood still only after what came meanwhile was read", async () => {
  const order: string[] = [];
  const { promise, resolve } = Promise.withResolvers<void>();
  const timer = new Timer({
    onTimer() {
      order.push("deadline");
      resolve();
    },
  }, 0);
  const server = Bun.listen({
    hostname: "127.0.0.1",
    port: 0,
    socket: {
      open(socket) {
        socket.write("answer");
      },
      data() {},
    },
  });
  const { promise: connected, resolve: onConnected } = Promise.withResolvers<void>();
  const client = await Bun.connect({
    hostname: "127.0.0.1",
    port: server.port,
    socket: {
      data() {
        order.push("answer");
        onConnected();
      },
    },
  });
  arm(timer, 50);
  const until = performance.now() + 300;
  while (performance.now() < until); // the process stands still
  await Promise.all([promise, connected]);
  expect(order).toEqual(["answer", "deadline"]);
  client.terminate();
  server.stop(true);
});

test("disarm() of an armed timer keeps it from firing", async () => {
  let fired = 0;
  const timer = new Timer({ onTimer: () => void fired++ }, 0);
  const { promise, resolve } = Promise.withResolvers<void>();
  const later = new Timer({ onTimer: () => resolve() }, 0);
  arm(timer, 20);
  arm(later, 100);
  disarm(timer);
  await promise;
  expect(fired).toBe(0);
});
