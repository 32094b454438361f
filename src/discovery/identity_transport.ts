/** The identity service as `identity` wants it. */
import type { IdentityTransport } from "../model/trust.ts";
import { decodeCertify, decodeTrust, encodeCertify } from "./messages.ts";
import type { ControllerClient } from "./rpc/client.ts";
import { rpcErrorText } from "./rpc/error.ts";

/** A controller under load signs some 300 requests a second; beyond this another try is better. */
const CERTIFY_TIMEOUT_MS = 10_000;

/** Makes Certify and WatchTrust from a client. */
export function identityTransport(client: ControllerClient): IdentityTransport {
  return {
    async certify(token, csr) {
      const body = encodeCertify(token, csr);
      const reply = await client.unary("/tulle.identity.v1.IdentityService/Certify", body, CERTIFY_TIMEOUT_MS);
      return reply.ok ? decodeCertify(reply.value) : reply;
    },
    watchTrust(sink) {
      const call = client.stream("/tulle.identity.v1.IdentityService/WatchTrust", {
        onMessage(message) {
          const bundle = decodeTrust(message);
          if (bundle.ok) sink.onBundle(bundle.value);
        },
        onEnd: (error) => sink.onEnd(error === null ? "" : rpcErrorText(error)),
      });
      if (call === null) {
        queueMicrotask(() => sink.onEnd("unavailable: no certificate yet"));
        return () => {};
      }
      call.send(new Uint8Array(0)); // WatchTrustRequest has no fields
      call.finishSending();
      return () => call.cancel();
    },
  };
}
