/** Makes one request in the place of a workload, as a process of its own: so it is captured, named and refused as that one is. */
import { connect, type IncomingHttpHeaders } from "node:http2";
import { errorText } from "../../../../src/base/error.ts";
import type { Request } from "./claims.ts";

/** Environment variable with the request, as JSON, for the process that makes it. */
export const PROBE_VARIABLE = "TULLE_UP_PROBE";
const TIMEOUT_MS = 5_000;
/** Most of an answer that is kept, characters. */
const MAX_TEXT = 4_000;

/** What came of a request. */
export interface Answer {
  /** HTTP or gRPC status; null for tcp, or when there was none. */
  readonly status: number | null;
  /** Body, gRPC message, or the bytes that came. */
  readonly text: string;
  /** Why there was no answer; "" when there was one. */
  readonly error: string;
  readonly headers: Readonly<Record<string, string>>;
}

/** Makes the request and prints the answer as JSON. */
export async function runProbe(text: string): Promise<void> {
  const answer = await ask(JSON.parse(text) as Request); // written by our own inner process
  await Bun.write(Bun.stdout, `${JSON.stringify(answer)}\n`);
  process.exit(0); // a connection that is still open must not keep us
}

async function ask(request: Request): Promise<Answer> {
  try {
    switch (request.kind) {
      case "http":
        return await askHttp(request.url, request.headers);
      case "grpc":
        return await askGrpc(request.url, request.path);
      case "tcp":
        return await askTcp(request.host, request.port, request.send);
    }
  } catch (error) {
    return { status: null, text: "", error: errorText(error), headers: {} };
  }
}

async function askHttp(url: string, headers: Readonly<Record<string, string>>): Promise<Answer> {
  const response = await fetch(url, { headers, signal: AbortSignal.timeout(TIMEOUT_MS), redirect: "manual" });
  const text = (await response.text()).slice(0, MAX_TEXT);
  return { status: response.status, text, error: "", headers: Object.fromEntries(response.headers) };
}

/** One unary call with an empty message. */
function askGrpc(url: string, path: string): Promise<Answer> {
  const { promise, resolve } = Promise.withResolvers<Answer>();
  const headers: Record<string, string> = {};
  const collect = (found: IncomingHttpHeaders) => {
    for (const [name, value] of Object.entries(found)) headers[name] = String(value);
  };
  const fail = (error: Error) => resolve({ status: null, text: "", error: error.message, headers });
  const session = connect(url);
  session.on("error", fail);
  const stream = session.request({
    ":method": "POST",
    ":path": path,
    "content-type": "application/grpc",
    te: "trailers",
  });
  stream.on("response", collect);
  stream.on("trailers", collect);
  stream.on("error", fail);
  stream.on("data", () => {});
  stream.on("close", () => {
    const status = headers["grpc-status"];
    const text = headers["grpc-message"] ?? `HTTP status ${headers[":status"]}`;
    resolve({ status: status === undefined ? null : Number(status), text: decode(text), error: "", headers });
    session.destroy();
  });
  stream.end(new Uint8Array(5)); // not compressed, no bytes
  const timer = setTimeout(() => {
    fail(new Error(`no answer within ${TIMEOUT_MS / 1000} s`));
    session.destroy();
  }, TIMEOUT_MS);
  return promise.finally(() => clearTimeout(timer));
}

function askTcp(hostname: string, port: number, send: string): Promise<Answer> {
  const { promise, resolve } = Promise.withResolvers<Answer>();
  let text = "";
  const done = (error: string) => resolve({ status: null, text, error, headers: {} });
  const timer = setTimeout(() => done(`no answer within ${TIMEOUT_MS / 1000} s`), TIMEOUT_MS);
  Bun.connect({
    hostname,
    port,
    socket: {
      open: (socket) => void socket.write(send),
      data: (socket, bytes) => {
        text = (text + bytes.toString()).slice(0, MAX_TEXT);
        socket.end();
        done("");
      },
      close: (_, error) => done(error?.message ?? "the connection was closed without an answer"),
      connectError: (_, error) => done(error.message),
    },
  }).catch((error) => done(errorText(error)));
  return promise.finally(() => clearTimeout(timer));
}

/** gRPC messages are percent-encoded (gRPC over HTTP/2, "Responses"). */
function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
