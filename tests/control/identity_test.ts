import { expect, setDefaultTimeout, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { FolderIssuer } from "../../controller/issuer/folder_issuer.ts";
import { FRONT, makeCsr, SHOP, TestController } from "./_controller.ts";

setDefaultTimeout(90_000);

test("Certify gives the identity of the token, for the life that was asked for", async () => {
  await using controller = await new TestController({ "shop.yaml": SHOP }, ["--leaf-lifetime", "10s"]).start();
  const { spiffeId, notAfterMs } = await controller.certify("token-front-0");
  expect(spiffeId).toBe("spiffe://cluster.local/ns/shop/sa/front");
  expect(notAfterMs - Date.now()).toBeLessThanOrEqual(11_000);
});

test("Certify refuses a foreign token", async () => {
  await using controller = await new TestController({ "shop.yaml": SHOP }).start();
  const { csr } = await makeCsr();
  // Not expect().rejects: it turns the event loop from inside, and a stream that ends meanwhile looks cut off.
  const message = await controller.identity().certify({ token: "token-of-nobody", certificateSigningRequest: csr })
    .then(() => "issued", (error: Error) => error.message);
  expect(message).toContain("[unauthenticated] the token is unknown or no longer valid");
});

test("a restart keeps the root: old certificates hold, and so does the bundle", async () => {
  await using controller = await new TestController({ "shop.yaml": SHOP }).start();
  const identity = await controller.certify("token-front-0");
  const { bundle } = controller;
  await controller.stop();
  await controller.start();
  expect(controller.bundle).toBe(bundle);
  await using stream = controller.subscribe(identity, FRONT);
  expect((await stream.next()).name).toBe("inbound");
});

test("WatchTrust pushes a root that is added, and its certificates are taken", async () => {
  await using controller = await new TestController({ "shop.yaml": SHOP }).start();
  const stateDir = mkdtempSync(join(tmpdir(), "tulle-old-"));
  const old =
    (await FolderIssuer.open(stateDir, { trustDomain: "cluster.local", leafLifetimeMs: 60_000, now: Date.now }))
      .authority;
  const abort = new AbortController();
  const bundles = controller.identity().watchTrust({}, { signal: abort.signal })[Symbol.asyncIterator]();
  const first = (await bundles.next()).value?.trustBundle;
  expect(first?.roots.length).toBe(1);
  controller.writeState("old-roots.pem", old.bundlePem);
  const second = (await bundles.next()).value?.trustBundle;
  expect(second?.roots.length).toBe(2);
  expect(second?.version ?? 0n).toBeGreaterThan(first?.version ?? 0n);
  abort.abort();
  rmSync(stateDir, { recursive: true });
});

test("the controller renews its own certificate while streams go on", async () => {
  await using controller = await new TestController({ "shop.yaml": SHOP }, ["--leaf-lifetime", "2s"]).start();
  const identity = await controller.certify("token-front-0");
  await using stream = controller.subscribe(identity, FRONT);
  await stream.next();
  await Bun.sleep(3000); // longer than the first certificate lives
  const later = await controller.certify("token-front-0"); // a new connection, verified by the client
  expect(later.notAfterMs).toBeGreaterThan(identity.notAfterMs);
  stream.watch(["10.96.0.3:80"]);
  expect((await stream.next()).name).toBe("outbound/10.96.0.3:80");
});

test.each([["--listen"], ["--admin"]])(
  "the controller ends with a remedy when the port of %s is in use",
  async (flag) => {
    using taken = Bun.serve({ port: 0, hostname: "127.0.0.1", fetch: () => new Response() });
    await using controller = new TestController({ "shop.yaml": SHOP }, [flag, `127.0.0.1:${taken.port}`]);
    const message = await controller.start().then(() => "started", (error: Error) => error.message);
    expect(message).toContain(
      `127.0.0.1:${taken.port} is in use: stop what listens there (ss -ltnp), or give another address with ${flag}`,
    );
  },
);
