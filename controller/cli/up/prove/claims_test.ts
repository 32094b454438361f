import { expect, test } from "bun:test";
import { parseClaims } from "./claims.ts";

const claim = (fields: object) => ({ claims: [{ claim: "it is so", ...fields }] });

test("parseClaims() reads each kind of check", () => {
  const [refused] = parseClaims(
    claim({ refused: { from: "a/b-0", tcp: "redis:6379", send: "PING" }, needs: "a/r-0" }),
    "f",
  );
  expect(refused).toEqual({
    text: "it is so",
    needs: "a/r-0",
    check: {
      kind: "refused",
      from: "a/b-0",
      request: { kind: "tcp", host: "redis", port: 6379, send: "PING" },
      countedBy: null,
    },
  });
  const [success] = parseClaims(claim({ success: { of: "a/load" } }), "f");
  expect(success?.check).toEqual({ kind: "success", of: "a/load", atLeastPercent: null });
});

test.each<[object, string]>([
  [{}, "f.claims: found nothing, want a list of 1–100 claims"],
  [{ claims: [{ claim: "x" }] }, "f: claims[0]: found claim, want one of the keys wire, refused"],
  [claim({ share: { of: ["a"], than: "b", atMostPercent: 101 } }), "f: claims[0].share.atMostPercent: found 101"],
  [
    claim({ refused: { from: "a", tcp: "redis", send: "x" } }),
    'f: claims[0].refused.tcp: found "redis", want host:port',
  ],
  [claim({ wire: { markers: [1] } }), "f: claims[0].wire.markers: found [1], want a list of texts"],
  [claim({ answered: { from: "a", contains: [] } }), "want one of the keys http, grpc, tcp"],
])("parseClaims() refuses %j and says where", (value, reason) => {
  expect(() => parseClaims(value, "f")).toThrow(reason);
});
