/**
 * Lets the package ws, which knows HTTP/1.1 alone, speak over a stream of HTTP/2 (RFC 8441): the head that it writes
 * goes out as HEADERS, and the other side's HEADERS come in as the head that it expects.
 */
import { createHash, randomBytes } from "node:crypto";
import type { ClientHttp2Session, IncomingHttpHeaders, ServerHttp2Stream } from "node:http2";
import { Duplex } from "node:stream";

const GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
/** NGHTTP2_CANCEL */
const CANCEL = 8;
const HEAD_END = "\r\n\r\n";

abstract class Tunnel extends Duplex {
  #head = "";
  #isOpen = false;
  protected stream: Duplex & { close(code: number): void } | null = null;

  /** Sends HEADERS for the head that was written. */
  protected abstract start(line: string, fields: ReadonlyMap<string, string>): void;

  protected carry(stream: Duplex & { close(code: number): void }): void {
    this.stream = stream;
    stream.on("data", (chunk) => void (this.push(chunk) || stream.pause()));
    stream.on("end", () => this.push(null));
    stream.on("error", () => this.destroy());
    stream.on("close", () => this.destroy());
  }

  override _read(): void {
    this.stream?.resume();
  }

  override _write(chunk: Buffer, _encoding: unknown, done: (error?: Error | null) => void): void {
    if (this.#isOpen) return void this.stream?.write(chunk, (error) => done(error ?? null));
    this.#head += chunk.toString("latin1");
    const end = this.#head.indexOf(HEAD_END);
    if (end < 0) return done();
    const [line = "", ...lines] = this.#head.slice(0, end).split("\r\n");
    const fields = new Map(lines.map((text): [string, string] => {
      const colon = text.indexOf(":");
      return [text.slice(0, colon).toLowerCase(), text.slice(colon + 1).trim()];
    }));
    this.#isOpen = true;
    this.start(line, fields);
    const rest = this.#head.slice(end + HEAD_END.length);
    if (rest === "") done();
    else this.stream?.write(Buffer.from(rest, "latin1"), (error) => done(error ?? null));
  }

  override _final(done: () => void): void {
    this.stream?.end();
    done();
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    if (this.stream !== null && !this.stream.writableFinished) this.stream.close(CANCEL);
    done(error);
  }

  // What users of sockets call, and a stream has no use for.
  setTimeout(): this {
    return this;
  }
  setNoDelay(): this {
    return this;
  }
  setKeepAlive(): this {
    return this;
  }
  ref(): this {
    return this;
  }
  unref(): this {
    return this;
  }
}

/** Fields of a handshake that mean the same in both versions. */
const SHARED = ["sec-websocket-version", "sec-websocket-extensions", "sec-websocket-protocol"];

function shared(get: (name: string) => string | undefined): [string, string][] {
  return SHARED.flatMap((name): [string, string][] => {
    const value = get(name);
    return value === undefined ? [] : [[name, value]];
  });
}

export class ClientTunnel extends Tunnel {
  readonly #session: ClientHttp2Session;

  constructor(session: ClientHttp2Session) {
    super();
    this.#session = session;
  }

  protected start(line: string, fields: ReadonlyMap<string, string>): void {
    const stream = this.#session.request({
      ":method": "CONNECT",
      ":protocol": "websocket",
      ":scheme": "http",
      ":path": line.split(" ")[1] ?? "/",
      ":authority": fields.get("host") ?? "",
      ...Object.fromEntries(shared((name) => fields.get(name))),
    }, { endStream: false });
    stream.on("response", (headers: IncomingHttpHeaders) => {
      const status = Number(headers[":status"]);
      const key = fields.get("sec-websocket-key") ?? "";
      const accept = createHash("sha1").update(key + GUID).digest("base64");
      const lines = shared((name) => headers[name]?.toString()).map(([name, value]) => `${name}: ${value}\r\n`).join(
        "",
      );
      this.push(
        status === 200
          ? `HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: upgrade\r\nsec-websocket-accept: ${accept}\r\n${lines}\r\n`
          : `HTTP/1.1 ${status} Refused\r\ncontent-length: 0\r\n\r\n`,
      );
    });
    this.carry(stream);
  }
}

export class ServerTunnel extends Tunnel {
  readonly #stream: ServerHttp2Stream;

  constructor(stream: ServerHttp2Stream) {
    super();
    this.#stream = stream;
    this.carry(stream);
  }

  protected start(line: string, fields: ReadonlyMap<string, string>): void {
    const status = Number(line.split(" ")[1]);
    this.#stream.respond({
      ":status": status === 101 ? 200 : status,
      ...Object.fromEntries(shared((name) => fields.get(name))),
    });
  }
}

/** The request as ws wants it. */
export function upgradeOf(headers: IncomingHttpHeaders) {
  return {
    method: "GET",
    url: headers[":path"],
    headers: {
      ...Object.fromEntries(shared((name) => headers[name]?.toString())),
      "sec-websocket-key": randomBytes(16).toString("base64"),
      upgrade: "websocket",
      connection: "upgrade",
    },
  };
}
