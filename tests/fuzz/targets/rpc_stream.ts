import { EnvelopeReader } from "../../../src/discovery/rpc/envelope.ts";
import { FrameReader, unpadded } from "../../../src/discovery/rpc/frames.ts";
import { Call } from "../../../src/discovery/rpc/call.ts";
import { agree, bytesOf, chopped, type Target, textOf } from "../target.ts";

export const target: Target = {
  about:
    "the controller's stream: frames and envelopes are the same by pieces; a broken one ends the call, with one error",
  seeds: [
    "\x00\x00\x00\x00\x02ab\x00\x00\x00\x00\x01c\x02\x00\x00\x00\x02{}",
    "\x01\x00\x00\x00\x01a",
    "\x00\x00\x03\x00\x00\x00\x00\x00\x01abc\x00\x00\x04\x08\x00\x00\x00\x00\x00\x00\x00\x00\x01",
    '\x02\x00\x00\x00\x28{"error":{"code":"not_found","message":"x"}}',
  ],
  dictionary: [
    "\x00\x00\x00\x00\x00",
    "\x02\x00\x00\x00\x02{}",
    "\x00\x00\x03\x00\x08",
    '{"error":{}}',
    "\x7f\xff\xff\xff",
  ],
  maxBytes: 400,
  run(input) {
    const pieces = chopped(input);
    agree("frames", frames([input]), frames(pieces));
    agree("envelopes", envelopes([input]), envelopes(pieces));
    for (const isUnary of [true, false]) {
      for (const status of [200, 503]) {
        agree(`a call, status ${status}`, call([input], isUnary, status), call(pieces, isUnary, status));
      }
    }
  },
};

function frames(pieces: readonly Uint8Array[]): unknown {
  const reader = new FrameReader();
  const out: unknown[] = [];
  const sink = {
    onFrame: (type: number, flags: number, id: number, payload: Uint8Array) =>
      void out.push([type, flags, id, textOf(unpadded(flags, payload) ?? bytesOf("too much padding"))]),
  };
  return [pushAll(pieces, (piece) => reader.push(piece, sink)), out];
}

function envelopes(pieces: readonly Uint8Array[]): unknown {
  const reader = new EnvelopeReader();
  const out: unknown[] = [];
  const sink = {
    onMessage: (bytes: Uint8Array) => void out.push(textOf(bytes)),
    onEndStream: (bytes: Uint8Array) => void out.push(["end", textOf(bytes)]),
  };
  return [pushAll(pieces, (piece) => reader.push(piece, sink)), out];
}

/** Until the first error: the stream cannot go on behind one. */
function pushAll(pieces: readonly Uint8Array[], push: (piece: Uint8Array) => string): string {
  for (const piece of pieces) {
    const error = push(piece);
    if (error !== "") return error;
  }
  return "";
}

function call(pieces: readonly Uint8Array[], isUnary: boolean, status: number): unknown {
  const out: unknown[] = [];
  let ends = 0;
  const sink = {
    onMessage: (bytes: Uint8Array) => void out.push(textOf(bytes)),
    onEnd: (error: unknown) => void (ends++, out.push(error)),
  };
  const one = new Call(1, isUnary, 65_535, { wantsToSend() {}, reset() {} }, sink);
  one.status = status;
  for (const piece of pieces) one.receive(piece);
  one.receiveEnd();
  return [out, ends];
}
