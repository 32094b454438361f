/** HTTP/1.1 byte by byte, independent of the mesh's own codec: a client, and a server whose handler sees everything. */
import { connectTcp, listenTcp, type TcpListener, type TcpPeer } from "./tcp.ts";

export interface Message {
  /** "GET /x HTTP/1.1" or "HTTP/1.1 200 OK" */
  readonly startLine: string;
  /** Names in lower case, in order. */
  readonly headers: readonly (readonly [string, string])[];
  readonly body: Buffer;
  readonly trailers: readonly (readonly [string, string])[];
}

export interface Response extends Message {
  readonly status: number;
  /** Interim responses (1xx) that came before. */
  readonly interim: readonly Message[];
}

export interface Request extends Message {
  readonly method: string;
  readonly path: string;
}

/** First value of a header, or null. */
export function header(message: Message, name: string): string | null {
  return message.headers.find(([key]) => key === name)?.[1] ?? null;
}

/** A client connection. Requests are written as they are; nothing is added. */
export class Http1Client implements Disposable {
  readonly peer: TcpPeer;

  private constructor(peer: TcpPeer) {
    this.peer = peer;
  }

  static async connect(target: { readonly host: string; readonly port: number }): Promise<Http1Client> {
    return new Http1Client(await connectTcp(target));
  }

  /** Sends a request without a body and reads the response. */
  async get(path: string, headers: Readonly<Record<string, string>> = {}, method = "GET"): Promise<Response> {
    const lines = Object.entries({ host: "web", ...headers }).map(([name, value]) => `${name}: ${value}\r\n`);
    await this.peer.write(`${method} ${path} HTTP/1.1\r\n${lines.join("")}\r\n`);
    return await this.readResponse(method === "HEAD");
  }

  /** The next response; `isHead`: it answers HEAD, and has no body. */
  async readResponse(isHead = false): Promise<Response> {
    const interim: Message[] = [];
    for (;;) {
      const head = await readHead(this.peer);
      if (head === null) throw new Error("the connection ended before a response");
      const status = Number(head.startLine.split(" ")[1]);
      if (status >= 100 && status < 200 && status !== 101) {
        interim.push({ ...head, body: Buffer.alloc(0), trailers: [] });
        continue;
      }
      const bodiless = isHead || status === 101 || status === 204 || status === 304;
      const rest = bodiless ? { body: Buffer.alloc(0), trailers: [] } : await readBody(this.peer, head, true);
      return { ...head, ...rest, status, interim };
    }
  }

  [Symbol.dispose](): void {
    this.peer.terminate();
  }
}

/** One request on a connection of its own. */
export async function fetchOnce(
  target: { readonly host: string; readonly port: number },
  path: string,
  headers: Readonly<Record<string, string>> = {},
  method = "GET",
): Promise<Response> {
  using client = await Http1Client.connect(target);
  return await client.get(path, headers, method);
}

/** Answers one request by writing to the connection, and may end it. */
export type Handler = (request: Request, peer: TcpPeer) => Promise<void>;

export interface HttpApp extends TcpListener {
  /** Requests whose head has been read. */
  requests(): number;
}

/**
 * A server. The handler is given each request with its whole body; a request that expects 100-continue is answered so
 * before its body is read.
 */
export function serveHttp(host: string, port: number, handler: Handler): HttpApp {
  let requests = 0;
  const listener = listenTcp(host, port, async (peer) => {
    for (;;) {
      const head = await readHead(peer, 3_600_000);
      if (head === null) return peer.end();
      requests++;
      const [method = "", path = ""] = head.startLine.split(" ");
      if (headerOf(head.headers, "expect") === "100-continue") await peer.write("HTTP/1.1 100 Continue\r\n\r\n");
      const rest = await readBody(peer, head, false);
      await handler({ ...head, ...rest, method, path }, peer);
      const stays = headerOf(head.headers, "connection")?.toLowerCase() === "keep-alive";
      if (head.startLine.endsWith("HTTP/1.0") && !stays) return peer.end();
    }
  });
  return { ...listener, requests: () => requests, [Symbol.dispose]: () => listener[Symbol.dispose]() };
}

/** A whole response with Content-Length. */
export function reply(status: number, body: string, headers: Readonly<Record<string, string>> = {}): string {
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`).join("");
  return `HTTP/1.1 ${status} ${status === 200 ? "OK" : "Status"}\r\ncontent-length: ${
    Buffer.byteLength(body)
  }\r\n${lines}\r\n${body}`;
}

interface Head {
  readonly startLine: string;
  readonly headers: readonly (readonly [string, string])[];
}

/** A head of at most 256 KiB; null when the connection ends before its first byte. */
async function readHead(peer: TcpPeer, timeoutMs = 20_000): Promise<Head | null> {
  let bytes = Buffer.alloc(0);
  for (;;) {
    const chunk = await peer.read(timeoutMs);
    if (chunk === null) {
      if (bytes.length === 0) return null;
      throw new Error(`ended inside a head: ${JSON.stringify(bytes.toString("latin1").slice(0, 200))}`);
    }
    bytes = Buffer.concat([bytes, chunk]);
    const end = bytes.indexOf("\r\n\r\n");
    if (end >= 0) {
      peer.unread(bytes.subarray(end + 4));
      const [startLine = "", ...lines] = bytes.subarray(0, end).toString("latin1").split("\r\n");
      return { startLine, headers: lines.map(parseField) };
    }
    if (bytes.length > 256 * 1024) throw new Error("a head without an end");
  }
}

function parseField(line: string): readonly [string, string] {
  const colon = line.indexOf(":");
  return [line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim()];
}

function headerOf(headers: Head["headers"], name: string): string | null {
  return headers.find(([key]) => key === name)?.[1] ?? null;
}

async function readBody(peer: TcpPeer, head: Head, isResponse: boolean): Promise<Pick<Message, "body" | "trailers">> {
  if (headerOf(head.headers, "transfer-encoding")?.toLowerCase() === "chunked") return await readChunked(peer);
  const length = headerOf(head.headers, "content-length");
  if (length !== null) return { body: await peer.readExactly(Number(length)), trailers: [] };
  return { body: isResponse ? await peer.readAll() : Buffer.alloc(0), trailers: [] };
}

async function readChunked(peer: TcpPeer): Promise<Pick<Message, "body" | "trailers">> {
  const chunks: Buffer[] = [];
  for (;;) {
    const size = Number.parseInt(await readLine(peer), 16);
    if (Number.isNaN(size)) throw new Error("a chunk without a size");
    if (size === 0) break;
    chunks.push(await peer.readExactly(size));
    await readLine(peer);
  }
  const trailers: (readonly [string, string])[] = [];
  for (let line = await readLine(peer); line !== ""; line = await readLine(peer)) trailers.push(parseField(line));
  return { body: Buffer.concat(chunks), trailers };
}

async function readLine(peer: TcpPeer): Promise<string> {
  let bytes = Buffer.alloc(0);
  for (;;) {
    const chunk = await peer.read();
    if (chunk === null) throw new Error("ended inside a line");
    bytes = Buffer.concat([bytes, chunk]);
    const end = bytes.indexOf("\r\n");
    if (end < 0) continue;
    peer.unread(bytes.subarray(end + 2));
    return bytes.subarray(0, end).toString("latin1");
  }
}
