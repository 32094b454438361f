/** IdentityService: certificates for tokens, and the trust bundle as it changes. */
import { create } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { Code, ConnectError, type HandlerContext, type ServiceImpl } from "@connectrpc/connect";
import {
  type CertifyRequest,
  type CertifyResponse,
  CertifyResponseSchema,
  type IdentityService,
  type TrustBundle,
  TrustBundleSchema,
  type WatchTrustRequest,
  type WatchTrustResponse,
  WatchTrustResponseSchema,
} from "../../proto/gen/tulle/identity/v1/identity_pb.ts";
import type { Logger } from "../../src/base/log.ts";
import type { Authority, Bundle, Refusal } from "../core/issuing.ts";
import type { ServeMetrics } from "./metrics.ts";
import { CALLER } from "./peer.ts";
import { Shares } from "./_shares.ts";
import { Turns } from "./_turns.ts";

/** Most watchers of the bundle, shared by callers: they need no certificate, so this is what strangers can make us keep. */
const MAX_TRUST_STREAMS = 10_000;
/** Certificates that are made at a time: each takes some milliseconds, and the API server a look at the token. */
const MAX_CERTIFYING = 8;
/** Requests for certificates that may wait, shared by callers: nodes with all their pods start at once. */
const MAX_CERTIFY_WAITING = 8192;

const CODES: Readonly<Record<Refusal["code"], Code>> = {
  unauthenticated: Code.Unauthenticated,
  invalid_argument: Code.InvalidArgument,
  permission_denied: Code.PermissionDenied,
  unavailable: Code.Unavailable,
};

export class IdentityHandler implements ServiceImpl<typeof IdentityService> {
  readonly #authority: Authority;
  readonly #metrics: ServeMetrics;
  readonly #log: Logger;
  readonly #closing = new AbortController();
  readonly #watchers = new Shares(MAX_TRUST_STREAMS);
  readonly #certifying = new Turns(MAX_CERTIFYING, MAX_CERTIFY_WAITING);

  constructor(authority: Authority, metrics: ServeMetrics, log: Logger) {
    this.#authority = authority;
    this.#metrics = metrics;
    this.#log = log;
  }

  async certify(request: CertifyRequest, context: HandlerContext): Promise<CertifyResponse> {
    const answer = await this.#certifying.run(context.values.get(CALLER), () => {
      context.signal.throwIfAborted(); // nobody waits for it any more
      return this.#authority.certify(request.token, request.certificateSigningRequest);
    });
    if (answer === null) {
      this.#metrics.certify.add({ result: "resource_exhausted" });
      throw new ConnectError("too many requests of this caller wait: try again later", Code.ResourceExhausted);
    }
    if ("code" in answer) {
      this.#metrics.certify.add({ result: answer.code });
      this.#log.warn("refused to certify", { code: answer.code, reason: answer.detail });
      throw new ConnectError(answer.detail, CODES[answer.code]);
    }
    this.#metrics.certify.add({ result: "issued" });
    return create(CertifyResponseSchema, {
      certificateChain: [...answer.chain],
      spiffeId: answer.spiffeId,
      notBefore: timestampFromMs(answer.notBeforeMs),
      notAfter: timestampFromMs(answer.notAfterMs),
      trustBundle: encodeBundle(this.#authority.bundle),
    });
  }

  async *watchTrust(_request: WatchTrustRequest, context: HandlerContext): AsyncGenerator<WatchTrustResponse> {
    const caller = context.values.get(CALLER);
    if (!this.#watchers.enter(caller)) {
      throw new ConnectError(
        `found ${this.#watchers.used} watchers, and this caller's share of ${MAX_TRUST_STREAMS} used up: use another replica`,
        Code.Unavailable,
      );
    }
    const signal = AbortSignal.any([context.signal, this.#closing.signal]);
    let wake: (() => void) | null = null;
    const onEvent = () => wake?.();
    const unsubscribe = this.#authority.onBundle(onEvent);
    signal.addEventListener("abort", onEvent);
    this.#metrics.trustStreams.set(this.#watchers.used);
    try {
      let sent = -1;
      while (!signal.aborted) {
        const { bundle } = this.#authority;
        if (bundle.version !== sent) {
          sent = bundle.version;
          yield create(WatchTrustResponseSchema, { trustBundle: encodeBundle(bundle) });
          continue; // it may have changed while the consumer was slow
        }
        await new Promise<void>((resolve) => wake = resolve);
      }
      if (this.#closing.signal.aborted) {
        throw new ConnectError("the controller is shutting down: reconnect", Code.Unavailable);
      }
    } finally {
      this.#watchers.leave(caller);
      this.#metrics.trustStreams.set(this.#watchers.used);
      unsubscribe();
      signal.removeEventListener("abort", onEvent);
    }
  }

  /** Ends every stream with UNAVAILABLE. */
  close(): void {
    this.#closing.abort();
  }
}

function encodeBundle(bundle: Bundle): TrustBundle {
  return create(TrustBundleSchema, {
    trustDomain: bundle.trustDomain,
    roots: [...bundle.roots],
    version: BigInt(bundle.version),
  });
}
