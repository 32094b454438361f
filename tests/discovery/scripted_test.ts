import { Code } from "@connectrpc/connect";
import { expect, onTestFinished, test } from "bun:test";
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DefaultPolicy } from "../../proto/gen/tulle/discovery/v1/discovery_pb.ts";
import type { OutboundTarget } from "../../src/model/outbound.ts";
import { createCa } from "../support/certificates.ts";
import { ScriptedController } from "../support/controller.ts";
import { ControlFace, eventually } from "./_face.ts";

const KEY = "10.96.0.1:80";
const inbound = {
  workload: { namespace: "shop", name: "front-0" },
  identity: "spiffe://cluster.local/ns/shop/sa/front",
  defaultPolicy: DefaultPolicy.ALL_AUTHENTICATED,
};

/** A destination with that many endpoints. */
function web(endpoints: number) {
  const list = Array.from({ length: endpoints }, (_, i) => ({ ip: Uint8Array.of(10, 1, i >> 8, i & 255), port: 8080 }));
  const backend = { backend: { kind: "Service", namespace: "shop", name: "web" }, port: 80, endpoints: list };
  return {
    known: true,
    port: 80,
    authority: "web.shop:80",
    backends: [backend],
    routes: [{ backends: [{ weight: 1 }] }],
  };
}

function face(
  controller: ScriptedController,
  more: { stateDir?: string; maxStreamAgeMs?: number; token?: string } = {},
) {
  return new ControlFace({ port: controller.port, roots: controller.ca.certificate, ...more });
}

const endpointsOf = (target: OutboundTarget | null) => target?.backends[0]?.endpoints.length ?? -1;

test("a proxy certifies, subscribes, follows updates and acknowledges them", async () => {
  await using controller = await ScriptedController.start();
  controller.setInbound(inbound);
  const first = controller.setOutbound(KEY, web(1));
  using proxy = face(controller);
  const target = await proxy.discovery.want(KEY, 5000);
  expect("kind" in target ? target : endpointsOf(target)).toBe(1);
  await eventually(() => proxy.discovery.ready(), (r) => r.ready);
  expect(proxy.discovery.inbound()?.defaultPolicy).toBe("all-authenticated");
  const changed = new Promise<OutboundTarget>((resolve) => proxy.discovery.onChange(KEY, resolve));
  const second = controller.setOutbound(KEY, web(2));
  expect(endpointsOf(await changed)).toBe(2);
  expect(endpointsOf(proxy.discovery.lookup(KEY))).toBe(2);
  const acks = await eventually(
    () => controller.subscribers[0]?.acks.map((a) => [a.name, a.version, a.error]) ?? [],
    (a) => a.length === 3,
  );
  expect(acks.slice(1)).toEqual([[`outbound/${KEY}`, first, ""], [`outbound/${KEY}`, second, ""]]);
  expect(controller.subscribers[0]?.hello).toMatchObject({ workload: inbound.workload, proxyVersion: "test" });
});

test("a bad update is refused with its reason, and the last good one stays", async () => {
  await using controller = await ScriptedController.start();
  controller.setInbound(inbound);
  controller.setOutbound(KEY, web(1));
  using proxy = face(controller);
  await proxy.discovery.want(KEY, 5000);
  const subscriber = await eventually(() => controller.subscribers[0], (s) => (s?.acks.length ?? 0) === 2);
  controller.setOutbound(KEY, { ...web(3), routes: [{ hostnames: ["no host"] }] });
  const nack = await eventually(() => subscriber?.acks[2], (ack) => ack !== undefined);
  expect(nack?.error).toStartWith('outbound.routes[0].hostnames[0]: found "no host"');
  expect(endpointsOf(proxy.discovery.lookup(KEY))).toBe(1);
  expect(proxy.discovery.dump().refused).toEqual({ [`outbound/${KEY}`]: nack?.error ?? "" });
  subscriber?.send({
    name: "inbound",
    version: "x",
    resource: { case: "inbound", value: { ...inbound, workload: { namespace: "shop", name: "other-0" } } },
  });
  const foreign = await eventually(() => subscriber?.acks[3], (ack) => ack !== undefined);
  expect(foreign?.error).toBe("inbound.workload: found shop/other-0, want shop/front-0");
});

test("a want of a target whose first snapshot is refused fails at once", async () => {
  await using controller = await ScriptedController.start();
  controller.setOutbound(KEY, { known: true });
  using proxy = face(controller);
  expect(await proxy.discovery.want(KEY, 5000)).toMatchObject({
    code: "refused",
    detail: expect.stringContaining("outbound.port"),
  });
});

test("a killed controller leaves the table as it is, and its successor resumes by versions", async () => {
  await using controller = await ScriptedController.start();
  controller.setInbound(inbound);
  const version = controller.setOutbound(KEY, web(2));
  using proxy = face(controller);
  await proxy.discovery.want(KEY, 5000);
  await eventually(() => proxy.discovery.ready(), (r) => r.ready);
  await controller.kill();
  await eventually(() => proxy.discovery.dump().stream, (s) => s.state === "waiting" && s.lastError !== "");
  expect(endpointsOf(proxy.discovery.lookup(KEY))).toBe(2);
  expect(proxy.discovery.ready().ready).toBe(true);
  expect(await proxy.discovery.want("10.96.0.9:80", 30)).toMatchObject({ code: "timeout" });
  await controller.listen();
  const subscriber = await eventually(() => controller.subscribers[0], (s) => s?.hello != null && s.watched.size === 2);
  expect(subscriber?.hello?.knownVersions[`outbound/${KEY}`]).toBe(version);
  expect([...subscriber?.watched ?? []]).toEqual([KEY, "10.96.0.9:80"]);
  const before = proxy.discovery.dump().stream.updates;
  const changed = new Promise<OutboundTarget>((resolve) => proxy.discovery.onChange(KEY, resolve));
  controller.setOutbound(KEY, web(3));
  expect(endpointsOf(await changed)).toBe(3);
  expect(proxy.discovery.dump().stream.updates).toBe(before + 1); // what was known did not come again
});

test("a stream that ends with an error is opened again", async () => {
  await using controller = await ScriptedController.start();
  controller.setInbound(inbound);
  using proxy = face(controller);
  const subscriber = await eventually(() => controller.subscribers[0], (s) => s?.hello != null);
  subscriber?.fail(Code.PermissionDenied, "not your workload");
  const stream = await eventually(() => proxy.discovery.dump().stream, (s) => s.lastError.startsWith("perm"));
  expect(stream.lastError).toBe("permission_denied: not your workload");
  await eventually(() => controller.streams, (n) => n === 2);
});

test("GOAWAY moves the streams to a new connection", async () => {
  await using controller = await ScriptedController.start();
  controller.setInbound(inbound);
  using proxy = face(controller);
  await eventually(() => controller.subscribers[0]?.acks.length, (n) => n === 1);
  controller.goAway();
  await eventually(() => controller.streams, (n) => n === 2);
  expect(proxy.discovery.inbound()).not.toBeNull();
});

test("an old stream is replaced by one that presents the current certificate", async () => {
  await using controller = await ScriptedController.start();
  controller.leafLifetimeMs = 2500;
  controller.setInbound(inbound);
  using _proxy = face(controller, { maxStreamAgeMs: 1500 });
  const peer = await eventually(() => controller.subscribers[0]?.peer, (p) => p !== undefined);
  await eventually(() => controller.certified, (n) => n >= 2);
  await eventually(() => controller.subscribers.at(-1)?.peer, (p) => p !== undefined && p !== peer);
  await eventually(() => controller.subscribers.length, (n) => n === 1);
});

test("roots that the controller gives out arrive", async () => {
  await using controller = await ScriptedController.start();
  const other = await createCa("second root");
  using proxy = face(controller);
  await eventually(() => proxy.identity.report(), (r) => r.trustVersion === 1);
  controller.setRoots([controller.ca.certificate, other.certificate]);
  await eventually(() => proxy.identity.report(), (r) => r.trustVersion === 2);
  expect(proxy.identity.current()?.caPem.match(/BEGIN/g)?.length).toBe(2);
});

test("a proxy that was restarted serves from disk without a controller, and drops what is damaged", async () => {
  const folder = mkdtempSync(join(tmpdir(), "tulle-state-"));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const stateDir = join(folder, "snapshots");
  const controller = await ScriptedController.start();
  controller.setInbound(inbound);
  controller.setOutbound(KEY, web(2));
  {
    using proxy = face(controller, { stateDir });
    await proxy.discovery.want(KEY, 5000);
    await eventually(() => proxy.discovery.ready(), (r) => r.ready);
  }
  await controller.kill();
  writeFileSync(join(stateDir, "damaged.snapshot"), "\x0a\xffnonsense");
  writeFileSync(join(stateDir, "half.new"), "never finished");
  expect(readdirSync(stateDir).length).toBe(4);
  using restarted = face(controller, { stateDir });
  expect(restarted.discovery.ready()).toEqual({ ready: true, reasons: [] });
  expect(endpointsOf(restarted.discovery.lookup(KEY))).toBe(2);
});

test("a proxy without snapshots says what it waits for", async () => {
  const controller = await ScriptedController.start();
  await controller.kill();
  using proxy = face(controller);
  await eventually(() => proxy.identity.report().lastError, (e) => e.includes("cannot be reached"));
  const { ready, reasons } = proxy.discovery.ready();
  expect(ready).toBe(false);
  expect(reasons[0]).toStartWith(`no inbound policy yet from controller 127.0.0.1:${controller.port}: unavailable`);
});

test("a wrong token is refused with the controller's reason", async () => {
  await using controller = await ScriptedController.start();
  using proxy = face(controller, { token: "stolen" });
  await eventually(() => proxy.identity.report().lastError, (e) => e === "unauthenticated: token unknown");
});

test("neither a foreign CA nor another workload of the mesh passes for the controller", async () => {
  const impostor = await ScriptedController.start();
  using proxy = new ControlFace({ port: impostor.port, roots: (await createCa("mounted root")).certificate });
  await eventually(() => proxy.identity.report().lastError, (e) => e.includes("untrusted_ca"));
  await impostor.kill();
  await impostor.listen("spiffe://cluster.local/ns/shop/sa/front");
  using second = face(impostor);
  await eventually(() => second.identity.report().lastError, (e) => e.includes("wrong_identity"));
  expect(impostor.certified).toBe(0);
  await impostor.kill();
});

test("snapshots larger than the windows arrive whole, in pieces", async () => {
  await using controller = await ScriptedController.start();
  controller.setOutbound(KEY, { ...web(9000), authority: "x".repeat(3_000_000) });
  using proxy = face(controller);
  const target = await proxy.discovery.want(KEY, 10_000);
  expect("kind" in target ? target : [endpointsOf(target), target.authority.length]).toEqual([9000, 3_000_000]);
});

test("a hello larger than the windows is sent whole", async () => {
  await using controller = await ScriptedController.start();
  controller.setInbound(inbound);
  using proxy = face(controller);
  await eventually(() => proxy.discovery.ready(), (r) => r.ready);
  const keys = Array.from({ length: 1000 }, (_, i) => `${"long-name-".repeat(20)}${i}.shop.svc.cluster.local:80`);
  for (const key of keys) controller.setOutbound(key, web(1));
  const all = await Promise.all(keys.map((key) => proxy.discovery.want(key, 10_000)));
  expect(all.filter((target) => "kind" in target)).toEqual([]);
  await controller.kill();
  await controller.listen();
  const subscriber = await eventually(() => controller.subscribers[0], (s) => (s?.watched.size ?? 0) === 1000);
  expect(Object.keys(subscriber?.hello?.knownVersions ?? {}).length).toBe(1001);
});
