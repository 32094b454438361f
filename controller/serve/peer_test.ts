import { expect, test } from "bun:test";
import { X509Certificate } from "node:crypto";
import { createCa, type LeafOptions, loadCa } from "../../tests/support/certificates.ts";
import { verifyPeer } from "./peer.ts";

const FRONT = "spiffe://cluster.local/ns/shop/sa/front";
const ca = await createCa();
const root = new X509Certificate(ca.certificate);
const der = (pem: string) => new X509Certificate(pem).raw;

async function kindOf(options: LeafOptions): Promise<string> {
  return verifyPeer([der((await ca.issue(options)).certificate)], [root], Date.now()).kind;
}

test("verifyPeer() takes a workload's identity, dots in its names included", async () => {
  for (const id of [FRONT, "spiffe://td.x-y/ns/a.b/sa/..c", "spiffe://td/ns/a/sa/UPPER_case"]) {
    expect([id, await kindOf({ uris: [id], dnsNames: ["mesh.tulle.dev"] })]).toEqual([id, "verified"]);
  }
});

test("verifyPeer() refuses what proxies refuse", async () => {
  const odd = [
    [],
    [FRONT, FRONT],
    ["spiffe://cluster.local"],
    ["spiffe://cluster.local/"],
    ["spiffe://Cluster.local/ns/shop/sa/front"],
    ["spiffe://x@cluster.local/ns/shop/sa/front"],
    ["spiffe://cluster.local:80/ns/shop/sa/front"],
    [`${FRONT}/`],
    [`${FRONT}\0`],
    ["spiffe://cluster.local/ns/x/../shop/sa/front"],
    ["spiffe://cluster.local/ns/shop/sa/.."],
    ["spiffe://cluster.local/ns//sa/front"],
    ["spiffe://cluster.local/ns/shop/sa/fr%6fnt"],
    ["https://cluster.local/ns/shop/sa/front"],
  ];
  for (const uris of odd) expect([uris, await kindOf({ uris })]).toEqual([uris, "none"]);
  expect(await kindOf({ dnsNames: [`x, URI:${FRONT}`] })).toBe("none");
  expect(await kindOf({ uris: [FRONT], isCa: true })).toBe("none");
});

test("verifyPeer() refuses a leaf that another leaf has signed", async () => {
  const signer = await ca.issue({ uris: ["spiffe://cluster.local/ns/shop/sa/mallory"], commonName: "a leaf" });
  const { certificate } = await (await loadCa(signer.certificate, signer.key)).issue({ uris: [FRONT] });
  expect(verifyPeer([der(certificate), der(signer.certificate)], [root], Date.now()).kind).toBe("none");
});
