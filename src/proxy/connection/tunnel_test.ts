import { expect, test } from "bun:test";
import fc from "fast-check";
import { connectHead, FakeLeg, response } from "../../../tests/support/legs.ts";
import type { Leg } from "../../http/leg.ts";
import { Tunnel, type TunnelOwner } from "./tunnel.ts";
import { EndpointBreaker } from "../upstream/breaker.ts";
import { Reachability } from "../upstream/reachability.ts";
import type { EndpointState } from "../upstream/endpoint_state.ts";
import { type Failure, unsent } from "../upstream/failure.ts";

class Owner implements TunnelOwner {
  readonly events: string[] = [];
  retries = 0;
  attach: (() => void) | null = null;
  again: ((tunnel: Tunnel) => void) | null = null;

  retry(tunnel: Tunnel, error: Failure): boolean {
    if (this.retries-- <= 0 || !error.unprocessed) return false;
    this.again?.(tunnel);
    return true;
  }
  onServerFirst(): void {
    this.events.push("server first");
    this.attach?.();
  }
  opened(): void {
    this.events.push("opened");
  }
  refused(_tunnel: Tunnel, error: Failure): void {
    this.events.push(`refused ${error.code}`);
  }
  finished(_tunnel: Tunnel, error: Failure | null): void {
    this.events.push(`finished ${error?.code ?? "in order"}`);
  }
}

class Endpoint {
  pending = 0;
  readonly breaker = new EndpointBreaker({ consecutiveFailures: 0, minPenaltyMs: 1, maxPenaltyMs: 1 });
  readonly reachability = new Reachability();
  acquired = 0;

  get state(): EndpointState {
    return this as unknown as EndpointState; // tunnels use no other members
  }
  onUnreached(): void {}
  acquireTunnel(): void {
    this.acquired++;
  }
}

/** A leg that is a stream to a sidecar: it has to answer before bytes may flow. */
class StreamLeg extends FakeLeg {
  readonly connection = {};
}

const bytes = Buffer.from("hello");

function rig(isStream: boolean) {
  const owner = new Owner();
  const endpoint = new Endpoint();
  const tunnel = new Tunnel(owner, connectHead("tulle-tcp"), () => 1, () => 0.5);
  const up: FakeLeg = isStream ? new StreamLeg(tunnel) : new FakeLeg(tunnel);
  const down = new FakeLeg(tunnel);
  tunnel.dispatch(endpoint.state);
  return { owner, endpoint, tunnel, up, down };
}

test("what the client sends is kept until the peer accepts, its end included", () => {
  const { owner, endpoint, tunnel, up, down } = rig(true);
  tunnel.attach(down);
  tunnel.onData(down, bytes, 0, 5, false);
  tunnel.onUpstream(up);
  tunnel.onData(down, bytes, 0, 0, true);
  expect(up.events).toEqual(["head CONNECT"]);
  tunnel.onHead(up, response(200), false);
  expect(up.events).toEqual(["head CONNECT", "data 5", "fin"]);
  expect(down.credited).toBe(5);
  tunnel.onData(up, bytes, 0, 5, true);
  expect(down.events).toEqual(["data 5", "fin"]);
  expect(owner.events).toEqual(["opened", "finished in order"]);
  expect(endpoint.pending).toBe(0);
});

test("a plain connection is open at once", () => {
  const { owner, tunnel, up, down } = rig(false);
  tunnel.attach(down);
  tunnel.onUpstream(up);
  tunnel.onData(down, bytes, 0, 5, false);
  expect(up.sent.toString()).toBe("hello");
  expect(owner.events).toEqual(["opened"]);
});

test("half-close is kept in both orders, and the tunnel ends with the second", () => {
  for (const first of ["up", "down"] as const) {
    const { owner, tunnel, up, down } = rig(false);
    tunnel.attach(down);
    tunnel.onUpstream(up);
    const [a, b] = first === "up" ? [up, down] : [down, up];
    tunnel.onData(a, bytes, 0, 0, true);
    expect(owner.events).toEqual(["opened"]);
    expect(b.ended).toBe(true);
    tunnel.onData(b, bytes, 0, 5, false);
    tunnel.onData(b, bytes, 0, 0, true);
    expect(owner.events).toEqual(["opened", "finished in order"]);
    expect(a.sent.toString()).toBe("hello");
  }
});

test("a reset on one side resets the other, and never ends it in order", () => {
  for (const code of [0, 8, 10]) {
    const { owner, endpoint, tunnel, up, down } = rig(false);
    tunnel.attach(down);
    tunnel.onUpstream(up);
    tunnel.onAbort(up, code, false, "gone");
    expect(down.aborted).toBe(code === 0 ? 8 : code);
    expect(owner.events.at(-1)).toBe("finished upstream_reset");
    expect(endpoint.pending).toBe(0);
  }
  const { owner, tunnel, up, down } = rig(false);
  tunnel.attach(down);
  tunnel.onUpstream(up);
  tunnel.onAbort(down, 8, false, "gone");
  expect(up.aborted).toBe(8);
  expect(owner.events.at(-1)).toBe("finished cancelled");
});

test("a peer that refuses is told with its reason, and not asked again when that is policy", () => {
  for (const [status, code] of [[403, "denied"], [502, "unreachable"]] as const) {
    const { owner, endpoint, tunnel, up, down } = rig(true);
    owner.retries = 1;
    owner.again = (t) => t.dispatch(endpoint.state);
    tunnel.attach(down);
    tunnel.onUpstream(up);
    tunnel.onHead(up, response(status), true);
    expect(endpoint.acquired).toBe(code === "denied" ? 1 : 2);
    if (code === "denied") expect(owner.events).toEqual(["refused denied", "finished denied"]);
    else tunnel.onUpstreamFailed(unsent("connect_failed", ""));
    expect(endpoint.pending).toBe(0);
  }
});

test("the bytes of the client survive a second try", () => {
  const { owner, endpoint, tunnel, up, down } = rig(true);
  owner.retries = 1;
  owner.again = (t) => t.dispatch(endpoint.state);
  tunnel.attach(down);
  tunnel.onData(down, bytes, 0, 5, false);
  tunnel.onUpstreamFailed(unsent("connect_failed", ""));
  tunnel.onUpstream(up);
  tunnel.onHead(up, response(200), false);
  expect(up.sent.toString()).toBe("hello");
});

test("a server that speaks before the client is attached has its bytes delivered", () => {
  const { owner, tunnel, up, down } = rig(false);
  owner.attach = () => tunnel.attach(down);
  tunnel.onUpstream(up);
  tunnel.onData(up, bytes, 0, 5, false);
  expect(owner.events).toEqual(["opened", "server first"]);
  expect(down.sent.toString()).toBe("hello");
});

test("cancel() leaves the endpoint and tells nobody", () => {
  for (const connected of [false, true]) {
    const { owner, endpoint, tunnel, up } = rig(false);
    if (connected) tunnel.onUpstream(up);
    tunnel.cancel();
    expect(endpoint.pending).toBe(0);
    expect(tunnel.cancelled).toBe(true);
    expect(up.aborted).toBe(connected ? 8 : -1);
    expect(owner.events.filter((e) => e.startsWith("finished"))).toEqual([]);
  }
});

test("nothing is left behind, whatever the order of events (property)", () => {
  const event = fc.record({
    kind: fc.constantFrom(
      "up",
      "upData",
      "downData",
      "upFin",
      "downFin",
      "upAbort",
      "downAbort",
      "head",
      "refusal",
      "failed",
      "attach",
      "cancel",
      "fail",
    ),
  });
  fc.assert(
    fc.property(
      fc.array(event, { maxLength: 20, size: "max" }),
      fc.boolean(),
      fc.nat(2),
      (events, isStream, retries) => {
        const { owner, endpoint, tunnel, down } = rig(isStream);
        owner.retries = retries;
        let waiting = true;
        owner.again = (t) => {
          t.dispatch(endpoint.state);
          waiting = true;
        };
        owner.attach = () => tunnel.attach(down);
        let up: Leg | null = null;
        const fins = new Set<Leg>();
        const dead = new Set<Leg>();
        const answered = new Set<Leg>();
        const can = (leg: Leg | null): leg is Leg =>
          leg !== null && !fins.has(leg) && !dead.has(leg) && (leg as FakeLeg).aborted < 0;
        for (const { kind } of events) {
          if (kind === "up" && waiting && !tunnel.cancelled) {
            waiting = false;
            up = isStream ? new StreamLeg(tunnel) : new FakeLeg(tunnel);
            tunnel.onUpstream(up);
          } else if (kind === "failed" && waiting) {
            waiting = false;
            if (!tunnel.cancelled) tunnel.onUpstreamFailed(unsent("connect_failed", ""));
          } else if (kind === "attach" && tunnel.down === null) tunnel.attach(down);
          else if (kind === "head" && isStream && can(up) && !answered.has(up)) {
            answered.add(up);
            tunnel.onHead(up, response(200), false);
          } else if (kind === "refusal" && isStream && can(up) && !answered.has(up)) {
            dead.add(up);
            tunnel.onHead(up, response(502), true);
          } else if (kind === "upData" && can(up) && (!isStream || answered.has(up))) {
            tunnel.onData(up, bytes, 0, 5, false);
          } else if (kind === "upFin" && can(up) && (!isStream || answered.has(up))) {
            fins.add(up);
            tunnel.onData(up, bytes, 0, 0, true);
          } else if (kind === "downData" && tunnel.down !== null && can(down)) tunnel.onData(down, bytes, 0, 5, false);
          else if (kind === "downFin" && tunnel.down !== null && can(down)) {
            fins.add(down);
            tunnel.onData(down, bytes, 0, 0, true);
          } else if (kind === "upAbort" && up !== null && !dead.has(up) && (up as FakeLeg).aborted < 0) {
            dead.add(up);
            tunnel.onAbort(up, 8, true, "");
          } else if (kind === "downAbort" && tunnel.down !== null && !dead.has(down) && down.aborted < 0) {
            dead.add(down);
            tunnel.onAbort(down, 8, false, "");
          } else if (kind === "cancel") tunnel.cancel();
          else if (kind === "fail") tunnel.fail(unsent("no_endpoints", ""));
        }
        tunnel.cancel();
        expect(endpoint.pending).toBe(0);
        expect(owner.events.filter((e) => e.startsWith("finished")).length).toBeLessThanOrEqual(1);
        if (up !== null) expect((up as FakeLeg).events).not.toContain("AFTER THE END");
      },
    ),
    { numRuns: 2000 },
  );
});
