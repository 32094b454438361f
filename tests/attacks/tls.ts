/** The mesh port, before anybody has proved who they are: handshakes are the most work that a stranger can cause. */
import { type AddressInfo, createServer } from "node:net";
import { connect as connectTls } from "node:tls";
import { join } from "node:path";
import { run } from "../support/process.ts";
import type { Attack } from "./_attack.ts";
import { H2Wire, request } from "./_h2_wire.ts";
import type { Rig } from "./_rig.ts";
import type { Wire } from "./_wire.ts";

const place = "mesh, stranger";
/** As long as the time that a handshake may take, and a little. */
const HANDSHAKE_MS = 6_500;

/** What a client sends first, as node:tls makes it. */
async function clientHello(): Promise<Buffer> {
  const { promise, resolve } = Promise.withResolvers<Buffer>();
  const server = createServer((socket) => {
    socket.once("data", (bytes) => {
      resolve(Buffer.from(bytes));
      socket.destroy();
      server.close();
    });
    socket.on("error", () => {});
  });
  await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
  const { port } = server.address() as AddressInfo; // it listens on TCP
  const client = connectTls({ host: "127.0.0.1", port, servername: "mesh.tulle.dev", minVersion: "TLSv1.3" });
  client.on("error", () => {});
  const hello = await promise;
  client.destroy();
  return hello;
}

/** Opens connections, sends each the same bytes, and keeps the last `open` of them. */
async function knock(rig: Rig, count: number, open: number, bytes: () => Uint8Array): Promise<Wire[]> {
  const wires: Wire[] = [];
  for (let at = 0; at < count; at++) {
    const wire = await rig.openBare().catch(() => null); // turned away already: right
    if (wire === null) continue;
    await wire.send(bytes());
    wires.push(wire);
    if (wires.length > open) wires.shift()?.close();
  }
  return wires;
}

/** A sidecar from another address that comes now is served. */
async function newcomer(rig: Rig): Promise<void> {
  using wire = await rig.open("mesh", "http2");
  const peer = await H2Wire.start(wire);
  await peer.send(request(peer.id(), "/"));
  for (let turn = 0; turn < 200 && peer.heads === 0; turn++) await Bun.sleep(25);
  if (peer.heads === 0) throw new Error("a sidecar that came meanwhile was not served");
}

const halfHandshakes: Attack = {
  name: "half handshakes: 10,000 ClientHellos, 4,000 connections at a time",
  place,
  boundMb: 160,
  refusals: ["handshake_share"],
  isAbsorbedWhenSmall: true,
  async run(rig, scale) {
    const hello = await clientHello();
    const wires = await knock(rig, scale.of(10_000, 300), 4_000, () => hello);
    await newcomer(rig);
    await Bun.sleep(scale.of(HANDSHAKE_MS, 100));
    for (const wire of wires) wire.close();
  },
};

const garbageHellos: Attack = {
  name: "garbage instead of a ClientHello: 10,000 connections",
  place,
  boundMb: 60,
  refusals: [],
  async run(rig, scale) {
    const wires = await knock(rig, scale.of(10_000, 300), 100, () => crypto.getRandomValues(new Uint8Array(300)));
    for (const wire of wires) wire.close();
  },
};

const strangers: Attack = {
  name: "handshakes without a certificate: 3,000, 64 at a time",
  place,
  boundMb: 60,
  refusals: ["no_certificate", "handshake_failed", "untrusted_ca"],
  async run(rig, scale) {
    let left = scale.of(3_000, 100);
    const one = async () => {
      while (left-- > 0) {
        const wire = await rig.openTls(false).catch(() => null); // refused within the handshake: right, too
        if (wire !== null) await Promise.race([wire.closed, Bun.sleep(1_000)]);
        wire?.close();
      }
    };
    await Promise.all(Array.from({ length: 64 }, one));
  },
};

const silent: Attack = {
  name: "half-open: 5,000 connections that send nothing",
  place,
  boundMb: 160,
  refusals: ["handshake_share"],
  isAbsorbedWhenSmall: true,
  async run(rig, scale) {
    const wires = await knock(rig, scale.of(5_000, 300), 5_000, () => new Uint8Array(0));
    await newcomer(rig);
    await Bun.sleep(scale.of(HANDSHAKE_MS, 100));
    for (const wire of wires) wire.close();
  },
};

const slowHellos: Attack = {
  name: "slow handshakes: 500 ClientHellos, a byte at a time",
  place,
  boundMb: 60,
  refusals: ["handshake_timeout"],
  isAbsorbedWhenSmall: true,
  async run(rig, scale) {
    const hello = await clientHello();
    const wires = await knock(rig, scale.of(500, 50), 500, () => new Uint8Array(0));
    const until = performance.now() + scale.of(HANDSHAKE_MS, 300);
    for (let at = 0; performance.now() < until; at++) {
      for (const wire of wires) await wire.send(hello.subarray(at, at + 1));
      await Bun.sleep(50);
    }
    for (const wire of wires) wire.close();
  },
};

const noHeader: Attack = {
  name: "handshakes of a known peer that never says what it wants: 500",
  place: "mesh",
  boundMb: 80,
  refusals: ["handshake_timeout"],
  isAbsorbedWhenSmall: true,
  async run(rig, scale) {
    const wires: Wire[] = [];
    for (let at = 0; at < scale.of(500, 30); at++) wires.push(await rig.openTls(true));
    await Bun.sleep(scale.of(HANDSHAKE_MS, 100));
    for (const wire of wires) wire.close();
  },
};

const garbageInside: Attack = {
  name: "garbage after the handshake of a known peer: 500 connections",
  place: "mesh",
  boundMb: 60,
  refusals: ["bad_header"],
  async run(rig, scale) {
    for (let at = 0; at < scale.of(500, 30); at++) {
      using wire = await rig.openTls(true);
      await wire.send(Buffer.alloc(4_000, 0xff));
      await Promise.race([wire.closed, Bun.sleep(1_000)]);
      if (!wire.isClosed) throw new Error("garbage was not refused");
    }
  },
};

/** Each makes both sides derive new keys. */
const keyUpdates: Attack = {
  name: "key updates: 20,000 in a row, on 20 connections",
  place: "mesh",
  boundMb: 40,
  refusals: [],
  async run(rig, scale) {
    const { cert, key } = rig.tls(true);
    const file = (name: string) => `${rig.mesh.dir}/${name}`;
    await Bun.write(file("attacker.pem"), cert ?? "");
    await Bun.write(file("attacker.key"), key ?? "");
    const program = join(import.meta.dirname, "_key_updates.ts");
    const [host, files] = [rig.mesh.ip("web"), [file("attacker.pem"), file("attacker.key")]];
    let sent = 0;
    for (let at = 0; at < scale.of(20, 2); at++) {
      const argv = [process.execPath, program, host, "4143", ...files, String(scale.of(20_000, 500))];
      const done = await run({ argv });
      if (done.code !== 0 && done.stderr.includes("libssl")) return "no libssl here";
      sent += (JSON.parse(done.stdout) as { sent: number }).sent;
    }
    if (sent === 0) throw new Error("no key update was sent");
    return `${sent} sent`;
  },
};

export const TLS: readonly Attack[] = [
  halfHandshakes,
  garbageHellos,
  strangers,
  silent,
  slowHellos,
  noHeader,
  garbageInside,
  keyUpdates,
];
