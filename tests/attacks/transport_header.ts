/** What a peer with a certificate of the mesh may put into its first message, and what it must not get by it. */
import type { Attack } from "./_attack.ts";
import { type Rig, transportHeader } from "./_rig.ts";
import type { Wire } from "./_wire.ts";

const place = "mesh";

/** Sends a first message and tells the code of the reply: -1 for none. */
async function replyTo(rig: Rig, bytes: Uint8Array): Promise<number> {
  using wire = await rig.openTls(true);
  let reply = Buffer.alloc(0);
  wire.onData = (more) => reply = Buffer.concat([reply, more]);
  await wire.send(bytes);
  for (let turn = 0; turn < 80 && reply.length < 4 && !wire.isClosed; turn++) await Bun.sleep(25);
  return reply.length < 4 ? -1 : reply[3] ?? -1; // length, field 1, code
}

const BAD_HEADER = 2;
const MESSAGES: readonly [string, Uint8Array][] = [
  ["a length of 65,535", Buffer.concat([Buffer.from([0xff, 0xff]), Buffer.alloc(2_000, 1)])],
  ["bytes that are no message", Buffer.from([0, 4, 0xff, 0xff, 0xff, 0xff])],
  ["port 0", transportHeader(0)],
  ["port 65,536", transportHeader(65_536)],
  ["a port beyond all numbers", transportHeader(2 ** 40)],
  ["an unknown protocol", transportHeader(8080, 99)],
  ...[4140, 4143, 4145, 4191].map((
    port,
  ): [string, Uint8Array] => [`the proxy's own port ${port}`, transportHeader(port)]),
];

const messages: Attack = {
  name: "headers that ask for what there is not: 10 kinds × 50",
  place,
  boundMb: 60,
  refusals: ["bad_header"],
  async run(rig, scale) {
    for (let turn = 0; turn < scale.of(50, 2); turn++) {
      for (const [what, bytes] of MESSAGES) {
        const code = await replyTo(rig, bytes);
        if (code !== BAD_HEADER) throw new Error(`${what}: reply ${code}`);
      }
    }
  },
};

const slow: Attack = {
  name: "headers that never end: 300, a byte at a time",
  place,
  boundMb: 60,
  refusals: ["handshake_timeout"],
  isAbsorbedWhenSmall: true,
  async run(rig, scale) {
    const wires: Wire[] = [];
    for (let at = 0; at < scale.of(300, 20); at++) wires.push(await rig.openTls(true));
    const until = performance.now() + scale.of(6_500, 200);
    const text = Buffer.concat([Buffer.from([4, 0]), Buffer.alloc(1_000, 0x1a)]);
    for (let at = 0; performance.now() < until; at++) {
      for (const wire of wires) await wire.send(text.subarray(at, at + 1));
      await Bun.sleep(100);
    }
    for (const wire of wires) wire.close();
  },
};

const ports: Attack = {
  name: "a scan of 2,000 ports, each on a connection of its own",
  place,
  boundMb: 80,
  refusals: [],
  async run(rig, scale) {
    for (let port = 20_000; port < 20_000 + scale.of(2_000, 50); port++) {
      using wire = await rig.openTls(true);
      await wire.send(transportHeader(port));
    }
  },
};

export const TRANSPORT_HEADER: readonly Attack[] = [messages, slow, ports];
