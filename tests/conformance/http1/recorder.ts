/**
 * The application at the end of the way: it writes down every byte of every connection, reads them by the strictest rules, and
 * answers each whole request with what it has seen. It never answers what it cannot read.
 */
import { listenTcp, type TcpListener, type TcpPeer } from "../../support/tcp.ts";
import { type Answer, withNumber } from "./corpus/variant.ts";
import { readRequests, type SeenRequest, valuesOf } from "./reference.ts";

/** Most time for the connections of a variant to close. */
const CLOSE_MS = 20_000;
/** Before the late part of an answer: long enough that the first part is at the client. */
const LATE_MS = 20;

/** How requests are named in answers, and by every back end: method, target, bytes of the body. */
export function nameOf(request: Pick<SeenRequest, "method" | "target" | "body">): string {
  return `${request.method} ${request.target} ${request.body.length}`;
}

export function seen(request: SeenRequest): string {
  const length = request.method === "HEAD" ? "" : "Content-Length: 0\r\n";
  return `HTTP/1.1 200 OK\r\n${length}X-Seen: ${nameOf(request)}\r\n\r\n`;
}

interface Connection {
  readonly peer: TcpPeer;
  /** Since the variant began; a connection may have been made ahead of it. */
  bytes: Buffer;
  /** How many of the requests in `bytes` are answered. */
  answered: number;
}

export class Recorder implements Disposable {
  readonly port: number;
  readonly #listener: TcpListener;
  #connections: Connection[] = [];
  #answer: Answer | null = null;
  #number = 0;

  constructor(host: string, port: number) {
    this.#listener = listenTcp(host, port, (peer) => this.#serve(peer));
    this.port = this.#listener.port;
  }

  /** Forgets what was seen. @param answer to the first request, or to all but the probe */
  begin(number: number, answer: Answer | null): void {
    const open = this.#listener.open();
    this.#connections = this.#connections.filter(({ peer }) => open.has(peer));
    for (const connection of this.#connections) {
      connection.bytes = Buffer.alloc(0);
      connection.answered = 0;
    }
    this.#number = number;
    this.#answer = answer;
  }

  /** Bytes of every connection since `begin`. Ends the connections, so that the next variant has its own. */
  async end(): Promise<Buffer[]> {
    const open = [...this.#listener.open()];
    for (const peer of open) peer.end();
    await Promise.race([Promise.all(open.map((peer) => peer.closed)), Bun.sleep(CLOSE_MS)]);
    for (const peer of open) peer.terminate();
    return this.#connections.map(({ bytes }) => bytes).filter((bytes) => bytes.length > 0);
  }

  [Symbol.dispose](): void {
    this.#listener[Symbol.dispose]();
  }

  async #serve(peer: TcpPeer): Promise<void> {
    const connection: Connection = { peer, bytes: Buffer.alloc(0), answered: 0 };
    this.#connections.push(connection);
    for (;;) {
      const chunk = await peer.read(3_600_000);
      if (chunk === null) return peer.end();
      connection.bytes = Buffer.concat([connection.bytes, chunk]);
      if (await this.#answerAll(connection)) return peer.end();
    }
  }

  /** Returns true when the connection is to be closed. */
  async #answerAll(connection: Connection): Promise<boolean> {
    for (;;) {
      const { messages, begun } = readRequests(connection.bytes);
      const request = messages[connection.answered];
      const line = request?.line ?? begun;
      const answer = line === null || line.includes(withNumber("/p@@@@", this.#number)) ? null : this.#answer;
      if (request === undefined && (begun === null || answer?.early !== true)) return false;
      connection.answered++;
      if (answer !== null) {
        if (await this.#answerOddly(connection.peer, answer)) return true;
        if (answer.isOnce !== false) this.#answer = null;
      } else if (request !== undefined) {
        await connection.peer.write(seen(request));
        if (request.line.endsWith("1.0") || valuesOf(request, "connection").includes("close")) return true;
      }
    }
  }

  async #answerOddly(peer: TcpPeer, answer: Answer): Promise<boolean> {
    await peer.write(withNumber(answer.bytes, this.#number));
    if (answer.late !== undefined) {
      await Bun.sleep(LATE_MS);
      await peer.write(withNumber(answer.late, this.#number)).catch(() => {}); // the proxy may have hung up
    }
    return answer.close === true;
  }
}
