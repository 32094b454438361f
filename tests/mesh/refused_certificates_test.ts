/**
 * Who may open a connection to a sidecar's mesh listener, and whose listener a sidecar talks to. A peer that must be
 * refused is refused before a byte reaches the app, or leaves the client: both are counted.
 */
import { eventually } from "../support/eventually.ts";
import { afterAll, beforeAll, expect, setDefaultTimeout, test } from "bun:test";
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { connect, createServer, type TLSSocket } from "node:tls";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import {
  Code,
  Protocol,
  TransportHeaderSchema,
  TransportReplySchema,
} from "../../proto/gen/tulle/transport/v1/transport_pb.ts";
import { createCa, type KeyPair, type TestCa } from "../support/certificates.ts";
import { Flag, frame, FrameType, getBlock, PREFACE } from "../support/h2_frames.ts";
import { fetchOnce } from "../support/http1.ts";
import { isDirect, type Mesh, startMesh } from "../support/mesh.ts";
import { run } from "../support/process.ts";
import { allowAccounts, server, service, spiffeId, workload } from "../support/resources.ts";
import { listenTcp, type TcpListener } from "../support/tcp.ts";
import { need } from "../support/tools.ts";

setDefaultTimeout(90_000);

const PORT = 8080;
const MESH_PORT = 4143;
const MESH_NAME = "mesh.tulle.dev";
const ALPN = "tulle/1";
/** Time to see whether a peer that should be refused gets anything through. */
const WATCH_MS = 1_500;
const openssl = need("openssl");
let mesh: Mesh;
let app: TcpListener;
let ca: TestCa;

beforeAll(async () => {
  if (isDirect) return;
  mesh = await startMesh({
    workloads: [
      workload("front", { calls: [`web:${PORT}`, `ghost:${PORT}`] }),
      workload("web"),
      workload("ghost", { started: false }),
    ],
    services: [service("web", PORT, "http"), service("ghost", PORT, "http")],
    resources: [server("web", "web", PORT), ...allowAccounts("web", { kind: "Server", name: "web" }, ["front"])],
  });
  // It never answers: what counts is what reaches it.
  app = listenTcp(mesh.ip("web"), PORT, async (peer) => void await peer.readAll(3_600_000));
  ca = await mesh.ca();
});

afterAll(async () => {
  app?.[Symbol.dispose]();
  await mesh?.[Symbol.asyncDispose]();
});

function issue(from: TestCa, account: string, more: { notBefore?: Date; notAfter?: Date } = {}): Promise<KeyPair> {
  return from.issue({ uris: [spiffeId(account)], dnsNames: [MESH_NAME], ...more });
}

interface Attempt {
  /** Code of the listener's answer; null when there was none. */
  readonly code: Code | null;
  readonly reason: string;
  /** Bytes that came after the answer. */
  readonly more: number;
}

/** Connects as a sidecar would, sends header and a request at once, and tells what came back. */
async function attempt(leaf: KeyPair | null): Promise<Attempt> {
  const socket = connect({
    host: mesh.ip("web"),
    port: MESH_PORT,
    servername: MESH_NAME,
    ALPNProtocols: [ALPN],
    minVersion: "TLSv1.3",
    rejectUnauthorized: false,
    ...(leaf === null ? {} : { cert: leaf.certificate, key: leaf.key }),
  });
  const received: Buffer[] = [];
  const over = new Promise<void>((resolve) => {
    socket.on("close", () => resolve());
    socket.on("error", () => {}); // a refusal may be an alert or a reset
    socket.on("data", (chunk: Buffer) => {
      received.push(chunk);
    });
    setTimeout(resolve, WATCH_MS);
  });
  socket.on("secureConnect", () => socket.write(firstBytes()));
  await over;
  socket.destroy();
  const all = Buffer.concat(received);
  if (all.length < 2) return { code: null, reason: "", more: 0 };
  const length = all.readUInt16BE();
  const answer = fromBinary(TransportReplySchema, all.subarray(2, 2 + length));
  return { code: answer.code, reason: answer.reason, more: all.length - 2 - length };
}

function firstBytes(): Buffer {
  const header = toBinary(
    TransportHeaderSchema,
    create(TransportHeaderSchema, { port: PORT, protocol: Protocol.HTTP2 }),
  );
  const length = Buffer.alloc(2);
  length.writeUInt16BE(header.length);
  const settings = frame(FrameType.SETTINGS, 0, 0);
  const request = frame(FrameType.HEADERS, Flag.END_HEADERS | Flag.END_STREAM, 1, getBlock("/", "web"));
  return Buffer.concat([length, header, PREFACE, settings, request]);
}

/** Waits until the app has heard nothing for a while: what the end of an earlier connection still brings. */
async function quiet(): Promise<void> {
  for (let last = -1; last !== app.receivedBytes(); await Bun.sleep(150)) last = app.receivedBytes();
}

/** Runs an attempt and asserts that the app neither saw a connection nor a byte of it. */
async function expectUnheard(leaf: KeyPair | null): Promise<Attempt> {
  await quiet();
  const before = [app.accepted(), app.receivedBytes()];
  const result = await attempt(leaf);
  expect([app.accepted(), app.receivedBytes()]).toEqual(before);
  expect(result.code).not.toBe(Code.OK);
  return result;
}

test.skipIf(isDirect)(
  "a certificate of the mesh and the admitted account is served (so the refusals below mean something)",
  async () => {
    const before = app.receivedBytes();
    const result = await attempt(await issue(ca, "front"));
    expect(result.code).toBe(Code.OK);
    expect(app.receivedBytes()).toBeGreaterThan(before);
  },
);

test.skipIf(isDirect)("a client without a certificate is refused", async () => {
  await expectUnheard(null);
});

test.skipIf(isDirect)("a certificate of a foreign CA with the right name is refused", async () => {
  await expectUnheard(await issue(await createCa("foreign"), "front"));
});

test.skipIf(isDirect)("an expired certificate is refused", async () => {
  const hour = 3_600_000;
  await expectUnheard(
    await issue(ca, "front", { notBefore: new Date(Date.now() - 2 * hour), notAfter: new Date(Date.now() - hour) }),
  );
});

test.skipIf(isDirect)("a certificate that is not valid yet is refused", async () => {
  const hour = 3_600_000;
  await expectUnheard(
    await issue(ca, "front", { notBefore: new Date(Date.now() + hour), notAfter: new Date(Date.now() + 2 * hour) }),
  );
});

test.skipIf(isDirect)(
  "a certificate of the mesh for another account is refused by policy, with the reason",
  async () => {
    await quiet();
    const before = [app.accepted(), app.receivedBytes()];
    const result = await attempt(await issue(ca, "intruder"));
    expect([app.accepted(), app.receivedBytes()]).toEqual(before);
    // Refused for the whole connection, or each request with 403; here one suffices as the Server admits front alone.
    if (result.code === Code.OK) expect(result.more).toBeGreaterThan(0);
    else {
      expect(result.code).toBe(Code.DENIED);
      expect(result.reason.length).toBeGreaterThan(0);
    }
  },
);

test.skipIf(isDirect)("a certificate without a SPIFFE ID is refused", async () => {
  await expectUnheard(await ca.issue({ dnsNames: [MESH_NAME] }));
});

test.skipIf(isDirect)("a certificate of the mesh's root for another trust domain is refused", async () => {
  const uris = [spiffeId("front").replace(/^spiffe:\/\/[^/]+/, "spiffe://other.example")];
  // Not even a reply: it is nobody of whom policy would be asked.
  expect(await expectUnheard(await ca.issue({ uris, dnsNames: [MESH_NAME] }))).toMatchObject({ code: null });
});

test.skipIf(isDirect || openssl === null)("a resumed session is refused, or never offered", async () => {
  const leaf = await issue(ca, "front");
  const file = (name: string) => join(mesh.dir, name);
  await Bun.write(file("client.pem"), leaf.certificate);
  await Bun.write(file("client.key"), leaf.key);
  await Bun.write(file("first.bin"), firstBytes());
  const base = [
    openssl?.openssl ?? "",
    "s_client",
    "-connect",
    `${mesh.ip("web")}:${MESH_PORT}`,
    "-tls1_3",
    "-alpn",
    ALPN,
  ];
  const shell = (args: string) =>
    run({ argv: ["sh", "-c", `(cat ${file("first.bin")}; sleep 1) | timeout 5 ${[...base].join(" ")} ${args}`] });
  const first = await shell(
    `-cert ${file("client.pem")} -key ${file("client.key")} -sess_out ${file("session")} -quiet`,
  );
  expect(first.stderr).not.toContain("No such file");
  if (!(await Bun.file(file("session")).exists())) return; // no ticket was given: nothing to resume
  await quiet();
  const before = [app.accepted(), app.receivedBytes()];
  const again = await shell(`-sess_in ${file("session")} -ign_eof`);
  const isReused = again.stdout.includes("Reused, TLSv1.3");
  expect([app.accepted(), app.receivedBytes()]).toEqual(before);
  console.log(`resumption: ${isReused ? "the handshake resumed, the connection was refused" : "not resumed"}`);
});

/** A listener in the place of ghost's sidecar, with a given certificate; counts what clients send after the handshake. */
async function impostor(leaf: KeyPair): Promise<
  { bytes: () => number; handshakes: () => number; connections: () => number; close: () => void }
> {
  let bytes = 0;
  let handshakes = 0;
  let connections = 0;
  const roots = readFileSync(mesh.trustBundleFile, "utf8");
  const options = {
    cert: leaf.certificate,
    key: leaf.key,
    ca: roots,
    requestCert: true,
    rejectUnauthorized: false,
    ALPNProtocols: [ALPN],
  };
  const listener = createServer(options, (socket: TLSSocket) => {
    handshakes++;
    socket.on("data", (chunk: Buffer) => bytes += chunk.length);
    socket.on("error", () => {});
  });
  listener.on("connection", () => connections++);
  listener.on("tlsClientError", () => {});
  await new Promise<void>((resolve) => listener.listen(MESH_PORT, mesh.ip("ghost"), resolve));
  return {
    bytes: () => bytes,
    handshakes: () => handshakes,
    connections: () => connections,
    close: () => listener.close(),
  };
}

const IMPOSTORS: readonly [string, () => Promise<KeyPair>, boolean][] = [
  ["of a foreign CA", async () => await issue(await createCa("foreign"), "ghost"), false],
  ["of the mesh, for another account", async () => await issue(ca, "intruder"), false],
  [
    "that has expired",
    async () =>
      await issue(ca, "ghost", {
        notBefore: new Date(Date.now() - 7_200_000),
        notAfter: new Date(Date.now() - 3_600_000),
      }),
    false,
  ],
  ["that is right (the control)", async () => await issue(ca, "ghost"), true],
];

for (const [what, make, isRight] of IMPOSTORS) {
  test.skipIf(isDirect)(
    `a sidecar sends ${isRight ? "its request" : "nothing"} to a server with a certificate ${what}`,
    async () => {
      const fake = await impostor(await make());
      try {
        let status = 0;
        const connected = fake.connections();
        // An endpoint that was refused is left alone for a while: asked until it is tried again.
        await eventually(async () => {
          const answer = fetchOnce(mesh.to("front", `ghost:${PORT}`), "/").then((response) => response.status, () => 0);
          status = await Promise.race([answer, Bun.sleep(5_000).then(() => -1)]);
          expect(fake.connections()).toBeGreaterThan(connected);
        }, 30_000);
        if (isRight) expect(fake.bytes()).toBeGreaterThan(0);
        else {
          expect(fake.bytes()).toBe(0);
          expect([502, 503, 504, 0]).toContain(status);
        }
      } finally {
        fake.close();
      }
    },
  );
}
