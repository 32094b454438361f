/** One call on a connection to the controller: an HTTP/2 stream that speaks Connect's protocol. */
import { envelope, EnvelopeReader, MAX_MESSAGE_BYTES } from "./envelope.ts";
import { errorOfEndStream, errorOfResponse, type RpcError } from "./error.ts";

/** Receives the answers. */
export interface CallSink {
  /** One message. The view is only valid during the call. */
  onMessage(message: Uint8Array): void;
  /** Last event. @param error null when the call ended in order */
  onEnd(error: RpcError | null): void;
}

/** What a call asks of its connection. */
export interface CallCarrier {
  /** There is something to send on this call. */
  wantsToSend(call: Call): void;
  /** The call is over on our side: reset the stream. */
  reset(call: Call): void;
}

/** See the file's head. Made by `ControllerConnection.call`. */
export class Call {
  readonly id: number;
  /** Unary calls carry bare messages, streaming ones envelopes. */
  readonly unary: boolean;
  /** Bytes that the peer takes on this stream. */
  sendWindow: number;
  /** Bytes received since the last WINDOW_UPDATE. */
  unacknowledged = 0;
  /** Response status; 0 before the head. */
  status = 0;
  /** Nothing more will be queued. */
  sendDone = false;
  /** END_STREAM is out. */
  sentEnd = false;
  ended = false;
  readonly outgoing: Uint8Array[] = [];
  readonly #carrier: CallCarrier;
  readonly #sink: CallSink;
  readonly #reader = new EnvelopeReader();
  /** Body of a unary response, or of a failed one. */
  #body: Uint8Array[] = [];
  #bodyBytes = 0;
  #finished: RpcError | null | undefined = undefined;

  constructor(id: number, unary: boolean, sendWindow: number, carrier: CallCarrier, sink: CallSink) {
    this.id = id;
    this.unary = unary;
    this.sendWindow = sendWindow;
    this.#carrier = carrier;
    this.#sink = sink;
  }

  /** Sends a message. Does nothing after the end. */
  send(message: Uint8Array): void {
    if (this.ended || this.sendDone) return;
    this.outgoing.push(this.unary ? message : envelope(message));
    this.#carrier.wantsToSend(this);
  }

  /** Says that no more messages will be sent. */
  finishSending(): void {
    this.sendDone = true;
    this.#carrier.wantsToSend(this);
  }

  /** Gives the call up. The sink hears nothing more. */
  cancel(): void {
    if (this.ended) return;
    this.ended = true;
    this.#carrier.reset(this);
  }

  /** Bytes of the response. @returns false when the call was ended because of them */
  receive(bytes: Uint8Array): boolean {
    if (this.ended) return false;
    if (this.unary || this.status !== 200) {
      this.#bodyBytes += bytes.length;
      if (this.#bodyBytes > MAX_MESSAGE_BYTES) return this.#protocolError("a response larger than is taken");
      this.#body.push(bytes.slice());
      return true;
    }
    const problem = this.#reader.push(bytes, {
      onMessage: (message) => {
        if (!this.ended) this.#sink.onMessage(message);
      },
      onEndStream: (json) => void (this.#finished = errorOfEndStream(json)),
    });
    return problem === "" || this.#protocolError(problem);
  }

  /** The peer has ended the stream. */
  receiveEnd(): void {
    if (this.ended) return;
    if (this.status !== 200) this.end(errorOfResponse(this.status, this.#joined()));
    else if (this.unary) {
      this.#sink.onMessage(this.#joined());
      this.end(null);
    } else if (this.#finished === undefined) this.end({ code: "unavailable", message: "the stream broke off" });
    else this.end(this.#finished);
  }

  /** Ends the call, from whatever side. */
  end(error: RpcError | null): void {
    if (this.ended) return;
    this.ended = true;
    this.#sink.onEnd(error);
  }

  #protocolError(problem: string): boolean {
    this.#carrier.reset(this);
    this.end({ code: "internal", message: `the controller sent ${problem}` });
    return false;
  }

  #joined(): Uint8Array {
    const out = new Uint8Array(this.#bodyBytes);
    let at = 0;
    for (const part of this.#body) {
      out.set(part, at);
      at += part.length;
    }
    return out;
  }
}
