/**
 * A stream of a proxy: the Connect protocol over HTTP/2, with binary messages (https://connectrpc.com/docs/protocol). The
 * library's pipeline keeps some 230 functions for each stream as long as it is open (measured: two thirds of what a
 * connected proxy costs), so these are served without it; JSON, gRPC, compression and deadlines go through the library.
 */
import type { Http2ServerRequest, Http2ServerResponse } from "node:http2";
import { type DescMessage, fromBinary, type MessageShape } from "@bufbuild/protobuf";
import { Code, ConnectError, type HandlerContext } from "@connectrpc/connect";
import { endStreamFlag, endStreamToJson } from "@connectrpc/connect/protocol-connect";
import { errorText } from "../../src/base/error.ts";
import type { Request } from "./waiting_room.ts";

/** What handlers learn of a call. */
export type CallContext = Pick<HandlerContext, "method" | "values" | "signal">;

export interface StreamMethod<I extends DescMessage = DescMessage> {
  readonly method: HandlerContext["method"];
  readonly input: I;
  /** Largest message that is taken, bytes. */
  readonly maxBytes: number;
  /** @returns frames (see `frameOf`) @throws ConnectError with which the stream ends */
  run(requests: AsyncIterableIterator<MessageShape<I>>, context: CallContext): AsyncIterable<Uint8Array>;
}

const CONTENT_TYPE = "application/connect+proto";
const FRAME_HEAD_BYTES = 5;
const COMPRESSED = 1;
const NOTHING = new Uint8Array(0);

/** Whether a request is one that is served here. */
export function isPlainStream(request: Request): request is Http2ServerRequest {
  const { headers } = request;
  return "stream" in request && request.method === "POST" && headers["content-type"] === CONTENT_TYPE &&
    headers["connect-content-encoding"] === undefined && headers["connect-timeout-ms"] === undefined;
}

/** A message as it goes over the wire: flags (1) | length (4, big-endian) | message. */
export function frameOf(message: Uint8Array, flags = 0): Uint8Array {
  const frame = new Uint8Array(FRAME_HEAD_BYTES + message.length);
  frame[0] = flags;
  new DataView(frame.buffer).setUint32(1, message.length);
  frame.set(message, FRAME_HEAD_BYTES);
  return frame;
}

export interface StreamCall {
  readonly request: Http2ServerRequest;
  readonly response: Http2ServerResponse;
  readonly values: HandlerContext["values"];
  /** Asked before anything is read. @throws ConnectError with which the call is refused */
  readonly admit: (context: CallContext) => void;
  /** Told of what no handler should let happen. */
  readonly onFault: (reason: string) => void;
}

/** Serves a stream until its end; never rejects. */
export async function answerStream(method: StreamMethod, call: StreamCall): Promise<void> {
  const { request, response, values, admit, onFault } = call;
  const abort = new AbortController();
  const context = { method: method.method, values, signal: abort.signal };
  request.once("close", () => abort.abort());
  let failure: ConnectError | undefined;
  try {
    admit(context);
    for await (const frame of method.run(new Requests(request, method), context)) {
      if (!abort.signal.aborted) await write(response, frame);
    }
  } catch (error) {
    failure = error instanceof ConnectError ? error : new ConnectError("internal error", Code.Internal);
    if (failure !== error) onFault(errorText(error));
  }
  if (!abort.signal.aborted) finish(response, failure);
  abort.abort();
}

function finish(response: Http2ServerResponse, failure: ConnectError | undefined): void {
  const end = JSON.stringify(endStreamToJson(new Headers(), failure, undefined));
  try {
    begin(response).end(frameOf(new TextEncoder().encode(end), endStreamFlag));
  } catch {
    // The caller has gone, and is not known to.
  }
}

function begin(response: Http2ServerResponse): Http2ServerResponse {
  if (!response.headersSent) response.writeHead(200, { "content-type": CONTENT_TYPE });
  return response;
}

/** @returns when more may be written, or nothing any more */
function write(response: Http2ServerResponse, frame: Uint8Array): Promise<void> | undefined {
  if (begin(response).write(frame)) return undefined;
  return new Promise((resolve) => {
    const onReady = () => {
      response.off("drain", onReady).off("close", onReady);
      resolve();
    };
    response.on("drain", onReady).on("close", onReady);
  });
}

/** The messages of a request, read as they are asked for. */
class Requests<I extends DescMessage> implements AsyncIterableIterator<MessageShape<I>> {
  readonly #request: Http2ServerRequest;
  readonly #method: StreamMethod<I>;
  /** The beginning of a message, and room: it grows by doubling, so that many small pieces are not copied again and again. */
  #held: Uint8Array = NOTHING;
  #heldBytes = 0;
  readonly #ready: MessageShape<I>[] = [];
  #end: ConnectError | "done" | null = null;
  #wake: (() => void) | null = null;

  constructor(request: Http2ServerRequest, method: StreamMethod<I>) {
    this.#request = request;
    this.#method = method;
    request.on("data", (piece: Uint8Array) => this.#take(piece));
    request.on("end", () => this.#finish(this.#heldBytes === 0 ? "done" : invalid("found a part of a message")));
    request.on("error", () => this.#finish("done"));
    request.on("close", () => this.#finish("done"));
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  async next(): Promise<IteratorResult<MessageShape<I>>> {
    while (true) {
      const value = this.#ready.shift();
      if (value !== undefined) return { done: false, value };
      if (this.#end === "done") return { done: true, value: undefined };
      if (this.#end !== null) throw this.#end;
      this.#request.resume();
      await new Promise<void>((resolve) => this.#wake = resolve);
    }
  }

  #take(piece: Uint8Array): void {
    if (this.#end !== null) return;
    const all = this.#heldBytes === 0 ? piece : this.#hold(piece);
    let at = 0;
    try {
      while (all.length - at >= FRAME_HEAD_BYTES) {
        const end = at + FRAME_HEAD_BYTES + this.#judgeHead(all, at);
        if (all.length < end) break;
        this.#ready.push(this.#decode(all.subarray(at + FRAME_HEAD_BYTES, end)));
        at = end;
      }
    } catch (error) {
      return this.#finish(ConnectError.from(error));
    }
    if (at > 0 || all === piece) {
      this.#held = at === all.length ? NOTHING : new Uint8Array(all.subarray(at)); // a copy: pieces are parts of larger buffers
      this.#heldBytes = this.#held.length;
    }
    if (this.#ready.length === 0) return;
    this.#request.pause();
    this.#wakeUp();
  }

  /** @returns what is held, with the piece */
  #hold(piece: Uint8Array): Uint8Array {
    const start = this.#heldBytes;
    this.#heldBytes += piece.length;
    if (this.#heldBytes > this.#held.length) {
      const grown = new Uint8Array(Math.max(this.#heldBytes, 2 * this.#held.length));
      grown.set(this.#held.subarray(0, start));
      this.#held = grown;
    }
    this.#held.set(piece, start);
    return this.#held.subarray(0, this.#heldBytes);
  }

  /** @returns the length of the message */
  #judgeHead(bytes: Uint8Array, at: number): number {
    const flags = bytes[at] ?? 0;
    const length = new DataView(bytes.buffer, bytes.byteOffset + at + 1, 4).getUint32(0);
    if ((flags & COMPRESSED) !== 0) throw invalid("found a compressed message, and no encoding in the head");
    if ((flags & endStreamFlag) !== 0) throw invalid("found the end of an answer in a request");
    const { maxBytes } = this.#method;
    if (length <= maxBytes) return length;
    throw new ConnectError(`found a message of ${length} bytes, want at most ${maxBytes}`, Code.ResourceExhausted);
  }

  #decode(bytes: Uint8Array): MessageShape<I> {
    try {
      return fromBinary(this.#method.input, bytes);
    } catch (error) {
      throw invalid(errorText(error));
    }
  }

  #finish(end: ConnectError | "done"): void {
    this.#end ??= end;
    this.#wakeUp();
  }

  #wakeUp(): void {
    const wake = this.#wake;
    this.#wake = null;
    wake?.();
  }
}

function invalid(detail: string): ConnectError {
  return new ConnectError(detail, Code.InvalidArgument);
}
