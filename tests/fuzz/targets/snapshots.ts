import { SubscribeResponseSchema } from "../../../proto/gen/tulle/discovery/v1/discovery_pb.ts";
import { decodeSnapshot } from "../../../src/discovery/decode_snapshot.ts";
import { compileInbound } from "../../../src/proxy/policy/authorize.ts";
import { compileRoutes } from "../../../src/proxy/route/compile.ts";
import { pickBackend } from "../../../src/proxy/route/pick.ts";
import { requestHead } from "../../support/legs.ts";
import { holds, type Target } from "../target.ts";
import { messageBytes } from "./_messages.ts";

const REQUESTS = [requestHead("GET", "/a?b=c", ["x-a", "1"], "web.shop:80"), requestHead("POST", "/%41/../b", [], "")];
const CLIENTS = [{ ip: "10.0.0.9", identity: "spiffe://cluster.local/ns/shop/sa/web" }, {
  ip: "fd00::9",
  identity: null,
}];

export const target: Target = {
  about: "snapshots of the controller: refused with a reason that names the field, or fit to be compiled and asked",
  seeds: [""],
  dictionary: ["inbound", "outbound/", "spiffe://a/b", "\x08\x01", "\x12\x00", "10.0.0.0/8"],
  maxBytes: 1500,
  generate: (random) => messageBytes(SubscribeResponseSchema, random),
  run(input) {
    const snapshot = decodeSnapshot(input);
    if (!snapshot.ok) {
      return holds(snapshot.error.length > 0 && snapshot.error.length < 4_000, `the reason: ${snapshot.error}`);
    }
    if (snapshot.value.kind === "outbound") {
      const table = compileRoutes(snapshot.value.target.routes);
      for (const request of REQUESTS) {
        const rule = table.match(request);
        if (rule !== null) { for (const random of [0, 0.5, 0.999]) pickBackend(rule, random); }
      }
      return;
    }
    const view = compileInbound(snapshot.value.policy, compileRoutes);
    for (const port of [80, 8080, ...snapshot.value.policy.ports.keys()]) {
      for (const client of CLIENTS) {
        const policy = view.port(port).forClient(client);
        holds(policy.connection.reason !== "", "a verdict on a connection without a reason");
        for (const request of REQUESTS) {
          holds(policy.request(request).reason !== "", "a verdict on a request without a reason");
        }
      }
    }
  },
};
