import { expect, test } from "bun:test";
import { FrameReader } from "./frames.ts";

test("FrameReader.push() gives payloads of which slice() is a copy, although sockets give Buffers", () => {
  const received = Buffer.from([0, 0, 2, 0, 0, 0, 0, 0, 1, 7, 8]);
  const kept: Uint8Array[] = [];
  const reader = new FrameReader();
  const problem = reader.push(received, { onFrame: (_type, _flags, _id, payload) => void kept.push(payload.slice()) });
  received.fill(0); // the socket's again
  expect([problem, kept.map((bytes) => [...bytes])]).toEqual(["", [[7, 8]]]);
});

test("FrameReader.push() holds the beginning of a frame for itself", () => {
  const first = Buffer.from([0, 0, 2, 0, 0, 0]);
  const kept: number[][] = [];
  const sink = {
    onFrame: (_type: number, _flags: number, _id: number, bytes: Uint8Array) => void kept.push([...bytes]),
  };
  const reader = new FrameReader();
  reader.push(first, sink);
  first.fill(255);
  reader.push(Buffer.from([0, 0, 1, 7, 8]), sink);
  expect(kept).toEqual([[7, 8]]);
});
