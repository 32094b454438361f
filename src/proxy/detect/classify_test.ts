import { expect, test } from "bun:test";
import { classify } from "./classify.ts";

const bytes = (text: string) => Buffer.from(text, "latin1");
const at = (text: string) => classify(bytes(text), text.length);

test.each([
  ["GET / HTTP/1.1\r\nHost: a\r\n\r\n", "http1"],
  ["POST /a.b/C HTTP/1.0\r\n", "http1"],
  ["PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "http2"],
  ["PRI * HTTP/2.0\r\n", "more"],
  ["GE", "more"],
  ["", "more"],
  ["\x16\x03\x01\x02\x00\x01", "opaque"],
  ["*1\r\n$4\r\nPING\r\n", "opaque"],
  ["\x00\x00\x00\x08\x04\xd2\x16\x2f", "opaque"],
  ["SSH-2.0-OpenSSH_9\r\n", "opaque"],
])("classify(%j) is %s", (text, want) => {
  expect(at(text) as string).toBe(want);
});

test("classify() never changes its mind when more bytes of the same client come", () => {
  for (const text of ["GET /index.html HTTP/1.1\r\nHost: a\r\n\r\n", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "PING\r\n"]) {
    let decided = "more";
    for (let n = 1; n <= text.length; n++) {
      const now: string = classify(bytes(text), n);
      if (decided !== "more") expect(now).toBe(decided);
      decided = now;
    }
    expect(decided).not.toBe("more");
  }
});
