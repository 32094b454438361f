import { expect, test } from "bun:test";
import { Code, ConnectError } from "@connectrpc/connect";
import type { Directory, DirectoryChange, DirectorySource } from "../core/directory.ts";
import { Registry } from "../core/metrics.ts";
import type { InboundWorkload, OutboundTarget } from "../core/snapshot.ts";
import { serveMetrics } from "./metrics.ts";
import { Audience } from "./audience.ts";
import { responseOf } from "./encode.ts";
import { ProxySession, type Push } from "./session.ts";

const IDENTITY = "spiffe://cluster.local/ns/shop/sa/front";

/** A world in which every target's authority is the number of the world. */
class Worlds implements DirectorySource {
  readonly audience: Audience;
  current: Directory = world(0, IDENTITY);
  readonly #listeners = new Set<(change: DirectoryChange) => void>();

  onChange(listener: (change: DirectoryChange) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** @param isAll false: no answer is another */
  set(next: Directory, isAll = true): void {
    this.current = next;
    for (const listener of this.#listeners) listener({ isAll, answers: new Set(), addresses: new Set() });
  }

  constructor() {
    this.audience = new Audience(this);
  }
}

function world(number: number, identity: string | null): Directory {
  const outbound: OutboundTarget = {
    known: true,
    parent: { group: "core", kind: "Service", namespace: "shop", name: "web", section: "" },
    authority: `world-${number}`,
    port: 80,
    protocol: "detect",
    routes: [],
    backends: [],
    streamRoutes: [],
    egress: null,
  };
  const inbound = (namespace: string, name: string): InboundWorkload | null =>
    identity === null ? null : {
      workload: { namespace, name },
      identity,
      ports: [],
      defaultPolicy: "deny",
      clusterNetworks: [],
      probeNetworks: [],
      zone: "",
    };
  return { outbound: () => outbound, inbound };
}

function open(source: Worlds, known: Record<string, string> = {}): ProxySession {
  return new ProxySession({
    workload: { namespace: "shop", name: "front-0" },
    identity: IDENTITY,
    proxyVersion: "test",
    known: new Map(Object.entries(known)),
    source,
    audience: source.audience,
    metrics: serveMetrics(new Registry()),
    now: () => 0,
    onRefusal: () => {},
  });
}

function authority(push: Push | null): string | undefined {
  const resource = push === null ? undefined : responseOf(push.name, push, false).resource;
  return resource?.case === "outbound" ? resource.value.authority : undefined;
}

test("next() gives a slow proxy the newest version only, of each resource once", async () => {
  const source = new Worlds();
  const session = open(source);
  await session.next();
  session.watch(["web:80", "web:81"], []);
  for (let number = 1; number <= 100; number++) source.set(world(number, IDENTITY));
  const pushes = [await session.next(), await session.next()];
  expect(pushes.map((push) => push?.name).sort()).toEqual(["outbound/web:80", "outbound/web:81"]);
  expect(pushes.map(authority)).toEqual(["world-100", "world-100"]);
  source.set(world(100, IDENTITY)); // another world, the same content
  source.set(world(101, IDENTITY));
  expect(authority(await session.next())).toBe("world-101");
});

test("next() sends again what was forgotten and is watched anew", async () => {
  const session = open(new Worlds());
  await session.next();
  session.watch(["web:80"], []);
  await session.next();
  session.watch([], ["web:80"]);
  session.watch(["web:80"], []);
  expect((await session.next())?.name).toBe("outbound/web:80");
});

test("next() ends the stream when the workload gets another identity, not when it goes", async () => {
  const source = new Worlds();
  const session = open(source);
  await session.next();
  const waiting = session.next().then(() => null, (error: ConnectError) => error.code);
  source.set(world(1, null));
  source.set(world(2, "spiffe://cluster.local/ns/shop/sa/other"));
  expect(await waiting).toBe(Code.PermissionDenied);
});

test("end() wakes the stream and stops listening", async () => {
  const source = new Worlds();
  const session = open(source);
  await session.next();
  const waiting = session.next();
  session.end(null);
  expect(await waiting).toBe(null);
  expect(source.audience.size).toBe(0);
});

test("ack() keeps the version in force apart from the one that was refused", async () => {
  const session = open(new Worlds());
  const first = await session.next();
  session.ack("inbound", first?.version ?? "", "");
  session.ack("inbound", "v2", "no");
  session.ack("outbound/never:80", "v", "not watched");
  expect(session.status()).toEqual([{
    name: "inbound",
    sent: first?.version ?? "",
    inForce: first?.version ?? "",
    refused: { version: "v2", reason: "no", atMs: 0 },
  }]);
});

test("next() passes over what a change does not touch, though not what a change before did", async () => {
  const source = new Worlds();
  const session = open(source);
  session.watch(["web:80"], []);
  await session.next();
  await session.next();
  source.set(world(1, IDENTITY), false);
  source.set(world(2, IDENTITY));
  source.set(world(3, IDENTITY), false);
  expect(authority(await session.next())).toBe("world-3");
  source.set(world(4, IDENTITY), false);
  session.end(null);
  expect(await session.next()).toBe(null);
});
