import { create, type MessageInitShape, toBinary } from "@bufbuild/protobuf";
import { expect, test } from "bun:test";
import { RateLimitSchema } from "../../proto/gen/tulle/discovery/v1/discovery_pb.ts";
import type { RateLimit } from "../model/rate_limit.ts";
import type { Result } from "../base/result.ts";
import { ProtoReader } from "../wire/protobuf/reader.ts";
import { Check } from "./check.ts";
import { readRateLimit } from "./decode_rate_limit.ts";

function decode(init: MessageInitShape<typeof RateLimitSchema>): Result<RateLimit> {
  const [reader, check] = [new ProtoReader(toBinary(RateLimitSchema, create(RateLimitSchema, init))), new Check()];
  return check.result(readRateLimit(reader, "limit", check), reader, "limit");
}

const rate = { requestsPerSecond: 3, burst: 4 };

test("readRateLimit() reads every field", () => {
  const identities = ["spiffe://td/ns/a/sa/b"];
  const init = {
    total: rate,
    identity: rate,
    overrides: [{ rate, identities }],
    header: { name: "X-Tenant", rate },
  };
  expect(decode(init)).toMatchObject({
    ok: true,
    value: { total: rate, identity: rate, overrides: [{ rate, identities }], header: { name: "x-tenant", rate } },
  });
});

test.each([
  [{ total: { requestsPerSecond: 0, burst: 1 } }, "limit.total.requests_per_second: found 0"],
  [{ total: { requestsPerSecond: 1, burst: 0 } }, "limit.total.burst: found 0"],
  [{ header: { name: "a b", rate } }, 'limit.header.name: found "a b"'],
  [{ header: { name: "a" } }, "limit.header.rate: found nothing"],
  [{ overrides: [{ rate, identities: ["me"] }] }, 'limit.overrides[0].identities[0]: found "me"'],
])("%p is refused", (init, error) => {
  expect(decode(init)).toMatchObject({ ok: false, error: expect.stringContaining(error) });
});
