import { CertifyResponseSchema, WatchTrustResponseSchema } from "../../../proto/gen/tulle/identity/v1/identity_pb.ts";
import { decodeCertify, decodeTrust, decodeUpdate } from "../../../src/discovery/messages.ts";
import { buildIdentity } from "../../../src/identity/identity.ts";
import { holds, type Target } from "../target.ts";
import { messageBytes } from "./_messages.ts";

export const target: Target = {
  about: "certificates and trust bundles from the controller: refused with a reason, never an exception",
  seeds: [""],
  maxBytes: 1500,
  generate: (random) => messageBytes(random.oneIn(2) ? CertifyResponseSchema : WatchTrustResponseSchema, random),
  run(input) {
    decodeUpdate(input);
    const trust = decodeTrust(input);
    if (!trust.ok) holds(trust.error.length > 0, "no reason");
    const reply = decodeCertify(input);
    if (!reply.ok) return holds(reply.error.length > 0, "no reason");
    const built = buildIdentity({ keyPem: "", publicKey: null, reply: reply.value }, 1);
    if (!built.ok) holds(built.error.length > 0, "no reason");
  },
};
