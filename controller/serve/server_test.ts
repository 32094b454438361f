import { ConnectError, createClient } from "@connectrpc/connect";
import { createConnectTransport } from "@connectrpc/connect-node";
import { expect, test } from "bun:test";
import { IdentityService } from "../../proto/gen/tulle/identity/v1/identity_pb.ts";
import { createCa, type KeyPair, type LeafOptions } from "../../tests/support/certificates.ts";
import { PEER } from "./peer.ts";
import { ControlServer } from "./server.ts";

const DNS = ["tulle.local"];
const ca = await createCa();
const own = await ca.issue({ dnsNames: DNS });

/** What handlers learn of a client. */
async function peerOf(client: KeyPair | null): Promise<string> {
  const server = await ControlServer.listen({
    host: "127.0.0.1",
    port: 0,
    identity: { keyPem: own.key, certificatePem: own.certificate, bundlePem: ca.certificate },
    routes: (router) =>
      void router.service(IdentityService, {
        certify(_request, context) {
          const peer = context.values.get(PEER);
          throw new ConnectError(peer.kind === "verified" ? peer.spiffeId : peer.reason);
        },
      }),
    now: Date.now,
  });
  try {
    const identity = client === null ? {} : { key: client.key, cert: client.certificate };
    const nodeOptions = { ca: ca.certificate, servername: "tulle.local", ...identity };
    const transport = createConnectTransport({
      baseUrl: `https://127.0.0.1:${server.port}`,
      httpVersion: "2",
      nodeOptions,
    });
    return await createClient(IdentityService, transport).certify({}).then(() => "", (error) => error.rawMessage);
  } finally {
    await server.close(0);
  }
}

test.each<[string, LeafOptions, string]>([
  ["a workload's certificate", {}, "spiffe://cluster.local/ns/shop/sa/front"],
  ["one for servers alone", { isServerOnly: true }, "TLS refuses the client certificate: INVALID_PURPOSE"],
  ["an expired one", { notAfter: new Date(Date.now() - 60_000) }, "the client certificate expired on"],
])("a handler learns of %s who the peer is, or what is wrong", async (_what, options, expected) => {
  const leaf = await ca.issue({ uris: ["spiffe://cluster.local/ns/shop/sa/front"], ...options });
  expect(await peerOf(leaf)).toStartWith(expected);
});

test("a handler learns that there is no certificate", async () => {
  expect(await peerOf(null)).toBe("no client certificate was presented");
});
