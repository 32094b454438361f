import { expect, test } from "bun:test";
import { headerBlock } from "../../wire/header_block.ts";
import { grpcTimeoutMs, withGrpcTimeout } from "./grpc_timeout.ts";

const START = { method: "POST", scheme: "http", authority: "web", path: "/a.B/C", protocol: "", status: 0 };
const call = (...fields: string[]) => headerBlock(START, ["content-type", "application/grpc", ...fields]);

test("grpcTimeoutMs() reads every unit", () => {
  const read = (value: string) => grpcTimeoutMs(call("grpc-timeout", value));
  expect(["1H", "2M", "3S", "4m", "5000u", "6000000n"].map(read)).toEqual([3_600_000, 120_000, 3000, 4, 5, 6]);
  expect(read("99999999H")).toBe(99_999_999 * 3_600_000);
  expect(read("0m")).toBeGreaterThan(0);
});

test("grpcTimeoutMs() takes what is not a timeout for none, as servers do", () => {
  for (const value of ["", "m", "5", "5s", "-5m", "5.0m", "123456789m", " 5m", "5 m"]) {
    expect(grpcTimeoutMs(call("grpc-timeout", value)), value).toBe(0);
  }
  expect(grpcTimeoutMs(headerBlock(START, ["grpc-timeout", "5m"]))).toBe(0); // not gRPC
});

test("withGrpcTimeout() says what is left, exactly where 8 digits can", () => {
  const left = (ms: number) => withGrpcTimeout(call("grpc-timeout", "10S", "x", "grpc-timeout"), ms).fields;
  expect(left(12.3456)).toEqual(["content-type", "application/grpc", "x", "grpc-timeout", "grpc-timeout", "12345u"]);
  expect(left(200_000).at(-1)).toBe("200000m");
  expect(left(1e9).at(-1)).toBe("1000000S");
  expect(left(0.0001).at(-1)).toBe("1u");
  expect(withGrpcTimeout(call("x", "grpc-timeout"), 5).fields.slice(-2)).toEqual(["grpc-timeout", "5000u"]);
});
