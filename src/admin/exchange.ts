/** One request to the admin server: from the HTTP engine to a function of Request and Response, and back. */
import type { Leg, LegListener } from "../http/leg.ts";
import { headerBlock } from "../wire/header_block.ts";
import { FRAMING_NONE } from "../wire/http1/framing.ts";
import type { RequestHead } from "../wire/http1/request_head.ts";
import { CANCEL, INTERNAL_ERROR } from "../wire/http2/error_code.ts";

/** No path takes a body; the largest that is read and thrown away, bytes. */
const MAX_BODY_BYTES = 1024;
/** Bytes of a streamed answer that may wait for a slow caller. */
const MAX_UNSENT_BYTES = 64 * 1024;
/** The only path whose answer has no end of its own. */
const STREAMED = "application/x-ndjson";

export class AdminExchange implements LegListener {
  readonly #leg: Leg;
  readonly #request: RequestHead;
  readonly #answer: (request: Request) => Response | Promise<Response>;
  readonly #aborted = new AbortController();
  #bodyBytes = 0;
  #unsent = 0;
  #wake: () => void = () => {};

  /** @param answer may reject: then the answer is 500 */
  constructor(leg: Leg, request: RequestHead, answer: (request: Request) => Response | Promise<Response>) {
    this.#leg = leg;
    this.#request = request;
    this.#answer = answer;
  }

  /** Answers once the request has ended. */
  start(): void {
    if (this.#request.framing === FRAMING_NONE) void this.#run();
  }

  onHead(): void {}

  onInterim(): void {}

  onData(leg: Leg, _buffer: Uint8Array, start: number, end: number, fin: boolean): void {
    this.#bodyBytes += end - start;
    leg.consumed(end - start);
    if (this.#bodyBytes > MAX_BODY_BYTES) {
      this.onAbort();
      leg.abort(CANCEL);
    } else if (fin) void this.#run();
  }

  onTrailers(): void {
    void this.#run();
  }

  onAbort(): void {
    this.#aborted.abort();
    this.#wake();
  }

  onConsumed(_leg: Leg, bytes: number): void {
    this.#unsent -= bytes;
    this.#wake();
  }

  async #run(): Promise<void> {
    try {
      await this.#send(await this.#respond());
    } catch {
      if (!this.#aborted.signal.aborted) this.#leg.abort(INTERNAL_ERROR); // the answer broke off
    }
  }

  async #respond(): Promise<Response> {
    const { method, path, fields } = this.#request.block;
    let request: Request;
    try {
      const headers = new Headers();
      for (let i = 0; i < fields.length; i += 2) headers.append(fields[i] as string, fields[i + 1] as string); // pairs
      request = new Request(new URL(path, "http://admin"), { method, headers });
    } catch {
      return new Response("want an HTTP request for a path, such as GET /metrics\n", { status: 400 });
    }
    try {
      return await this.#answer(request);
    } catch (error) {
      return new Response(`internal: ${error instanceof Error ? error.message : String(error)}\n`, { status: 500 });
    }
  }

  async #send(response: Response): Promise<void> {
    const fields: string[] = [];
    response.headers.forEach((value, name) => fields.push(name, value));
    const isStream = response.headers.get("content-type") === STREAMED;
    const body = isStream ? null : new Uint8Array(await response.arrayBuffer());
    if (body !== null) fields.push("content-length", String(body.length));
    if (this.#aborted.signal.aborted) return void response.body?.cancel();
    const start = { method: "", scheme: "", authority: "", path: "", protocol: "", status: response.status };
    const end = body !== null && body.length === 0;
    this.#leg.sendHead(headerBlock(start, fields), end, "");
    if (body !== null && !end) this.#leg.sendData(body, 0, body.length, true);
    if (body === null) await this.#stream(response);
  }

  async #stream(response: Response): Promise<void> {
    const reader = response.body?.getReader();
    this.#aborted.signal.addEventListener("abort", () => void reader?.cancel());
    for (;;) {
      const { done, value } = await reader?.read() ?? { done: true, value: undefined };
      if (this.#aborted.signal.aborted) return;
      if (done || value === undefined) return this.#leg.sendData(new Uint8Array(0), 0, 0, true);
      this.#unsent += value.length;
      this.#leg.sendData(value, 0, value.length, false);
      while (this.#unsent > MAX_UNSENT_BYTES && !this.#aborted.signal.aborted) {
        await new Promise<void>((resolve) => this.#wake = resolve);
      }
    }
  }
}
