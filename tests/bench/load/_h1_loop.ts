/** HTTP/1.1 keep-alive, one request at a time, each with another path. Responses carry Content-Length. */
import type { Socket } from "bun";
import { type Loop, uniqueNumber } from "./_loop.ts";
import type { Meter } from "./_meter.ts";

export class H1Loop implements Loop {
  readonly #socket: Socket<Loop | null>;
  readonly #meter: Meter;
  readonly #client: number;
  #startNs = 0;
  #text = "";

  constructor(socket: Socket<Loop | null>, meter: Meter, client: number) {
    this.#socket = socket;
    this.#meter = meter;
    this.#client = client;
  }

  begin(): void {
    this.#startNs = Bun.nanoseconds();
    this.#socket.write(`GET /s?client=${this.#client}&order=${uniqueNumber()} HTTP/1.1\r\nHost: bench.test\r\n\r\n`);
  }

  receive(bytes: Buffer): void {
    this.#text += bytes.toString("latin1");
    const head = this.#text.indexOf("\r\n\r\n");
    if (head < 0) return;
    const length = /\r\ncontent-length: *(\d+)/i.exec(this.#text.slice(0, head + 2))?.[1];
    if (length === undefined) throw new Error(`a response without Content-Length: ${this.#text.slice(0, head)}`);
    if (this.#text.length < head + 4 + Number(length)) return;
    if (this.#text.startsWith("HTTP/1.1 200")) this.#meter.done(Bun.nanoseconds() - this.#startNs);
    else this.#meter.fail(this.#text.slice(0, head));
    this.#text = "";
    this.begin();
  }

  drain(): void {}
}
