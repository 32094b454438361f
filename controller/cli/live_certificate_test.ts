import { expect, test } from "bun:test";
import { createCa, type KeyPair, type TestCa } from "../../tests/support/certificates.ts";
import { identityText } from "./identity.ts";
import { readLiveCertificate } from "./live_certificate.ts";

const NOW = Date.now();
const FRONT = "spiffe://cluster.local/ns/shop/sa/front";

/** A mesh port that refuses whoever has no certificate, as a sidecar does. */
function serve(ca: TestCa, leaf: KeyPair) {
  const listener = Bun.listen({
    hostname: "127.0.0.1",
    port: 0,
    tls: {
      cert: `${leaf.certificate}\n${ca.certificate}\n`,
      key: leaf.key,
      ca: ca.certificate,
      requestCert: true,
      rejectUnauthorized: true,
      ALPNProtocols: Buffer.from("\x07tulle/1"),
    } as unknown as Bun.TLSOptions, // binary ALPN is missing in the type
    socket: { data() {}, handshake: (socket, ok) => void (ok || socket.end()) },
  });
  return { port: listener.port, [Symbol.dispose]: () => listener.stop(true) };
}

test("readLiveCertificate() shows leaf and chain, and trusts the mesh's own root", async () => {
  const ca = await createCa("mesh root");
  using server = serve(ca, await ca.issue({ uris: [FRONT], dnsNames: ["mesh.tulle.dev"] }));
  const found = await readLiveCertificate("127.0.0.1", server.port, ca.certificate, NOW);
  expect(found).toMatchObject({ protocol: "TLSv1.3", trusted: true, reason: "" });
  expect(found.chain.map((each) => each.issuer)).toEqual(["CN=mesh root", "CN=mesh root"]);
  expect(found.chain[0]).toMatchObject({ uris: [FRONT], dnsNames: ["mesh.tulle.dev"], key: "ec prime256v1" });
});

test("readLiveCertificate() does not trust a leaf of a foreign root of the same name", async () => {
  const ca = await createCa("mesh root");
  const other = await createCa("mesh root");
  using server = serve(other, await other.issue({ uris: [FRONT] }));
  const found = await readLiveCertificate("127.0.0.1", server.port, ca.certificate, NOW);
  expect(found).toMatchObject({ trusted: false, reason: "no root of the trust bundle issued it" });
});

test.each([
  ["an expired leaf", 2 * 86_400_000, "the leaf has expired"],
  ["a leaf of the future", -7_200_000, "the leaf is not valid yet: check the clocks"],
])("readLiveCertificate() says of %s what is wrong", async (_what, shiftMs, reason) => {
  const ca = await createCa();
  using server = serve(ca, await ca.issue({ uris: [FRONT] }));
  expect(await readLiveCertificate("127.0.0.1", server.port, ca.certificate, NOW + shiftMs)).toMatchObject({ reason });
});

test("readLiveCertificate() throws a text with the address when nobody answers", async () => {
  const listener = Bun.listen({ hostname: "127.0.0.1", port: 0, socket: { data() {} } });
  const port = listener.port;
  listener.stop(true);
  const failed = readLiveCertificate("127.0.0.1", port, null, NOW).catch((error: Error) => error.message);
  expect(await failed).toContain(`no TLS 1.3 handshake with 127.0.0.1 port ${port}`);
});

test("identityText() names identity, validity and trust", async () => {
  const ca = await createCa();
  using server = serve(ca, await ca.issue({ uris: [FRONT], notAfter: new Date(NOW + 3_661_000) }));
  const certificate = await readLiveCertificate("127.0.0.1", server.port, null, NOW);
  const text = identityText({ workload: "shop/front-0", certificate, error: "" }, NOW);
  expect(text).toStartWith(`shop/front-0\n  identity    ${FRONT}\n`);
  expect(text).toContain("in 1h1m");
  expect(text).toContain("not judged: no trust bundle");
});
