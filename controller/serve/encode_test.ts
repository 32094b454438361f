import { expect, test } from "bun:test";
import { fromBinary, toBinary } from "@bufbuild/protobuf";
import { SubscribeResponseSchema } from "../../proto/gen/tulle/discovery/v1/discovery_pb.ts";
import type { OutboundTarget } from "../core/snapshot.ts";
import { encodeOutbound, responseOf } from "./encode.ts";

const TARGET: OutboundTarget = {
  known: true,
  parent: { group: "core", kind: "Service", namespace: "shop", name: "web", section: "80" },
  authority: "web.shop.svc.cluster.local:80",
  port: 80,
  protocol: "http1",
  routes: [],
  streamRoutes: [],
  egress: null,
  backends: [],
};

test("responseOf() gives the same bytes with a resource that is a message and one that is encoded already", () => {
  const encoded = encodeOutbound(TARGET);
  const [quick = null, plain = null] = [true, false].map((isBinary) =>
    toBinary(SubscribeResponseSchema, responseOf("outbound/web:80", encoded, isBinary))
  );
  expect(quick).toEqual(plain);
  const read = fromBinary(SubscribeResponseSchema, quick ?? new Uint8Array());
  expect([read.version, read.resource.case]).toEqual([encoded.version, "outbound"]);
});

test("encodeOutbound() encodes an object once, and equal ones to equal versions", () => {
  expect(encodeOutbound(TARGET)).toBe(encodeOutbound(TARGET));
  expect(encodeOutbound({ ...TARGET }).version).toBe(encodeOutbound(TARGET).version);
});
