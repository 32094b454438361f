/** Changing a listener's certificate and roots while clients come and go. */
import { afterAll, expect, test } from "bun:test";
import { connect, type TLSSocket } from "node:tls";
import { once } from "node:events";
import { createCa } from "../../tests/support/certificates.ts";
import { listen } from "./listener.ts";
import { type RawSocket, type SocketOwner, TLS_1_3, type TlsOptions } from "./socket.ts";
import { tlsProblem } from "./tls_check.ts";

const FIRST = await generation("one");
const SECOND = await generation("two");

/** A server and a client of one CA. */
async function generation(name: string) {
  const ca = await createCa(name);
  const leaf = await ca.issue({ uris: [`spiffe://cluster.local/${name}`], dnsNames: ["mesh.tulle.dev"] });
  const parts = { key: leaf.key, cert: leaf.certificate, ca: ca.certificate };
  const server: TlsOptions = {
    ...parts,
    ALPNProtocols: new Uint8Array([1, 120]),
    requestCert: true,
    rejectUnauthorized: true,
    minVersion: TLS_1_3,
  };
  return { name, parts, server };
}

class Echo implements SocketOwner {
  stats = null;
  readonly #socket: RawSocket;

  constructor(socket: RawSocket) {
    this.#socket = socket;
  }

  onOpen(): void {}
  onHandshake(socket: RawSocket, ok: boolean, error: Error | null): void {
    if (!ok || error !== null || !socket.authorized) socket.terminate();
  }
  onData(buffer: Buffer): void {
    this.#socket.write(buffer);
  }
  onDrain(): void {}
  onEnd(): void {
    this.#socket.end();
  }
  onClose(): void {}
  onConnectFailed(): void {}
}

const listener = listen({ host: "127.0.0.1", port: 0 }, (socket) => new Echo(socket), FIRST.server);
afterAll(() => listener.stop(true));

function client(as: typeof FIRST): TLSSocket {
  const { key, cert, ca } = as.parts;
  const socket = connect({
    host: "127.0.0.1",
    port: listener.port,
    key,
    cert,
    ca,
    servername: "mesh.tulle.dev",
    ALPNProtocols: ["x"],
  });
  socket.on("error", () => {});
  return socket;
}

/** @returns what the server's certificate names, or "refused" */
async function ask(as: typeof FIRST): Promise<string> {
  const socket = client(as);
  socket.write("ping");
  const answer = await Promise.race([once(socket, "data").catch(() => null), once(socket, "close").then(() => null)]);
  const name = answer === null ? "refused" : socket.getPeerCertificate().subjectaltname ?? "";
  socket.destroy();
  return name;
}

test("renewTls() changes certificate and roots for new connections, and leaves open ones alone", async () => {
  const before = client(FIRST);
  before.write("1");
  await once(before, "data");
  expect(await ask(FIRST)).toContain("spiffe://cluster.local/one");
  expect(await ask(SECOND)).toBe("refused");
  const { port } = listener;
  expect(listener.renewTls(SECOND.server)).toBe(true);
  expect(listener.port).toBe(port);
  expect(await ask(SECOND)).toContain("spiffe://cluster.local/two");
  expect(await ask(FIRST)).toBe("refused");
  before.write("2");
  expect(String((await once(before, "data"))[0])).toBe("2");
  before.destroy();
  expect(listener.renewTls(FIRST.server)).toBe(true);
});

test("renewTls() loses no connection that is being made", async () => {
  const waiting: Promise<string>[] = [];
  for (let turn = 0; turn < 25; turn++) {
    for (let i = 0; i < 4; i++) waiting.push(ask(FIRST));
    listener.renewTls(FIRST.server); // the four are in the kernel's queue now, or on their way
    await new Promise((resolve) => setImmediate(resolve));
  }
  const names = await Promise.all(waiting);
  expect(names.filter((name) => name.includes("cluster.local/one")).length).toBe(100);
});

test("tlsProblem() says what TLS would not take", () => {
  expect(tlsProblem(FIRST.parts)).toBe("");
  expect(tlsProblem({ ...FIRST.parts, key: SECOND.parts.key })).toContain("KEY_VALUES_MISMATCH");
  expect(tlsProblem({ ...FIRST.parts, ca: "none" })).toContain("Invalid CA");
  expect(tlsProblem({ ...FIRST.parts, cert: "none" })).not.toBe("");
});
