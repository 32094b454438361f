/**
 * A server that ends calls in the ways of HTTP/2 rather than of gRPC, for the cases of grpc-go's interop/http2 client:
 * `h2_server.mjs CASE PORT`. Runs on Node.js.
 */
import { createServer, type Http2Session, type ServerHttp2Session, type ServerHttp2Stream } from "node:http2";

/** Size of the payload that the cases ask for. */
const RESPONSE_BYTES = 314_159;
const PIECES = 8;

const [, , name = "", port = ""] = process.argv;

/** A SimpleResponse with a payload, as a message of gRPC: flag, length, and the fields by hand. */
function response(): Buffer {
  const body = tagged(2, Buffer.alloc(RESPONSE_BYTES));
  const message = tagged(1, body);
  const head = Buffer.alloc(5);
  head.writeUInt32BE(message.length, 1);
  return Buffer.concat([head, message]);
}

function tagged(field: number, bytes: Buffer): Buffer {
  const length: number[] = [];
  for (let rest = bytes.length; rest > 0; rest = Math.floor(rest / 128)) {
    length.push(rest % 128 | (rest > 127 ? 128 : 0));
  }
  return Buffer.concat([Buffer.from([field << 3 | 2, ...length]), bytes]);
}

const HEAD = { ":status": 200, "content-type": "application/grpc" };

function answer(stream: ServerHttp2Stream, ping: (() => void) | null): void {
  stream.on("wantTrailers", () => stream.sendTrailers({ "grpc-status": "0" }));
  stream.respond(HEAD, { waitForTrailers: true });
  const bytes = response();
  const step = Math.ceil(bytes.length / PIECES);
  for (let at = 0; at < bytes.length; at += step) {
    ping?.();
    stream.write(bytes.subarray(at, at + step));
  }
  stream.end();
}

/** What becomes of a call once its request has been read. */
const CASES: Readonly<Record<string, (stream: ServerHttp2Stream, session: ServerHttp2Session) => void>> = {
  goaway(stream, session) {
    answer(stream, null);
    session.goaway(0, stream.id);
  },
  rst_after_header(stream) {
    stream.respond(HEAD);
    stream.close(0);
  },
  rst_during_data(stream) {
    stream.respond(HEAD);
    stream.write(response().subarray(0, RESPONSE_BYTES / 2), () => stream.close(0));
  },
  rst_after_data(stream) {
    stream.respond(HEAD);
    stream.write(response(), () => stream.close(0));
  },
  ping(stream, session) {
    answer(stream, () => void session.ping(() => {}));
  },
  max_streams(stream, session) {
    if (openStreams(session) > 1) throw new Error("more streams than were allowed");
    answer(stream, null);
  },
};

const open = new WeakMap<Http2Session, number>();
const openStreams = (session: Http2Session) => open.get(session) ?? 0;

const server = createServer(name === "max_streams" ? { settings: { maxConcurrentStreams: 1 } } : {});
server.on("stream", (stream, headers) => {
  const session = stream.session as ServerHttp2Session; // a new stream has one
  open.set(session, openStreams(session) + 1);
  stream.on("close", () => open.set(session, openStreams(session) - 1));
  stream.on("error", () => {}); // reset by the client
  stream.resume();
  stream.on("end", () => {
    if (headers[":path"]?.endsWith("/UnaryCall")) CASES[name]?.(stream as ServerHttp2Stream, session); // a server's streams
    else (stream as ServerHttp2Stream).respond({ ...HEAD, "grpc-status": "12" }, { endStream: true });
  });
});
server.listen(Number(port), "0.0.0.0", () => console.log("ready"));
