import { expect, test } from "bun:test";
import fc from "fast-check";
import { Frames } from "./frames.ts";

const frame = (message: Uint8Array) => Uint8Array.from([message.length >>> 8, message.length & 255, ...message]);

test("property: any split of the bytes gives the same messages, and what is not complete gives none", () => {
  const messages = fc.array(fc.uint8Array({ maxLength: 300 }), { maxLength: 4 });
  fc.assert(
    fc.property(messages, fc.uint8Array({ maxLength: 1 }), fc.integer({ min: 1, max: 9 }), (sent, rest, size) => {
      const bytes = Buffer.concat([...sent.map(frame), rest]);
      const frames = new Frames();
      const got: Uint8Array[] = [];
      for (let at = 0; at < bytes.length; at += size) {
        const piece = Buffer.from(bytes.subarray(at, at + size));
        frames.take(piece, (message) => got.push(new Uint8Array(message)));
        piece.fill(0xff); // its memory is the runtime's again: see lent_buffer.ts
      }
      expect(got).toEqual(sent);
    }),
  );
});
