/** The controller's port: anybody may ask it for the trust bundle, whoever has a token for certificates, and every proxy needs it. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { create, toBinary } from "@bufbuild/protobuf";
import { createClient } from "@connectrpc/connect";
import { createConnectTransport } from "@connectrpc/connect-node";
import { SubscribeRequestSchema } from "../../proto/gen/tulle/discovery/v1/discovery_pb.ts";
import { CertifyRequestSchema, IdentityService } from "../../proto/gen/tulle/identity/v1/identity_pb.ts";
import { generateKey, makeCsr } from "../../src/identity/csr.ts";
import { frame, FrameType, literalBlock } from "../support/h2_frames.ts";
import { sumOf } from "../support/prometheus.ts";
import type { Attack } from "./_attack.ts";
import { H2Wire } from "./_h2_wire.ts";
import type { Rig } from "./_rig.ts";
import type { Wire } from "./_wire.ts";

const place = "controller";
const END_STREAM = 1;
const END_HEADERS = 4;
/** Longest wait of a proxy that means no harm, milliseconds: what sidecars themselves wait for an answer. */
const SERVED_MS = 10_000;
/** The workload that the attacker has. */
const MALLORY = { namespace: "shop", name: "mallory-0" };
const WATCH_TRUST = "/tulle.identity.v1.IdentityService/WatchTrust";
const CERTIFY = "/tulle.identity.v1.IdentityService/Certify";
const SUBSCRIBE = "/tulle.discovery.v1.DiscoveryService/Subscribe";

/** A call as the Connect protocol puts it into HTTP/2. @param isStream its messages come in envelopes */
function call(id: number, path: string, isStream: boolean, message: Uint8Array, encoding = ""): Buffer {
  const fields: [string, string][] = [
    [":method", "POST"],
    [":scheme", "https"],
    [":path", path],
    [":authority", "mesh.tulle.dev"],
    ["content-type", isStream ? "application/connect+proto" : "application/proto"],
    ["connect-protocol-version", "1"],
  ];
  if (encoding !== "") fields.push([isStream ? "connect-content-encoding" : "content-encoding", encoding]);
  const envelope = Buffer.alloc(isStream ? 5 : 0);
  if (isStream) {
    envelope[0] = encoding === "" ? 0 : 1;
    envelope.writeUInt32BE(message.length, 1);
  }
  const body = Buffer.concat([envelope, message]);
  const pieces: Buffer[] = [frame(FrameType.HEADERS, END_HEADERS, id, literalBlock(fields))];
  for (let at = 0; at < body.length; at += 16_384) {
    pieces.push(frame(FrameType.DATA, 0, id, body.subarray(at, at + 16_384)));
  }
  return Buffer.concat(pieces);
}

/** Ends what `call` began. */
const end = (id: number): Buffer => frame(FrameType.DATA, END_STREAM, id);

async function open(rig: Rig, isKnown: boolean): Promise<H2Wire> {
  return await H2Wire.start(await rig.openController(isKnown));
}

/** Somebody else gets a certificate and the trust bundle meanwhile. */
async function newcomer(rig: Rig): Promise<void> {
  const { host, port } = rig.controller;
  const transport = createConnectTransport({
    httpVersion: "2",
    baseUrl: `https://${host}:${port}`,
    nodeOptions: { ca: readFileSync(rig.mesh.trustBundleFile), servername: "mesh.tulle.dev" },
  });
  const client = createClient(IdentityService, transport);
  const signal = AbortSignal.timeout(SERVED_MS);
  const token = readFileSync(join(rig.mesh.dir, "token-web"), "utf8");
  const certificateSigningRequest = await makeCsr(await generateKey(), null);
  await client.certify({ token, certificateSigningRequest }, { signal });
  for await (const { trustBundle } of client.watchTrust({}, { signal })) {
    if (trustBundle?.roots.length !== 1) throw new Error("a newcomer got no trust bundle");
    return;
  }
  throw new Error("a newcomer got no trust bundle");
}

/** Streams on connections of 100 each, none of which is read. */
async function streams(
  rig: Rig,
  isKnown: boolean,
  count: number,
  path: string,
  message: Uint8Array,
): Promise<H2Wire[]> {
  const peers: H2Wire[] = [];
  for (let at = 0; at < count; at += 100) {
    const peer = await open(rig, isKnown);
    await peer.flood(100, () => call(peer.id(), path, true, message), 100);
    peers.push(peer);
  }
  return peers;
}

const silent: Attack = {
  name: "half-open: 3,000 connections that send nothing",
  place,
  boundMb: 100,
  refusals: [],
  async run(rig, scale) {
    const wires: Wire[] = [];
    for (let at = 0; at < scale.of(3_000, 200); at++) wires.push(await rig.openControllerBare());
    await newcomer(rig);
    for (const wire of wires) wire.close();
  },
};

const watchers: Attack = {
  name: "10,000 watchers of the trust bundle, of one address",
  place,
  boundMb: 300,
  refusals: [],
  async run(rig, scale) {
    const peers = await streams(rig, false, scale.of(10_000, 300), WATCH_TRUST, new Uint8Array(0));
    for (const peer of peers) for (let n = 0; n < 100; n++) await peer.send(end(2 * n + 1));
    await newcomer(rig);
    for (const peer of peers) peer.close();
  },
};

const subscribers: Attack = {
  name: "streams of one workload: 10,000, unread",
  place,
  boundMb: 300,
  refusals: [],
  async run(rig, scale) {
    const kind = {
      case: "hello" as const,
      value: { workload: MALLORY },
    };
    const message = toBinary(SubscribeRequestSchema, create(SubscribeRequestSchema, { kind }));
    const peers = await streams(rig, true, scale.of(10_000, 300), SUBSCRIBE, message);
    await Bun.sleep(scale.of(2_000, 500));
    await newcomer(rig);
    const left = sumOf(await rig.mesh.controller.metrics(), "discovery_streams");
    for (const peer of peers) peer.close();
    if (left > 20) throw new Error(`${left} streams are open`);
    return `${left} streams are open`;
  },
};

const certificates: Attack = {
  name: "requests for certificates without a pause, with a token: 20 connections × 100 at a time",
  place,
  boundMb: 100,
  refusals: [],
  async run(rig, scale) {
    const token = readFileSync(join(rig.mesh.dir, "token-mallory"), "utf8");
    const certificateSigningRequest = await makeCsr(await generateKey(), null);
    const request = create(CertifyRequestSchema, { token, certificateSigningRequest });
    const message = toBinary(CertifyRequestSchema, request);
    const peers: H2Wire[] = [];
    for (let at = 0; at < scale.of(20, 4); at++) {
      const peer = await open(rig, false);
      const one = () => {
        const id = peer.id();
        return Buffer.concat([call(id, CERTIFY, false, message), end(id)]);
      };
      await peer.flood(100, one, 20);
      peers.push(peer);
    }
    await newcomer(rig);
    const metrics = await rig.mesh.controller.metrics();
    const of = (result: string) => sumOf(metrics, "identity_certify_total", { result });
    for (const peer of peers) peer.close();
    return `${of("issued")} were issued, ${of("resource_exhausted")} refused`;
  },
};

const bombs: Attack = {
  name: "gzip bombs: 200 messages of 1 MB that unpack to 1 GB",
  place,
  boundMb: 100,
  refusals: [],
  async run(rig, scale) {
    const bomb = gzipSync(Buffer.alloc(scale.of(1024, 64) * 1024 * 1024), { level: 9 });
    for (let at = 0; at < scale.of(20, 2); at++) {
      const peer = await open(rig, false);
      for (const path of [CERTIFY, WATCH_TRUST]) {
        for (let n = 0; n < 5; n++) {
          const id = peer.id();
          await peer.send(call(id, path, path === WATCH_TRUST, bomb, "gzip"), end(id));
        }
      }
      await Promise.race([peer.wire.closed, Bun.sleep(200)]);
      peer.close();
    }
    await newcomer(rig);
  },
};

export const CONTROLLER: readonly Attack[] = [silent, watchers, subscribers, certificates, bombs];
