import { expect, test } from "bun:test";
import fc from "fast-check";
import { MAX_CLIENT_HELLO, serverName } from "./client_hello.ts";

/** What the runtime's own TLS client sends first. */
async function firstBytes(servername: string): Promise<Uint8Array> {
  const got = Promise.withResolvers<Uint8Array>();
  const server = Bun.listen({
    hostname: "127.0.0.1",
    port: 0,
    socket: { data: (_socket, bytes) => got.resolve(new Uint8Array(bytes)) },
  });
  const tls = { rejectUnauthorized: false, ...(servername === "" ? {} : { serverName: servername }) };
  const client = await Bun.connect({
    hostname: "127.0.0.1",
    port: server.port,
    tls,
    socket: { data() {}, error() {} },
  });
  try {
    return await got.promise;
  } finally {
    client.terminate();
    server.stop(true);
  }
}

const hello = await firstBytes("Web.Shop.example");

test("serverName() reads the name of a real client, in lower case", () => {
  expect(serverName(hello)).toBe("web.shop.example");
});

test("serverName() wants more of every beginning, and nothing of the rest", () => {
  for (let end = 0; end < hello.length; end++) expect(serverName(hello.subarray(0, end))).toBeNull();
  const more = new Uint8Array(hello.length + 10);
  more.set(hello);
  expect(serverName(more)).toBe("web.shop.example");
});

test("serverName() reads a hello in many records", () => {
  for (const size of [1, 3, 100]) {
    const records: number[] = [];
    const message = hello.subarray(5);
    for (let at = 0; at < message.length; at += size) {
      const fragment = message.subarray(at, at + size);
      records.push(22, 3, 1, fragment.length >> 8, fragment.length & 0xff, ...fragment);
    }
    expect(serverName(Uint8Array.from(records))).toBe(records.length > MAX_CLIENT_HELLO ? "" : "web.shop.example");
  }
});

test.each([
  ["HTTP", Buffer.from("GET / HTTP/1.1\r\n\r\n")],
  ["another handshake message", Uint8Array.from([22, 3, 1, 0, 4, 2, 0, 0, 0])],
  ["an empty record", Uint8Array.from([22, 3, 1, 0, 0])],
  ["a hello that is too long", Uint8Array.from([22, 3, 1, 0, 4, 1, 1, 0, 0])],
  ["a hello without extensions", Uint8Array.from([22, 3, 1, 0, 44, 1, 0, 0, 40, 3, 3, ...Array(38).fill(0)])],
])("serverName() of %s is none", (_title, bytes) => {
  expect(serverName(bytes)).toBe("");
});

test("serverName() takes any bytes", () => {
  fc.assert(fc.property(fc.uint8Array({ maxLength: 300 }), fc.nat(600), (noise, at) => {
    const bytes = Uint8Array.from(hello);
    bytes.set(noise.subarray(0, bytes.length - Math.min(at, bytes.length)), Math.min(at, bytes.length));
    const found = serverName(bytes);
    expect(found === null || typeof found === "string").toBe(true);
  }));
});
