/** A cluster whose issuer is made and renewed by others, and objects with mistakes, told where their authors look. */
import { X509Certificate } from "node:crypto";
import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { TYPES } from "../../controller/api/resource_type.ts";
import { createAll, planServices } from "../bench/controller/objects.ts";
import { podToken, SimulatedProxy } from "../bench/controller/proxies.ts";
import { ControllerProcess } from "../bench/controller/subject.ts";
import { TEST_BED } from "../kubernetes/support/test_bed.ts";
import { eventually } from "../support/eventually.ts";
import { KubeApi } from "../support/kube_api.ts";
import { type ForeignCa, foreignCa, writeIssuer } from "./_foreign_issuer.ts";

setDefaultTimeout(4 * 60_000);

const WAIT_MS = 90_000;

describe.skipIf(TEST_BED === null)("an issuer made by others", () => {
  let api: KubeApi;
  let controller: ControllerProcess;
  let token = "";
  let root: ForeignCa;
  let next: ForeignCa;
  let first: SimulatedProxy;
  const open: SimulatedProxy[] = [];
  const services = planServices({ namespaces: 1, services: 1, pods: 1 });
  const [pod] = services[0]?.pods ?? [];

  beforeAll(async () => {
    api = await KubeApi.start();
    await api.defineKinds();
    await createAll(api.client, services);
    if (pod === undefined) throw new Error("want a pod");
    token = await podToken(api.client, pod);
  });
  afterAll(async () => {
    for (const proxy of open) proxy.stop();
    await controller?.[Symbol.asyncDispose]();
    await api?.[Symbol.asyncDispose]();
  });

  /** A proxy that asks for its first certificate now. */
  async function newProxy(roots: ForeignCa): Promise<SimulatedProxy> {
    if (pod === undefined) throw new Error("want a pod");
    const proxy = new SimulatedProxy({
      port: controller.port,
      roots: roots.certificate.toString("pem"),
      pod,
      token,
      targets: [],
      onUpdate: () => {},
    });
    open.push(proxy);
    proxy.start();
    await eventually(() => expect(proxy.isComplete).toBe(true), WAIT_MS);
    return proxy;
  }

  const signedBy = (proxy: SimulatedProxy) => new X509Certificate(proxy.certificate).issuer;

  test("the controller waits for the Secret, and signs with the intermediate in it", async () => {
    root = await foreignCa("root", null);
    const starting = ControllerProcess.start(api.kubeconfig, ["--no-create-issuer", "--leaf-lifetime", "1h"]);
    await writeIssuer(api, await foreignCa("one", root), root);
    controller = await starting;
    first = await newProxy(root);
    expect(signedBy(first)).toBe("CN=one");
    expect(first.certificate.match(/BEGIN CERTIFICATE/g)?.length).toBe(2);
  });

  test("another intermediate of the same root signs at once, and nobody has to renew", async () => {
    await writeIssuer(api, await foreignCa("two", root), root);
    await eventually(async () => expect(signedBy(await newProxy(root))).toBe("CN=two"), WAIT_MS);
    expect([signedBy(first), first.roots, first.report().streams]).toEqual(["CN=one", 1, 1]);
  });

  test("a key that is another's is refused, and the last good issuer goes on", async () => {
    await writeIssuer(api, await foreignCa("three", root), root, await foreignCa("other", root));
    await eventually(() => expect(controller.child.output()).toContain("the key is not the certificate's"), WAIT_MS);
    expect(signedBy(await newProxy(root))).toBe("CN=two");
  });

  test("another root is trusted before it signs, and the old one afterwards; proxies renew by themselves", async () => {
    next = await foreignCa("next root", null);
    await writeIssuer(api, next, next);
    await eventually(() => expect(first.roots).toBe(2), WAIT_MS);
    expect(signedBy(first)).toBe("CN=one");
    await eventually(() => expect(signedBy(first)).toBe("CN=next root"), WAIT_MS);
    expect(first.roots).toBe(2);
    expect(first.report().state).toBe("open");
  });

  test("an object that leads nowhere has an event that says so, once per mistake", async () => {
    const policy = (target: string) => ({
      metadata: { namespace: "load-0", name: "web" },
      spec: {
        targetRef: { group: "policy.tulle.dev", kind: "Server", name: target },
        requiredAuthenticationRefs: [{ kind: "ServiceAccount", name: "web" }],
      },
    });
    const events = async () => {
      const all = await api.client.list(TYPES.Event, "load-0");
      return all.map((event) => [event["reason"], event["message"]]);
    };
    await api.client.apply(TYPES.AuthorizationPolicy, policy("nowhere"), "test");
    const one = ["Mistake", "its target Server load-0/nowhere does not exist: it does not hold"];
    await eventually(async () => expect(await events()).toEqual([one]), WAIT_MS);
    await api.client.apply(TYPES.AuthorizationPolicy, policy("elsewhere"), "test");
    const two = ["Mistake", "its target Server load-0/elsewhere does not exist: it does not hold"];
    await eventually(async () => expect((await events()).sort()).toEqual([one, two].sort()), WAIT_MS);
  });

  test("a controller that starts after the exchange still trusts the old root, until its last leaf has expired", async () => {
    await controller[Symbol.asyncDispose]();
    controller = await ControllerProcess.start(api.kubeconfig, ["--no-create-issuer", "--leaf-lifetime", "1h"]);
    expect((await newProxy(next)).roots).toBe(2);
    const { data = {} } = await api.client.get(TYPES.ConfigMap, "tulle", "retired-roots") as {
      data?: Record<string, string>;
    };
    const [[key = "", text = ""] = []] = Object.entries(data);
    const until = Date.parse(/^trusted until (\S+)/.exec(text)?.[1] ?? "");
    expect([Object.keys(data).length, Math.ceil((until - Date.now()) / 3_600_000)]).toEqual([1, 1]);
    await api.client.mergePatch(TYPES.ConfigMap, "tulle", "retired-roots", {
      data: { [key]: text.replace(/\S+\n/, "2026-01-01T00:00:00Z\n") },
    });
    await controller[Symbol.asyncDispose]();
    controller = await ControllerProcess.start(api.kubeconfig, ["--no-create-issuer", "--leaf-lifetime", "1h"]);
    expect((await newProxy(next)).roots).toBe(1);
  });
});
