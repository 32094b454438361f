/** cert-manager owns the issuer: the README's objects, renewals, and another root, under load. */
import { createHash, X509Certificate } from "node:crypto";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { TYPES } from "../../controller/api/resource_type.ts";
import { eventually } from "../support/eventually.ts";
import { installCertManager, renew, wantsCertManager } from "./support/cert_manager.ts";
import { Cluster, IMAGE } from "./support/cluster.ts";
import { appManifest, loadReport, moreRequests, startLoad } from "./support/load.ts";
import {
  meshedNamespace,
  metricsOf,
  NODES_OWN,
  podAddresses,
  READY_TIMEOUT_MS,
  rolledOut,
  sumOf,
} from "./support/mesh.ts";
import { REPOSITORY, TEST_BED } from "./support/test_bed.ts";

/** Building cert-manager is the most of it. */
setDefaultTimeout(15 * 60_000);

const RATE = 50;
const MORE = 200;

describe.skipIf(TEST_BED === null || !wantsCertManager())("an issuer of cert-manager's", () => {
  let cluster: Cluster;

  beforeAll(async () => {
    cluster = await Cluster.start({ name: "certm", net: "10.91" });
    await cluster.load("deb");
    await installCertManager(cluster);
  });
  afterAll(async () => await cluster?.[Symbol.asyncDispose]());

  test("the controller waits for the Secret, and starts with what the README's objects make", async () => {
    const { code, stdout, stderr } = await cluster.tulle([
      ...["install", "--image", IMAGE, ...NODES_OWN, "--set", "createIssuer=false"],
    ]);
    expect(`${stderr}${code}`).toBe("0");
    await cluster.apply(stdout);
    await eventually(async () => {
      const log = await cluster.kubectl(["-n", "tulle", "logs", "deployment/controller"]);
      expect(log).toContain("Secret tulle/issuer is not there yet");
    }, READY_TIMEOUT_MS);
    await cluster.apply(await readmeObjects());
    await rolledOut(cluster, "tulle", "deployment/controller");
    const { certificate, root } = await issuer();
    expect(certificate.subject).toBe("CN=issuer.tulle.cluster.local");
    expect(root.subject).toBe("CN=root.tulle.cluster.local");
  });

  test("pods speak mutual TLS by it", async () => {
    await rolledOut(cluster, "tulle", "daemonset/cni");
    await meshedNamespace(cluster, "shop");
    await cluster.apply(appManifest("shop", "web", 2));
    await rolledOut(cluster, "shop", "deployment/web");
    await startLoad(cluster, "shop", "load", "http://web.shop/", RATE);
    await nothingFailed();
    const [load = ""] = await podAddresses(cluster, "shop", "app=load");
    const metrics = await metricsOf(load);
    expect(sumOf(metrics, "response_total", 'direction="outbound"', 'tls="true"', 'dst_service="web"')).toBeGreaterThan(
      MORE,
    );
    expect(sumOf(metrics, "tulle_certificate_root", (await issuer()).rootId)).toBe(1);
  });

  test("a renewal by the same root loses no request, and pods of both issuers speak to each other", async () => {
    // At the start cert-manager may issue the root a second time, when the first has signed already: then this exchanges roots.
    const started = await issuer();
    await renew(cluster, "tulle", "issuer");
    const before = await anotherIssuer(started);
    await everyoneSignedBy(before.rootId);
    await nothingFailed();
    await renew(cluster, "tulle", "issuer");
    const after = await anotherIssuer(before);
    expect(after.rootId).toBe(before.rootId);
    expect(after.key).not.toBe(before.key); // cert-manager makes a new one each time
    await cluster.kubectl(["-n", "shop", "rollout", "restart", "deployment/web"]);
    await rolledOut(cluster, "shop", "deployment/web");
    await nothingFailed();
  });

  test("another root with a name of its own loses no request", async () => {
    const before = await issuer();
    const patch = { spec: { issuerRef: { name: "self-signed", kind: "Issuer" } } };
    await cluster.kubectl([
      "-n",
      "tulle",
      "patch",
      "certificate",
      "issuer",
      "--type=merge",
      "-p",
      JSON.stringify(patch),
    ]);
    await everyoneSignedBy((await anotherIssuer(before)).rootId);
    await nothingFailed();
  });

  test("another root with the name of the one before loses no request", async () => {
    const before = await issuer();
    await renew(cluster, "tulle", "issuer");
    const after = await anotherIssuer(before);
    expect(after.root.subject).toBe(before.root.subject);
    expect(after.rootId).not.toBe(before.rootId);
    await everyoneSignedBy(after.rootId);
    await nothingFailed();
    const { stdout } = await cluster.tulle(["identity", "-n", "shop", "-o", "json"]);
    const answers = JSON.parse(stdout) as { trusted: boolean }[];
    expect(answers.map(({ trusted }) => trusted)).toEqual([true, true, true]);
  });

  test("controllers that start after it lose no request either", async () => {
    const [load = ""] = await podAddresses(cluster, "shop", "app=load");
    const roots = () => metricsOf(load).then((metrics) => sumOf(metrics, "tulle_trust_root"));
    const before = await roots();
    expect(before).toBeGreaterThanOrEqual(3); // cert-manager's CA, and two that signed themselves
    await cluster.kubectl(["-n", "tulle", "rollout", "restart", "deployment/controller"]);
    await rolledOut(cluster, "tulle", "deployment/controller");
    await nothingFailed();
    expect(await roots()).toBe(before);
  });

  async function nothingFailed(): Promise<void> {
    const report = await moreRequests(cluster, "shop", "load", MORE);
    console.log(`${report.requests} requests so far, slowest ${report.slowestMs} ms`);
    expect(await loadReport(cluster, "shop", "load")).toMatchObject({ failed: 0, reasons: {} });
  }

  /** What the Secret holds now. */
  async function issuer() {
    const { data = {} } = await cluster.client.get(TYPES.Secret, "tulle", "issuer") as {
      data?: Record<string, string>;
    };
    const pem = (key: string) => Buffer.from(data[key] ?? "", "base64").toString();
    const root = new X509Certificate(pem("ca.crt"));
    const rootId = createHash("sha256").update(root.raw).digest("hex").slice(0, 16);
    return { certificate: new X509Certificate(pem("tls.crt")), key: pem("tls.key"), root, rootId };
  }

  async function anotherIssuer(before: Awaited<ReturnType<typeof issuer>>) {
    return await eventually(async () => {
      const now = await issuer();
      if (now.certificate.serialNumber === before.certificate.serialNumber) {
        throw new Error("cert-manager did not renew");
      }
      return now;
    }, READY_TIMEOUT_MS);
  }

  /** Waits until every sidecar has a certificate that leads to a root. */
  async function everyoneSignedBy(rootId: string): Promise<void> {
    for (const selector of ["app=web", "app=load"]) {
      for (const address of await podAddresses(cluster, "shop", selector)) {
        await eventually(async () => {
          const count = sumOf(await metricsOf(address), "tulle_certificate_root", rootId);
          if (count !== 1) throw new Error(`${address} has no certificate of ${rootId}`);
        }, READY_TIMEOUT_MS);
      }
    }
  }
});

/** The objects of the README's section, as a user would copy them. */
async function readmeObjects(): Promise<string> {
  const text = await Bun.file(join(REPOSITORY, "README.md")).text();
  const [block = ""] = /(?:^ {4}.*\n)*^ {4}metadata: \{ name: self-signed.*\n(?:^ {4}.*\n)*/m.exec(text) ?? [];
  return block.replaceAll(/^ {4}/gm, "");
}
