import { expect, test } from "bun:test";
import fc from "fast-check";
import { TlsHalf } from "./tls_half.ts";

const TLS_1_2 = [0x03, 0x03];
const TLS_1_3 = [0x03, 0x04];

function record(type: number, body: readonly number[]): number[] {
  return [type, 3, 3, body.length >> 8, body.length & 255, ...body];
}

/** Handshake message with the extension supported_versions. */
function hello(isClient: boolean, versions: readonly number[], random: readonly number[] = []): number[] {
  const list = isClient ? [versions.length, ...versions] : versions;
  const extension = [0, 43, 0, list.length, ...list];
  const chosen = isClient ? [0, 2, 0x13, 0x01, 1, 0] : [0x13, 0x01, 0];
  const filled = [...random, ...new Array<number>(32 - random.length).fill(7)];
  const body = [3, 3, ...filled, 0, ...chosen, 0, extension.length, ...extension];
  return [isClient ? 1 : 2, 0, body.length >> 8, body.length & 255, ...body];
}

const CHANGE_CIPHER_SPEC = record(20, [1]);
const DATA = record(23, [9, 9, 9, 9]);

function watch(isClient: boolean, ...pieces: readonly number[][]): TlsHalf {
  const half = new TlsHalf(isClient);
  for (const piece of pieces) half.push(Uint8Array.from(piece));
  return half;
}

test("TlsHalf sees a TLS 1.3 client: hello, change_cipher_spec, protected records", () => {
  const half = watch(true, record(22, hello(true, [...TLS_1_3, ...TLS_1_2])), CHANGE_CIPHER_SPEC, DATA, DATA);
  expect([half.problem, half.helloSeen, half.protectedBytes]).toEqual([null, true, 8]);
});

test("TlsHalf sees a TLS 1.3 server, also after a HelloRetryRequest", () => {
  const retry = record(22, hello(false, TLS_1_3, [0xcf, 0x21, 0xad, 0x74]));
  const half = watch(false, retry, CHANGE_CIPHER_SPEC, record(22, hello(false, TLS_1_3)), DATA);
  expect([half.problem, half.helloSeen]).toEqual([null, true]);
});

test.each<[string, boolean, number[][], string]>([
  ["a server that chose TLS 1.2", false, [record(22, hello(false, TLS_1_2))], "did not choose TLS 1.3"],
  ["a client that offers TLS 1.2 only", true, [record(22, hello(true, TLS_1_2))], "does not offer TLS 1.3"],
  ["HTTP", true, [[...Buffer.from("GET / HTTP/1.1\r\n")]], "not TLS"],
  ["a certificate in the clear", false, [record(22, [11, 0, 0, 1, 0])], "handshake message 11 in the clear"],
  ["an alert in the clear", true, [record(21, [2, 40])], "an alert in the clear"],
  ["data before the hello", true, [DATA], "before the hello"],
  [
    "a handshake in the clear after protected data",
    true,
    [record(22, hello(true, TLS_1_3)), DATA, record(22, [1, 0, 0, 0])],
    "after the first protected record",
  ],
])("TlsHalf says what is wrong with %s", (_, isClient, pieces, problem) => {
  expect(watch(isClient, ...pieces).problem).toContain(problem);
});

test("TlsHalf gives the same verdict however the bytes are cut", () => {
  const bytes = [...record(22, hello(true, TLS_1_3)), ...CHANGE_CIPHER_SPEC, ...DATA];
  fc.assert(
    fc.property(fc.array(fc.nat(bytes.length), { maxLength: 8 }), (cuts) => {
      const half = new TlsHalf(true);
      const places = [0, ...cuts.sort((a, b) => a - b), bytes.length];
      for (let i = 1; i < places.length; i++) half.push(Uint8Array.from(bytes.slice(places[i - 1], places[i])));
      expect([half.problem, half.helloSeen, half.protectedBytes]).toEqual([null, true, 4]);
    }),
    { numRuns: 200 },
  );
});

test("TlsHalf takes any bytes", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 400 }), fc.boolean(), (bytes, isClient) => {
      new TlsHalf(isClient).push(bytes);
      new TlsHalf(isClient).push(Uint8Array.from(record(22, [...bytes])));
    }),
    { numRuns: 300 },
  );
});
