/** Applications that do to the sidecar what no application should; the path of a request says what. */
import type { Socket } from "bun";
import { frame, FrameType, literalBlock } from "../support/h2_frames.ts";
import { type H2AppConnection, serveH2 } from "./_h2_app.ts";
import { u32 } from "./_h2_wire.ts";

const OK = "HTTP/1.1 200 OK\r\n";
const CHUNKED = `${OK}transfer-encoding: chunked\r\n\r\n`;
/** Bytes of one piece of something endless. */
const PIECE_BYTES = 64 * 1024;
const END_HEADERS = 4;

/** First bytes, and a piece that follows over and over. */
const HTTP1_ANSWERS: Readonly<Record<string, readonly [first: string, again: string]>> = {
  "/interims": ["", "HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n"],
  "/huge-head": [OK, "x-filler: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\r\n"],
  "/endless-line": [`${OK}x-filler: `, "aaaaaaaaaaaaaaaa"],
  "/endless-trailers": [`${CHUNKED}2\r\nok\r\n0\r\n`, "x-filler: aaaaaaaaaaaaaaaaaaaaaaaaaaaa\r\n"],
  "/endless-chunk": [`${CHUNKED}fffffffffff\r\n`, "aaaaaaaaaaaaaaaa"],
  "/endless-extension": [`${CHUNKED}1;x=`, "aaaaaaaaaaaaaaaa"],
  "/tiny-chunks": [CHUNKED, "1\r\na\r\n"],
  "/unasked": [`${OK}content-length: 2\r\n\r\nok`, `${OK}content-length: 2\r\n\r\nok`],
};

/** Sends its answer at the first bytes of a request, reads the rest of it or not, and never stops by itself. */
export function hostileHttp1(host: string, port: number): void {
  const pieces = new WeakMap<object, { readonly piece: Buffer; rest: Buffer }>();
  const pour = (socket: Socket) => {
    const state = pieces.get(socket);
    for (let turn = 0; state !== undefined && turn < 16; turn++) {
      const taken = Math.max(0, socket.write(state.rest));
      const isShort = taken < state.rest.length;
      state.rest = isShort ? state.rest.subarray(taken) : state.piece;
      if (isShort) return;
    }
    if (state !== undefined) setImmediate(pour, socket);
  };
  Bun.listen({
    hostname: host,
    port,
    socket: {
      data(socket, bytes) {
        if (pieces.has(socket)) return;
        const path = bytes.toString("latin1").split(" ")[1] ?? "";
        const [first, again] = HTTP1_ANSWERS[path] ?? [`${OK}content-length: 2\r\n\r\nok`, ""];
        if (again === "") return void socket.write(first);
        const piece = Buffer.from(again.repeat(Math.ceil(PIECE_BYTES / again.length)));
        pieces.set(socket, { piece, rest: Buffer.concat([Buffer.from(first), piece]) });
        pour(socket);
      },
      drain: pour,
      close: (socket) => void pieces.delete(socket),
      error() {},
    },
  });
}

/** Header block whose dynamic table holds one large entry, and that refers to it over and over. */
export function hpackBomb(references: number, valueBytes = 3_900): Buffer {
  const value = Buffer.alloc(valueBytes, 0x61);
  const length = Buffer.from([127, ...integer(valueBytes - 127)]);
  const entry = Buffer.concat([Buffer.from([0x40, 1]), Buffer.from("x"), length, value]);
  return Buffer.concat([entry, Buffer.alloc(references, 0xbe)]); // 0xbe: the latest entry
}

function integer(rest: number): number[] {
  const out: number[] = [];
  for (; rest >= 128; rest >>>= 7) out.push((rest & 127) | 128);
  return [...out, rest];
}

const MANY = 20_000;
const many = (make: (at: number) => Buffer): Buffer => Buffer.concat(Array.from({ length: MANY }, (_, at) => make(at)));
const head = (id: number, status: string): Buffer =>
  frame(FrameType.HEADERS, END_HEADERS, id, literalBlock([[":status", status]]));

const HTTP2_ANSWERS: Readonly<Record<string, (connection: H2AppConnection, id: number) => void>> = {
  "/settings": (connection) => connection.write(many(() => frame(FrameType.SETTINGS, 0, 0))),
  "/pings": (connection) => connection.write(many(() => frame(FrameType.PING, 0, 0, Buffer.alloc(8)))),
  "/interims": (connection, id) => connection.write(many(() => head(id, "103"))),
  "/empty-data": (connection, id) => connection.write(head(id, "200"), many(() => frame(FrameType.DATA, 0, id))),
  "/bomb": (connection, id) =>
    connection.write(
      frame(
        FrameType.HEADERS,
        END_HEADERS,
        id,
        Buffer.concat([literalBlock([[":status", "200"]]), hpackBomb(12_000)]),
      ),
    ),
  "/continuations": (connection, id) =>
    connection.write(
      frame(FrameType.HEADERS, 0, id, literalBlock([[":status", "200"]])),
      many(() => frame(FrameType.CONTINUATION, 0, id, literalBlock([["x-a", "b".repeat(100)]]))),
    ),
  "/after-reset": (connection, id) =>
    connection.write(
      frame(FrameType.RST_STREAM, 0, id, u32(2)),
      many(() => head(id, "200")),
      many(() => frame(FrameType.DATA, 0, id, Buffer.alloc(100))),
    ),
  "/pushes": (connection, id) => connection.write(many((at) => frame(5, END_HEADERS, id, u32(2 + 2 * at)))),
};

/** The same in HTTP/2; any other path is answered well. */
export function hostileHttp2(host: string, port: number): void {
  serveH2(host, port, (connection, id, path) => {
    const hostile = HTTP2_ANSWERS[path];
    if (hostile === undefined) return path === "/endless" ? Infinity : 2;
    hostile(connection, id);
    return -1;
  });
}
