import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { expect, test } from "bun:test";
import { SubscribeRequestSchema, SubscribeResponseSchema } from "../../proto/gen/tulle/discovery/v1/discovery_pb.ts";
import {
  CertifyRequestSchema,
  CertifyResponseSchema,
  WatchTrustResponseSchema,
} from "../../proto/gen/tulle/identity/v1/identity_pb.ts";
import {
  decodeCertify,
  decodeTrust,
  decodeUpdate,
  encodeAck,
  encodeCertify,
  encodeHello,
  encodeWatch,
} from "./messages.ts";

test("encodeHello(), encodeWatch() and encodeAck() write SubscribeRequests", () => {
  const knownVersions = new Map([["inbound", "1"], ["outbound/a:1", "2"]]);
  const requests = [
    encodeHello({ namespace: "shop", name: "web-0", proxyVersion: "0.1.0", knownVersions }),
    encodeWatch(["a:1", "b:2"], ["c:3"]),
    encodeAck("inbound", "1", "bad"),
  ].map((bytes) => fromBinary(SubscribeRequestSchema, bytes).kind);
  expect(requests).toMatchObject([
    {
      case: "hello",
      value: {
        workload: { namespace: "shop", name: "web-0" },
        proxyVersion: "0.1.0",
        knownVersions: { inbound: "1", "outbound/a:1": "2" },
      },
    },
    { case: "watch", value: { add: ["a:1", "b:2"], remove: ["c:3"] } },
    { case: "ack", value: { name: "inbound", version: "1", error: "bad" } },
  ]);
});

test("decodeUpdate() leaves the resource encoded, and knows when it is neither", () => {
  const response = create(SubscribeResponseSchema, {
    name: "outbound/a:1",
    version: "7",
    resource: { case: "outbound", value: { port: 80 } },
  });
  const update = decodeUpdate(toBinary(SubscribeResponseSchema, response));
  expect([update?.name, update?.version, update?.kind, [...update?.body ?? []]]).toEqual([
    "outbound/a:1",
    "7",
    "outbound",
    [32, 80],
  ]);
  expect(decodeUpdate(toBinary(SubscribeResponseSchema, create(SubscribeResponseSchema, { name: "x" })))?.kind).toBe(
    "unknown",
  );
  expect(decodeUpdate(Uint8Array.of(10, 9))).toBeNull();
});

test("encodeCertify(), decodeCertify() and decodeTrust() speak tulle.identity.v1", () => {
  const request = fromBinary(CertifyRequestSchema, encodeCertify("token", Uint8Array.of(1, 2)));
  expect([request.token, [...request.certificateSigningRequest]]).toEqual(["token", [1, 2]]);
  const trustBundle = { trustDomain: "td", roots: [Uint8Array.of(3), Uint8Array.of(4)], version: 1_700_000_000_000n };
  const reply = decodeCertify(toBinary(
    CertifyResponseSchema,
    create(CertifyResponseSchema, {
      certificateChain: [Uint8Array.of(1), Uint8Array.of(2)],
      spiffeId: "spiffe://td/x",
      notBefore: timestampFromMs(1000),
      notAfter: timestampFromMs(2500),
      trustBundle,
    }),
  ));
  const bundle = { trustDomain: "td", roots: [Uint8Array.of(3), Uint8Array.of(4)], version: 1_700_000_000_000 };
  expect(reply).toEqual({
    ok: true,
    value: {
      chain: [Uint8Array.of(1), Uint8Array.of(2)],
      spiffeId: "spiffe://td/x",
      notBeforeMs: 1000,
      notAfterMs: 2500,
      bundle,
    },
  });
  const watch = toBinary(WatchTrustResponseSchema, create(WatchTrustResponseSchema, { trustBundle }));
  expect(decodeTrust(watch)).toEqual({ ok: true, value: bundle });
  expect(decodeTrust(Uint8Array.of(10, 99)).ok).toBe(false);
});
