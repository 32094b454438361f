import { expect, test } from "bun:test";
import { rewrite } from "./rewrite.ts";

test("rewrite() replaces host and port and keeps all else", () => {
  // 1: "a" · 6: "old" · 7: 80 · 17: 300 · 20: fixed32 · 21: fixed64
  const message = Buffer.from(
    "0a0161" + "32036f6c64" + "3850" + "8801ac02" + "a50101020304" + "a9010102030405060708",
    "hex",
  );
  const out = Buffer.from(rewrite(message, { host: 6, port: 7 }, "new", 443)).toString("hex");
  expect(out).toBe("0a0161" + "8801ac02" + "a50101020304" + "a9010102030405060708" + "32036e6577" + "38bb8300");
});

test("rewrite() throws on bytes that are no message", () => {
  expect(() => rewrite(Uint8Array.of(0xff), { host: 1, port: 2 }, "h", 1)).toThrow("varint");
});
