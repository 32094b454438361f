import { expect, test } from "bun:test";
import fc from "fast-check";
import { readSegment } from "./segment.ts";

const hex = (text: string) => new Uint8Array(Buffer.from(text.replaceAll(" ", ""), "hex"));

const ETHERNET = "020000000001 020000000002 0800";
/** 10.77.0.10:40000 → 10.77.0.11:4143, SYN, sequence 1000, payload "hi". */
const IPV4 = hex(
  `${ETHERNET} 4500 002a 0000 4000 4006 0000 0a4d000a 0a4d000b 9c40 102f 000003e8 00000000 5002 ffff 0000 0000 6869`,
);

test("readSegment() reads a segment over IPv4", () => {
  expect(readSegment(IPV4)).toEqual({
    source: "10.77.0.10",
    sourcePort: 40000,
    target: "10.77.0.11",
    targetPort: 4143,
    sequence: 1000,
    syn: true,
    ack: false,
    payload: hex("6869"),
  });
});

test("readSegment() leaves out the padding of short frames", () => {
  const padded = new Uint8Array(64);
  padded.set(IPV4);
  expect(readSegment(padded)?.payload).toEqual(hex("6869"));
});

test("readSegment() is null for what is not TCP or cut short, and never throws", () => {
  expect(readSegment(IPV4.subarray(0, 50))).toBeNull();
  expect(readSegment(hex(`${ETHERNET.replace("0800", "0806")}${"00".repeat(40)}`))).toBeNull();
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 120 }), (noise) => {
      readSegment(noise);
      const framed = new Uint8Array(14 + noise.length);
      framed.set(IPV4.subarray(0, 14));
      framed.set(noise, 14);
      readSegment(framed);
    }),
    { numRuns: 500 },
  );
});
