import { expect, setDefaultTimeout, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { FolderIssuer } from "../../controller/issuer/folder_issuer.ts";
import { parseTokens } from "../../controller/issuer/tokens.ts";
import { x509 } from "../../controller/issuer/_x509.ts";
import { eventually } from "../support/eventually.ts";
import { FRONT, makeCsr, sha256, SHOP, type Subscription, TestController } from "./_controller.ts";

setDefaultTimeout(90_000);

test("Subscribe sends the workload's inbound policy and each target that is watched", async () => {
  await using controller = await new TestController({ "shop.yaml": SHOP }).start();
  await using stream = controller.subscribe(await controller.certify("token-front-0"), FRONT);
  stream.watch(["10.96.0.3:80", "back.shop.svc.cluster.local:80", "10.96.0.3:81", "192.0.2.1:443"]);
  const inbound = await stream.next();
  expect(inbound.name).toBe("inbound");
  expect(inbound.resource.value).toMatchObject({ identity: "spiffe://cluster.local/ns/shop/sa/front" });
  const byAddress = await stream.next();
  expect(byAddress.name).toBe("outbound/10.96.0.3:80");
  expect(byAddress.resource.value).toMatchObject({
    known: true,
    authority: "back.shop.svc.cluster.local:80",
    backends: [{ endpoints: [{ port: 9090, meshPort: 4143, identity: "spiffe://cluster.local/ns/shop/sa/back" }] }],
  });
  const byName = await stream.next();
  expect([byName.name, byName.version]).toEqual(["outbound/back.shop.svc.cluster.local:80", byAddress.version]);
  expect((await stream.next()).resource.value).toMatchObject({ known: true, routes: [], backends: [] });
  expect((await stream.next()).resource.value).toMatchObject({ known: false });
});

test("Subscribe pushes what a change of a file changes, and nothing else", async () => {
  await using controller = await new TestController({ "shop.yaml": SHOP }).start();
  await using stream = controller.subscribe(await controller.certify("token-front-0"), FRONT);
  stream.watch(["10.96.0.3:80", "192.0.2.1:443"]);
  for (let i = 0; i < 3; i++) await stream.next();
  controller.write("shop.yaml", SHOP.replace("10.77.0.3", "10.77.0.33"));
  const push = await stream.next();
  expect(push.name).toBe("outbound/10.96.0.3:80");
  expect(push.resource.value).toMatchObject({ backends: [{ endpoints: [{ ip: new Uint8Array([10, 77, 0, 33]) }] }] });
  expect(await stream.silent(300)).toBe(true);
  expect(await controller.metrics()).toMatch(/discovery_push_latency_seconds_count 1\n/);
});

test("a broken file leaves its last good state in force and is reported until it is mended", async () => {
  await using controller = await new TestController({ "shop.yaml": SHOP, "other.yaml": "" }).start();
  await using stream = controller.subscribe(await controller.certify("token-front-0"), FRONT);
  stream.watch(["10.96.0.3:80"]);
  for (let i = 0; i < 2; i++) await stream.next();
  controller.write("shop.yaml", SHOP.replace("port: 80,", 'port: "eighty",'));
  const want = 'spec.ports[0].port: found "eighty", want a number 1–65535 (Service shop/back)';
  await eventually(async () => {
    const [, file] = (await controller.config()).files;
    expect(file).toMatchObject({
      state: "last_good",
      objects: 3,
      errors: [expect.stringContaining(`shop.yaml:24:18: ${want}`)],
    });
  });
  expect(await controller.metrics()).toContain('config_files{state="last_good"} 1');
  expect(controller.output()).toContain("its last good state stays in force");
  // The other files go on.
  const slice = { apiVersion: "discovery.k8s.io/v1", kind: "EndpointSlice", addressType: "IPv4" };
  const metadata = { name: "b", namespace: "shop", labels: { "kubernetes.io/service-name": "back" } };
  const endpoints = [{ addresses: ["10.0.0.9"] }];
  controller.write("other.yaml", JSON.stringify({ ...slice, metadata, endpoints, ports: [{ name: "", port: 9090 }] }));
  const push = await stream.next();
  expect(push.resource.value).toMatchObject({ backends: [{ endpoints: [{ identity: "" }, { meshPort: 4143 }] }] });
  controller.write("shop.yaml", SHOP);
  await eventually(async () => expect((await controller.config()).files[1].state).toBe("current"));
});

test("a controller does not start on a file that it cannot read: its policies would be missing", async () => {
  const broken = SHOP.replace("port: 80,", 'port: "eighty",');
  await using controller = new TestController({ "shop.yaml": broken, "other.yaml": "" });
  await expect(controller.start()).rejects.toThrow();
  expect(controller.output()).toContain("shop.yaml:24:18: spec.ports[0].port");
  expect(controller.output()).toContain("not started: sidecars go on with what they have");
});

test("a refused snapshot is recorded with its reason", async () => {
  await using controller = await new TestController({ "shop.yaml": SHOP }).start();
  await using stream = controller.subscribe(await controller.certify("token-front-0"), FRONT);
  stream.watch(["10.96.0.3:80"]);
  const inbound = await stream.next();
  const { name, version } = await stream.next();
  stream.send({ case: "ack", value: { name: "inbound", version: inbound.version, error: "" } });
  stream.send({ case: "ack", value: { name, version, error: "bad_route: no backend 7" } });
  await eventually(async () => {
    const [proxy] = (await controller.config()).proxies;
    expect(proxy).toMatchObject({
      workload: "shop/front-0",
      resources: [
        { name: "inbound", inForce: inbound.version, refused: null },
        { name, sent: version, inForce: "", refused: { version, reason: "bad_route: no backend 7" } },
      ],
    });
  });
  const metrics = await controller.metrics();
  expect(metrics).toContain("discovery_acks_total 1");
  expect(metrics).toContain("discovery_nacks_total 1");
});

test("Subscribe does not repeat versions that the proxy says it has", async () => {
  await using controller = await new TestController({ "shop.yaml": SHOP }).start();
  const identity = await controller.certify("token-front-0");
  const known: Record<string, string> = {};
  {
    await using stream = controller.subscribe(identity, FRONT);
    stream.watch(["10.96.0.3:80"]);
    for (let i = 0; i < 2; i++) {
      const { name, version } = await stream.next();
      known[name] = version;
    }
  }
  await using again = controller.subscribe(identity, FRONT, known);
  again.watch(["10.96.0.3:80", "10.96.0.3:81"]);
  expect((await again.next()).name).toBe("outbound/10.96.0.3:81");
});

async function failure(stream: Subscription): Promise<string> {
  return await stream.next().then(({ name }) => `got ${name}`, (error: Error) => error.message);
}

test("Subscribe refuses whoever does not own the workload", async () => {
  await using controller = await new TestController({ "shop.yaml": SHOP }).start();
  await using none = controller.subscribe(null, FRONT);
  expect(await failure(none)).toContain("[unauthenticated] no client certificate was presented");
  await using other = controller.subscribe(await controller.certify("token-back-0"), FRONT);
  expect(await failure(other)).toContain("[permission_denied] workload shop/front-0 has the identity");
  await using unknown = controller.subscribe(await controller.certify("token-front-0"), {
    namespace: "shop",
    workload: "x",
  });
  expect(await failure(unknown)).toContain("[not_found] no workload shop/x");
});

test("Subscribe refuses a certificate of another authority with the right name in it", async () => {
  await using controller = await new TestController({ "shop.yaml": SHOP }).start();
  const stateDir = mkdtempSync(join(tmpdir(), "tulle-foreign-"));
  const foreign =
    (await FolderIssuer.open(stateDir, { trustDomain: "cluster.local", leafLifetimeMs: 60_000, now: Date.now }))
      .authority;
  const tokens = parseTokens("t", JSON.stringify({ [sha256("t")]: FRONT }));
  if (typeof tokens !== "string") foreign.tokens = tokens;
  const { key, csr } = await makeCsr();
  const leaf = await foreign.certify("t", csr);
  rmSync(stateDir, { recursive: true });
  if ("code" in leaf) throw new Error(leaf.detail);
  const cert = x509.PemConverter.encode(Uint8Array.from(leaf.chain[0] ?? []), "CERTIFICATE");
  await using stream = controller.subscribe({ key, cert }, FRONT);
  expect(await failure(stream)).toContain("[unauthenticated] the client certificate is not signed by a root");
});

test("Subscribe refuses a certificate that has expired", async () => {
  await using controller = await new TestController({ "shop.yaml": SHOP }, ["--leaf-lifetime", "2s"]).start();
  const identity = await controller.certify("token-front-0");
  await Bun.sleep(Math.max(0, identity.notAfterMs - Date.now() + 50)); // time itself is what is tested
  await using stream = controller.subscribe(identity, FRONT);
  expect(await failure(stream)).toContain("the client certificate expired on");
});

test.each([
  [
    "a malformed target",
    (stream: Subscription) => stream.watch(["nonsense"]),
    'found "nonsense", want a target such as',
  ],
  ["a second hello", (stream: Subscription) => stream.send({ case: "hello", value: {} }), "found a second hello"],
  ["too many targets", (stream: Subscription) => {
    stream.watch(Array.from({ length: 4097 }, (_, i) => `10.9.${i >> 8}.${i & 255}:80`));
  }, "found 4097 targets, want at most 4096"],
])("Subscribe ends with a reason after %s", async (_name, act, text) => {
  await using controller = await new TestController({ "shop.yaml": SHOP }).start();
  await using stream = controller.subscribe(await controller.certify("token-front-0"), FRONT);
  await stream.next();
  act(stream);
  let message = "";
  while (message === "" || message.startsWith("got")) message = await failure(stream);
  expect(message).toContain(text);
});

test("SIGTERM ends streams with UNAVAILABLE and the process with 0", async () => {
  await using controller = await new TestController({ "shop.yaml": SHOP }).start();
  await using stream = controller.subscribe(await controller.certify("token-front-0"), FRONT);
  await stream.next();
  const stopped = controller.stop();
  expect(await failure(stream)).toContain("[unavailable] the controller is shutting down: reconnect");
  expect(await stopped).toBe(0);
});
