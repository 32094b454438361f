import { Code, ConnectError, type ConnectRouter, createClient } from "@connectrpc/connect";
import { expect, test } from "bun:test";
import { IdentityService } from "../../proto/gen/tulle/identity/v1/identity_pb.ts";
import type { KeyPair, LeafOptions } from "../../tests/support/certificates.ts";
import { eventually } from "../../tests/support/eventually.ts";
import { PEER, REFUSED } from "./peer.ts";
import { ca, type Kind, rawSession, type Running, serve, transportOf } from "./server_fixture.ts";
import { WaitingRoom } from "./waiting_room.ts";

const CERTIFY = "/tulle.identity.v1.IdentityService/Certify";
const SPIFFE_ID = "spiffe://cluster.local/ns/shop/sa/front";
const client = await ca.issue({ uris: [SPIFFE_ID] });

function clientOf(server: Running, client: KeyPair | null, kind: Kind = "connect") {
  return createClient(IdentityService, transportOf(server, client, kind));
}

function roomsOf(room: WaitingRoom) {
  return new Map([[CERTIFY, room]]);
}

/** What handlers learn of a client. */
async function peerOf(client: KeyPair | null): Promise<string> {
  await using server = await serve((router) =>
    void router.service(IdentityService, {
      certify(_request, context) {
        const peer = context.values.get(PEER);
        throw new ConnectError(peer.kind === "verified" ? peer.spiffeId : peer.reason);
      },
    })
  );
  return await clientOf(server, client).certify({}).then(() => "", (error) => error.rawMessage);
}

test.each<[string, LeafOptions, string]>([
  ["a workload's certificate", {}, SPIFFE_ID],
  ["one for servers alone", { isServerOnly: true }, "TLS refuses the client certificate: INVALID_PURPOSE"],
  ["an expired one", { notAfter: new Date(Date.now() - 60_000) }, "the client certificate expired on"],
])("a handler learns of %s who the peer is, or what is wrong", async (_what, options, expected) => {
  const leaf = await ca.issue({ uris: [SPIFFE_ID], ...options });
  expect(await peerOf(leaf)).toStartWith(expected);
});

test("a handler learns that there is no certificate", async () => {
  expect(await peerOf(null)).toBe("no client certificate was presented");
});

const ROOM = { atOnce: 1, most: 4, maxBytes: 20_000, readMs: 10_000 };

/** Certificates are as the token says. */
function echo(router: ConnectRouter): void {
  router.service(IdentityService, {
    certify(request) {
      if (request.token === "bad") throw new ConnectError("a bad token", Code.Unauthenticated);
      return { spiffeId: `${request.token.length}` };
    },
  }, { readMaxBytes: ROOM.maxBytes });
}

test.each(["connect", "grpc", "connect, HTTP/1.1"] as const)("calls that wait are answered: %s", async (kind) => {
  const room = new WaitingRoom(ROOM);
  await using server = await serve(echo, { rooms: roomsOf(room) });
  const { certify } = clientOf(server, null, kind);
  expect((await certify({ token: "t".repeat(19_000) })).spiffeId).toBe("19000");
  const codeOf = (token: string) => certify({ token }).then(() => null, (error: ConnectError) => error.code);
  expect(await codeOf("bad")).toBe(Code.Unauthenticated);
  expect(await codeOf("t".repeat(100_000))).toBe(Code.ResourceExhausted);
  await eventually(() => expect(room.used).toBe(0));
});

test("a caller that has its share is refused, and others are served", async () => {
  const room = new WaitingRoom(ROOM);
  const gate = Promise.withResolvers<void>();
  await using server = await serve(
    (router) => void router.service(IdentityService, { certify: async () => (await gate.promise, {}) }),
    {
      rooms: roomsOf(room),
      admit({ values }) {
        if (values.get(REFUSED)) throw new ConnectError("too many", Code.ResourceExhausted);
      },
    },
  );
  const greedy = clientOf(server, null);
  const held = [greedy.certify({}), greedy.certify({})];
  await eventually(() => expect(room.used).toBe(2));
  expect(await greedy.certify({}).catch((error: ConnectError) => error.code)).toBe(Code.ResourceExhausted);
  const other = clientOf(server, client).certify({});
  await eventually(() => expect(room.used).toBe(3));
  gate.resolve();
  await Promise.all([...held, other]);
});

test("a call whose request does not come is cut off, and gives its place back", async () => {
  const room = new WaitingRoom({ ...ROOM, readMs: 50 });
  await using server = await serve(echo, { rooms: roomsOf(room) });
  using session = rawSession(server);
  const stream = session.request({ ":method": "POST", ":path": CERTIFY, "content-type": "application/proto" });
  stream.write("a");
  const { promise, resolve } = Promise.withResolvers<void>();
  stream.on("error", () => {}).on("close", resolve);
  await promise;
  await eventually(() => expect(room.used).toBe(0));
});

test.each([CERTIFY, "/tulle.identity.v1.IdentityService/WatchTrust"])(
  "a request to %s with an authority that is none is refused, and the server goes on",
  async (path) => {
    await using server = await serve(echo, { rooms: roomsOf(new WaitingRoom(ROOM)) });
    using session = rawSession(server);
    const stream = session.request({
      ":method": "POST",
      ":path": path,
      ":authority": "[",
      "content-type": "application/proto",
    });
    const { promise, resolve } = Promise.withResolvers<unknown>();
    stream.on("error", resolve).on("response", (head) => resolve(head[":status"])).end();
    expect(await promise).toBe(400);
    expect((await clientOf(server, null).certify({ token: "t" })).spiffeId).toBe("1");
  },
);
