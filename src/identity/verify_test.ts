import { afterAll, expect, test } from "bun:test";
import { createCa, type KeyPair, type LeafOptions, loadCa } from "../../tests/support/certificates.ts";
import { type PeerResult, type TlsPeer, verifyPeer } from "./verify.ts";

const FRONT = "spiffe://cluster.local/ns/shop/sa/front";
const WEB = "spiffe://cluster.local/ns/shop/sa/web";
const DNS = ["mesh.tulle.dev"];
const HOUR = 3_600_000;
const now = Date.now();

const ca = await createCa("mesh root");
const foreign = await createCa("foreign root");
const web = await ca.issue({ uris: [WEB], dnsNames: DNS });
const leaf = (options: LeafOptions = {}) => ca.issue({ uris: [FRONT], dnsNames: DNS, ...options });

/** Another workload's certificate used as if it were a CA's, and sent along. */
async function signedBy(id: string): Promise<KeyPair> {
  const signer = await leaf({ uris: [id], commonName: "a leaf" });
  const { certificate, key } = await (await loadCa(signer.certificate, signer.key)).issue({
    uris: [FRONT],
    dnsNames: DNS,
  });
  return { certificate: `${certificate}\n${signer.certificate}`, key };
}

type Native = TlsPeer & { end(): void; setSession(session: Uint8Array): void };
interface Outcome {
  server: PeerResult;
  client: PeerResult;
  /** Bytes that the server's application would have got. */
  delivered: number;
}

const listeners: { stop(force?: boolean): void }[] = [];
afterAll(() => listeners.forEach((listener) => listener.stop(true)));

/** A server that verifies as the mesh listener does: before it takes a byte. */
function serve(keys: KeyPair, nowMs: number) {
  let report: (outcome: { server: PeerResult; delivered: number }) => void = () => {};
  const listener = Bun.listen<{ verified: PeerResult | null; delivered: number }>({
    hostname: "127.0.0.1",
    port: 0,
    data: { verified: null, delivered: 0 },
    tls: {
      key: keys.key,
      cert: keys.certificate,
      ca: ca.certificate,
      requestCert: true,
      rejectUnauthorized: true,
      minVersion: 0x304,
    } as unknown as Bun.TLSOptions, // minVersion is missing in the type
    socket: {
      open: (socket) => void (socket.data = { verified: null, delivered: 0 }),
      handshake(socket, ok, error) {
        const native = socket as unknown as Native; // one class at run time
        socket.data.verified = verifyPeer(native, ok, error, {
          nowMs,
          trustDomain: "cluster.local",
          expected: (id) => id !== WEB,
        });
        if (socket.data.verified.ok) socket.write("hello");
        else socket.terminate();
      },
      data(socket, bytes) {
        if (socket.data.verified?.ok === true) socket.data.delivered += bytes.length;
        socket.end();
      },
      close: (socket) => {
        if (socket.data.verified !== null) report({ server: socket.data.verified, delivered: socket.data.delivered });
      },
    },
  });
  listeners.push(listener);
  return { port: listener.port, next: () => new Promise<{ server: PeerResult; delivered: number }>((r) => report = r) };
}

/** Connects as a sidecar does, and says what both sides concluded. */
async function meet(
  client: KeyPair | null,
  options: {
    server?: KeyPair;
    nowMs?: number;
    expected?: string;
    session?: Uint8Array;
    keep?: (s: Uint8Array) => void;
    careless?: boolean;
  } = {},
): Promise<Outcome> {
  const server = serve(options.server ?? web, options.nowMs ?? now);
  return await meetAt(server, client, options);
}

async function meetAt(
  server: ReturnType<typeof serve>,
  client: KeyPair | null,
  options: {
    nowMs?: number;
    expected?: string;
    session?: Uint8Array;
    keep?: (s: Uint8Array) => void;
    careless?: boolean;
  },
): Promise<Outcome> {
  const conclusion = server.next();
  let verdict: PeerResult | null = null;
  const closed = Promise.withResolvers<void>();
  await Bun.connect({
    hostname: "127.0.0.1",
    port: server.port,
    tls: {
      ...(client === null ? {} : { key: client.key, cert: client.certificate }),
      ca: ca.certificate,
      serverName: "mesh.tulle.dev",
      rejectUnauthorized: true,
      minVersion: 0x304,
    } as unknown as Bun.TLSOptions, // minVersion is missing in the type
    socket: {
      open(socket: Bun.Socket) {
        if (options.session !== undefined) (socket as unknown as Native).setSession(options.session);
      },
      session(_socket: unknown, session: Uint8Array) {
        options.keep?.(Uint8Array.from(session));
      },
      handshake(socket: Bun.Socket, ok: boolean, error: Error | null) {
        const nowMs = options.nowMs ?? now;
        const expectation = { nowMs, trustDomain: "cluster.local", expected: options.expected ?? WEB };
        verdict = verifyPeer(socket as unknown as Native, ok, error, expectation);
        if (verdict.ok || options.careless === true) socket.write("request");
        else socket.terminate();
      },
      data: () => {},
      error: () => {},
      close: () => closed.resolve(),
    } as unknown as Bun.SocketHandler<undefined>, // `session` is missing in the type
  });
  await closed.promise;
  // A client that has refused ends the handshake before the server can conclude anything.
  const gaveUp = codeOf(verdict ?? refusedEarly) !== "ok" && options.careless !== true;
  const { server: serverSaid, delivered } = gaveUp ? { server: refusedEarly, delivered: 0 } : await conclusion;
  return { server: serverSaid, client: verdict ?? refusedEarly, delivered };
}

const refusedEarly: PeerResult = { ok: false, code: "handshake_failed", reason: "no handshake" };
const codeOf = (result: PeerResult) => result.ok ? "ok" : result.code;

test("verifyPeer() gives both sides the other's SPIFFE ID", async () => {
  const outcome = await meet(await leaf());
  expect(outcome).toMatchObject({
    server: { ok: true, spiffeId: FRONT },
    client: { ok: true, spiffeId: WEB },
    delivered: 7,
  });
});

test.each<[string, () => Promise<KeyPair | null>, string]>([
  ["of a foreign CA", () => foreign.issue({ uris: [FRONT], dnsNames: DNS }), "untrusted_ca"],
  ["that has expired", () => leaf({ notBefore: new Date(now - 2 * HOUR), notAfter: new Date(now - HOUR) }), "expired"],
  ["of tomorrow", () => leaf({ notBefore: new Date(now + HOUR), notAfter: new Date(now + 2 * HOUR) }), "not_yet_valid"],
  ["that is missing", () => Promise.resolve(null), "no_certificate"],
  ["with two identities", () => leaf({ uris: [FRONT, WEB] }), "bad_identity"],
  ["with no identity", () => leaf({ uris: [] }), "bad_identity"],
  ["that names the trust domain alone", () => leaf({ uris: ["spiffe://cluster.local"] }), "bad_identity"],
  ["that may sign others", () => leaf({ isCa: true }), "bad_identity"],
  ["for servers alone", () => leaf({ isServerOnly: true }), "handshake_failed"],
  ["that another workload has signed", () => signedBy(WEB), "untrusted_ca"],
  ["with a malformed identity", () => leaf({ uris: ["spiffe://cluster.local/ns//sa/front"] }), "bad_identity"],
  ["of an identity that is not wanted", () => leaf({ uris: [WEB] }), "wrong_identity"],
  [
    "of another trust domain",
    () => leaf({ uris: ["spiffe://other.example/ns/shop/sa/front"] }),
    "foreign_trust_domain",
  ],
])("verifyPeer() refuses a client's certificate %s", async (_what, keys, code) => {
  const outcome = await meet(await keys());
  expect([codeOf(outcome.server), outcome.delivered]).toEqual([code, 0]);
});

test.each<[string, () => Promise<KeyPair>, string]>([
  ["of a foreign CA", () => foreign.issue({ uris: [WEB], dnsNames: DNS }), "untrusted_ca"],
  ["that has expired", () => ca.issue({ uris: [WEB], dnsNames: DNS, notAfter: new Date(now - 1000) }), "expired"],
  ["without the mesh's DNS name", () => ca.issue({ uris: [WEB], dnsNames: ["web.shop"] }), "wrong_name"],
  ["of another workload", () => leaf(), "wrong_identity"],
  ["of another trust domain", () => leaf({ uris: ["spiffe://other.example/ns/shop/sa/web"] }), "foreign_trust_domain"],
])("verifyPeer() refuses a server's certificate %s", async (_what, keys, code) => {
  const outcome = await meet(await leaf(), { server: await keys() });
  expect([codeOf(outcome.client), outcome.delivered]).toEqual([code, 0]);
});

test("verifyPeer() goes by our clock where TLS has accepted the dates", async () => {
  const outcome = await meet(await leaf({ notAfter: new Date(now + HOUR) }), { nowMs: now + 2 * HOUR });
  expect(codeOf(outcome.server)).toBe("expired");
  expect(outcome.server.ok ? "" : outcome.server.reason).toContain("clock skew");
});

test("verifyPeer() refuses a resumed session, whoever presents it", async () => {
  const server = serve(web, now);
  let session: Uint8Array | undefined;
  const first = await meetAt(server, await leaf(), { keep: (s) => session = s });
  if (session === undefined) throw new Error("the server gave no session");
  const thief = await meetAt(server, null, { session, careless: true });
  expect([codeOf(first.server), codeOf(thief.server), thief.delivered]).toEqual(["ok", "resumed_session", 0]);
});
