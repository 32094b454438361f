import { connect } from "node:http2";
import { Code, ConnectError, type ConnectRouter, createClient, type HandlerContext } from "@connectrpc/connect";
import { createConnectTransport, createGrpcTransport } from "@connectrpc/connect-node";
import { expect, test } from "bun:test";
import { IdentityService } from "../../proto/gen/tulle/identity/v1/identity_pb.ts";
import { createLogger } from "../../src/base/log.ts";
import { createCa, type KeyPair, type LeafOptions } from "../../tests/support/certificates.ts";
import { eventually } from "../../tests/support/eventually.ts";
import { PEER, REFUSED } from "./peer.ts";
import { ControlServer } from "./server.ts";
import { WaitingRoom } from "./waiting_room.ts";

const DNS = ["tulle.local"];
const CERTIFY = "/tulle.identity.v1.IdentityService/Certify";
const SPIFFE_ID = "spiffe://cluster.local/ns/shop/sa/front";
const ca = await createCa();
const own = await ca.issue({ dnsNames: DNS });
/** What servers logged. */
const logged: string[] = [];
const client = await ca.issue({ uris: [SPIFFE_ID] });

interface Running extends AsyncDisposable {
  readonly port: number;
}

async function serve(
  routes: (router: ConnectRouter) => void,
  room: WaitingRoom | null = null,
  admit: (context: HandlerContext) => void = () => {},
): Promise<Running> {
  const server = await ControlServer.listen({
    host: "127.0.0.1",
    port: 0,
    identity: { keyPem: own.key, certificatePem: own.certificate, bundlePem: ca.certificate },
    routes,
    admit,
    rooms: new Map(room === null ? [] : [[CERTIFY, room]]),
    log: createLogger({ level: "error", now: Date.now, write: (line) => void logged.push(line) }),
    now: Date.now,
  });
  return { port: server.port, [Symbol.asyncDispose]: () => server.close(0) };
}

function clientOf(
  { port }: Running,
  client: KeyPair | null,
  kind: "connect" | "grpc" | "connect, HTTP/1.1" = "connect",
) {
  const identity = client === null ? {} : { key: client.key, cert: client.certificate };
  const nodeOptions = { ca: ca.certificate, servername: "tulle.local", ...identity };
  const baseUrl = `https://127.0.0.1:${port}`;
  return createClient(
    IdentityService,
    kind === "grpc"
      ? createGrpcTransport({ baseUrl, nodeOptions })
      : createConnectTransport({ baseUrl, nodeOptions, httpVersion: kind === "connect" ? "2" : "1.1" }),
  );
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
  await using server = await serve(echo, room);
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
    room,
    ({ values }) => {
      if (values.get(REFUSED)) throw new ConnectError("too many", Code.ResourceExhausted);
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
  await using server = await serve(echo, room);
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
    await using server = await serve(echo, new WaitingRoom(ROOM));
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

function rawSession({ port }: Running) {
  const session = connect(`https://127.0.0.1:${port}`, { ca: ca.certificate, servername: "tulle.local" });
  session.on("error", () => {});
  return Object.assign(session, { [Symbol.dispose]: () => session.destroy() });
}
