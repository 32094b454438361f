import { expect, test } from "bun:test";
import { Attempts } from "../exchange/attempts.ts";
import type { Exchange } from "../exchange/exchange.ts";
import { Hold, Holds, MAX_HELD } from "./hold.ts";
import { type Failure, unsent } from "../upstream/failure.ts";
import { HEAVY, type Origin } from "../upstream/waiter.ts";

const refused = unsent("connect_failed", "nobody listens");

/** The part of an exchange that waiting uses. */
class Request {
  finished = false;
  origin: Origin = HEAVY;
  history = new Attempts(refused);
  failure: Failure | null = null;
  sent = 0;

  get exchange(): Exchange {
    return this as unknown as Exchange; // see above
  }

  fail(failure: Failure): void {
    this.failure = failure;
    this.finished = true;
  }
}

/** A backend that is down until it is up: what is sent meanwhile comes back. */
class Rig {
  now = 0;
  isUp = false;
  readonly hold: Hold = new Hold("web.shop:80", (exchange) => this.#onSend(exchange), 3000, () => this.now);

  take(error: Failure = refused, isLight = false): Request {
    const request = new Request();
    if (isLight) request.origin = { isLight, held: 1 };
    const failure = this.hold.take(request.exchange, request.history, error);
    if (failure !== null) request.fail(failure);
    return request;
  }

  look(): void {
    this.now += 100;
    this.hold.onTimer(0);
  }

  #onSend(exchange: Exchange): void {
    const request = exchange as unknown as Request; // the rig makes no others
    request.sent++;
    if (this.isUp) return;
    const failure = this.hold.take(exchange, request.history, refused);
    if (failure !== null) request.fail(failure);
  }
}

test("Hold asks with one request at a time while the backend is down", () => {
  const rig = new Rig();
  const requests = Array.from({ length: 50 }, () => rig.take());
  for (let i = 0; i < 10; i++) rig.look();
  expect(requests.reduce((sum, request) => sum + request.sent, 0)).toBe(10);
  expect(rig.hold.size).toBe(50);
});

test("Hold sends all when an endpoint answers, each once", () => {
  const rig = new Rig();
  const requests = Array.from({ length: 50 }, () => rig.take());
  rig.look();
  rig.isUp = true;
  rig.hold.reached();
  expect(rig.hold.size).toBe(0);
  expect(requests.every((request) => request.sent >= 1 && request.failure === null)).toBe(true);
});

test("Hold sends twice as many each time while nothing fails, in case answers take their time", () => {
  const rig = new Rig();
  const requests = Array.from({ length: 50 }, () => rig.take());
  rig.isUp = true;
  const sent = [1, 2, 3, 4].map(() => {
    rig.look();
    return requests.reduce((sum, request) => sum + request.sent, 0);
  });
  expect(sent).toEqual([1, 3, 7, 15]);
});

test("Hold fails what has waited for too long with what it met, and what comes later at once", () => {
  const rig = new Rig();
  const first = rig.take();
  while (rig.now < 2900) rig.look();
  expect(first.failure).toBeNull();
  const late = rig.take();
  rig.look();
  expect(first.failure).toMatchObject({ code: "connect_failed", unprocessed: true });
  expect(late.failure).toBeNull(); // it has not waited yet
  expect(rig.take().failure).toMatchObject({ code: "fail_fast", unprocessed: true });
  expect(rig.take().failure?.detail).toContain("nobody listens");
});

test("Hold lets requests wait again after an answer", () => {
  const rig = new Rig();
  rig.take();
  while (rig.now < 4000) rig.look();
  expect(rig.take().failure?.code).toBe("fail_fast");
  rig.hold.reached();
  expect(rig.take().failure).toBeNull();
});

test("Hold takes an outage after a long silence for a new one", () => {
  const rig = new Rig();
  rig.take();
  while (rig.now < 4000) rig.look();
  rig.now += 60_000;
  expect(rig.take().failure).toBeNull();
});

test("Hold takes no more than MAX_HELD, and skips those that have ended", () => {
  const rig = new Rig();
  const requests = Array.from({ length: MAX_HELD }, () => rig.take());
  expect(rig.take().failure?.code).toBe("queue_full");
  const light = rig.take(refused, true);
  expect(light.failure).toBeNull(); // who has few requests is not kept out by those who have many
  rig.look(); // one has been sent, and come back
  expect(rig.take().failure?.code).toBe("queue_full");
  const sent = requests.reduce((sum, request) => sum + request.sent, 0);
  for (const request of [...requests, light]) request.finished = true;
  rig.look();
  expect(rig.hold.size).toBe(0);
  expect(requests.reduce((sum, request) => sum + request.sent, 0)).toBe(sent);
});

test("Holds forgets a backend when it answers, and those that are quiet", () => {
  let now = 0;
  const holds = new Holds(3000, () => now);
  const resend = () => {};
  const a = holds.of("a", "a", resend);
  expect(holds.of("a", "a", resend)).toBe(a);
  holds.reached("a");
  expect(holds.isEmpty).toBe(true);
  const b = holds.of("b", "b", resend);
  now += 60_000;
  holds.of("c", "c", resend);
  expect(holds.of("b", "b", resend)).not.toBe(b);
});
