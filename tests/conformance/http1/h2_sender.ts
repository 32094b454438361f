/** An HTTP/2 client that sends any header section, and a plain request behind it on the same connection. */
import { connect as connectPlain, type Socket } from "node:net";
import { connect as connectTls } from "node:tls";
import { create, toBinary } from "@bufbuild/protobuf";
import { Protocol, TransportHeaderSchema } from "../../../proto/gen/tulle/transport/v1/transport_pb.ts";
import { HpackDecoder } from "../../../src/wire/hpack/decoder.ts";
import { RESPONSE, TRAILERS } from "../../../src/wire/hpack/section.ts";
import { data, END_STREAM, frame, literals, PREFACE, settings, settingsAck } from "../../support/h2_peer.ts";
import { parseFrames } from "../../support/h2_frames.ts";
import { type DowngradeVariant, type Field } from "./corpus/downgrades.ts";
import { withNumber } from "./corpus/variant.ts";
import type { Lane } from "./paths.ts";

/** Longest time for the answer to the probe. */
const ANSWER_MS = 20_000;
const END_HEADERS = 4;
const HEADERS = 1;
const RST_STREAM = 3;
const SETTINGS = 4;
const GOAWAY = 7;
/** Tells the application's sidecar that the request was HTTP/1.1: it becomes that again. */
const ORIGIN: Field = ["tulle-orig-proto", "HTTP/1.1"];

/** What a stream brought: "status seen", "reset", or "" for nothing. */
export interface Http2Received {
  readonly variant: string;
  readonly probe: string;
  /** The server ended the connection. */
  readonly isClosed: boolean;
}

export async function sendHttp2(lane: Lane, variant: DowngradeVariant, number: number): Promise<Http2Received> {
  const socket = await open(lane);
  const state = { bytes: Buffer.alloc(0), answers: new Map<number, string>(), isClosed: false, wake: () => {} };
  const decoder = new HpackDecoder({ maxTableSize: 4096, maxListBytes: 1 << 20, maxFields: 1000 });
  let skip = lane.peer === undefined ? 0 : -1;
  socket.on("data", (chunk: Buffer) => {
    state.bytes = Buffer.concat([state.bytes, chunk]);
    if (skip < 0 && state.bytes.length >= 2) skip = 2 + state.bytes.readUInt16BE(0);
    if (skip > 0 && state.bytes.length >= skip) {
      state.bytes = state.bytes.subarray(skip);
      skip = 0;
    }
    if (skip !== 0) return;
    const { frames, rest } = parseFrames(state.bytes);
    state.bytes = Buffer.from(rest);
    for (const { type, flags, streamId, payload } of frames) {
      if (type === SETTINGS && (flags & 1) === 0) socket.write(settingsAck());
      if (type === RST_STREAM && !state.answers.has(streamId)) state.answers.set(streamId, "reset");
      if (type === GOAWAY && payload.readUInt32BE(4) !== 0) state.isClosed = true;
      if (type !== HEADERS) continue;
      const kind = state.answers.has(streamId) ? TRAILERS : RESPONSE;
      const head = decoder.decode(payload, 0, payload.length, kind);
      if (typeof head !== "number" && head.status >= 200) {
        state.answers.set(streamId, `${head.status} ${head.get("x-seen") ?? "-"}`);
      }
    }
    state.wake();
  });
  const close = () => {
    state.isClosed = true;
    state.wake();
  };
  socket.on("end", close).on("close", close).on("error", close);
  try {
    socket.write(Buffer.concat([transportHeader(lane), PREFACE, settings(), bytesOf(variant, number, lane)]));
    await until(state, () => state.answers.has(1));
    socket.write(
      headers(
        3,
        [[":method", "GET"], [":scheme", "http"], [":authority", "web"], [":path", "/p@@@@"], ...originOf(lane)],
        number,
        END_STREAM,
      ),
    );
    await until(state, () => state.answers.has(3));
    return { variant: state.answers.get(1) ?? "", probe: state.answers.get(3) ?? "", isClosed: state.isClosed };
  } finally {
    socket.destroy();
  }
}

function bytesOf(variant: DowngradeVariant, number: number, lane: Lane): Buffer {
  const fields = [...variant.fields, ...originOf(lane)];
  const hasMore = variant.data !== undefined || variant.trailers !== undefined;
  const parts = [headers(1, fields, number, hasMore ? 0 : END_STREAM)];
  if (variant.data !== undefined) {
    parts.push(
      data(1, Buffer.from(withNumber(variant.data, number), "latin1"), variant.trailers === undefined ? END_STREAM : 0),
    );
  }
  if (variant.trailers !== undefined) parts.push(headers(1, variant.trailers, number, END_STREAM));
  return Buffer.concat(parts);
}

function originOf(lane: Lane): readonly Field[] {
  return lane.peer === undefined ? [] : [ORIGIN];
}

function headers(id: number, fields: readonly Field[], number: number, flags: number): Buffer {
  const block = literals(fields.map(([name, value]) => [withNumber(name, number), withNumber(value, number)] as const));
  return frame(HEADERS, flags | END_HEADERS, id, block);
}

function transportHeader({ peer }: Lane): Buffer {
  if (peer === undefined) return Buffer.alloc(0);
  const header = toBinary(
    TransportHeaderSchema,
    create(TransportHeaderSchema, { port: peer.port, protocol: Protocol.HTTP2 }),
  );
  const length = Buffer.alloc(2);
  length.writeUInt16BE(header.length);
  return Buffer.concat([length, header]);
}

async function open({ route, peer }: Lane): Promise<Socket> {
  const target = {
    host: route.host,
    port: route.port,
    ...(route.from === undefined ? {} : { localAddress: route.from }),
  };
  const socket = peer === undefined ? connectPlain(target) : connectTls({
    ...target,
    ...peer.tls,
    servername: "mesh.tulle.dev",
    ALPNProtocols: ["tulle/1"],
    minVersion: "TLSv1.3",
    rejectUnauthorized: false,
  });
  await new Promise<void>((resolve, reject) => {
    socket.once(peer === undefined ? "connect" : "secureConnect", resolve);
    socket.once("error", reject);
  });
  return socket;
}

async function until(state: { isClosed: boolean; wake: () => void }, isDone: () => boolean): Promise<void> {
  for (const end = Date.now() + ANSWER_MS; !isDone() && !state.isClosed && Date.now() < end;) {
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, end - Date.now());
      state.wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }
}
