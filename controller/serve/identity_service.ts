/** IdentityService: certificates for tokens, and the trust bundle as it changes. */
import { create, toBinary } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { Code, ConnectError, type HandlerContext, type ServiceImpl } from "@connectrpc/connect";
import {
  type CertifyRequest,
  type CertifyResponse,
  CertifyResponseSchema,
  IdentityService,
  type TrustBundle,
  TrustBundleSchema,
  type WatchTrustRequest,
  WatchTrustRequestSchema,
  type WatchTrustResponse,
  WatchTrustResponseSchema,
} from "../../proto/gen/tulle/identity/v1/identity_pb.ts";
import type { Logger } from "../../src/base/log.ts";
import type { Authority, Bundle, Refusal } from "../core/issuing.ts";
import type { ServeMetrics } from "./metrics.ts";
import { CALLER, REFUSED } from "./peer.ts";
import { Shares } from "./_shares.ts";
import { type CallContext, frameOf, type StreamMethod } from "./stream_call.ts";
import { WaitingRoom } from "./waiting_room.ts";

/** Most watchers of the bundle, shared by callers: they need no certificate, so this is what strangers can make us keep. */
const MAX_TRUST_STREAMS = 10_000;
/** Largest message of a caller, bytes: a token and a certificate request as large as are taken (`issuer/`), and room. */
const MAX_MESSAGE_BYTES = 32 * 1024;
/**
 * Who asks for a certificate waits: each takes some milliseconds, and the API server a look at the token. Nodes with all
 * their pods start at once, but more would wait for longer than proxies do (10 s, at some 300 a second).
 */
const CERTIFYING = { atOnce: 8, most: 2048, maxBytes: MAX_MESSAGE_BYTES, readMs: 10_000 };

const CODES: Readonly<Record<Refusal["code"], Code>> = {
  unauthenticated: Code.Unauthenticated,
  invalid_argument: Code.InvalidArgument,
  permission_denied: Code.PermissionDenied,
  unavailable: Code.Unavailable,
};

export class IdentityHandler implements ServiceImpl<typeof IdentityService> {
  /** Where those wait that ask for certificates. */
  readonly certifying = new WaitingRoom(CERTIFYING);
  /** The trust bundle to who watches it, as frames. */
  readonly frames: StreamMethod<typeof WatchTrustRequestSchema> = {
    method: IdentityService.method.watchTrust,
    input: WatchTrustRequestSchema,
    maxBytes: MAX_MESSAGE_BYTES,
    run: (requests, { signal }) =>
      this.#watch(signal, (answer) => frameOf(toBinary(WatchTrustResponseSchema, answer)), requests),
  };
  readonly #authority: Authority;
  readonly #metrics: ServeMetrics;
  readonly #log: Logger;
  readonly #closing = new AbortController();
  readonly #watchers = new Shares(MAX_TRUST_STREAMS);
  /** Streams that are told of the bundle. */
  #open = 0;

  constructor(authority: Authority, metrics: ServeMetrics, log: Logger) {
    this.#authority = authority;
    this.#metrics = metrics;
    this.#log = log;
  }

  /**
   * Judges a call before anything of its body is read, and takes the place of a watcher until its call ends: strangers may
   * ask. Calls of other services pass. @throws ConnectError when the caller has its share
   */
  admit({ method, values, signal }: CallContext): void {
    if (method === IdentityService.method.certify && values.get(REFUSED)) {
      this.#metrics.certify.add({ result: "resource_exhausted" });
      throw new ConnectError("too many requests of this caller wait: try again later", Code.ResourceExhausted);
    }
    if (method !== IdentityService.method.watchTrust) return;
    const caller = values.get(CALLER);
    if (signal.aborted || !this.#watchers.enter(caller)) {
      throw new ConnectError(
        `found ${this.#watchers.used} watchers, and this caller's share of ${MAX_TRUST_STREAMS} used up: use another replica`,
        Code.Unavailable,
      );
    }
    signal.addEventListener("abort", () => this.#watchers.leave(caller));
  }

  async certify(request: CertifyRequest): Promise<CertifyResponse> {
    const answer = await this.#authority.certify(request.token, request.certificateSigningRequest);
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

  watchTrust(_request: WatchTrustRequest, { signal }: HandlerContext): AsyncIterable<WatchTrustResponse> {
    return this.#watch(signal, (answer) => answer, null);
  }

  /** @param requests of which the first is waited for; null when it is there */
  async *#watch<T>(
    ended: AbortSignal,
    form: (answer: WatchTrustResponse) => T,
    requests: AsyncIterator<WatchTrustRequest> | null,
  ): AsyncGenerator<T> {
    if ((await requests?.next())?.done === true) {
      throw new ConnectError("found no message, want one", Code.InvalidArgument);
    }
    const signal = AbortSignal.any([ended, this.#closing.signal]);
    let wake: (() => void) | null = null;
    const onEvent = () => wake?.();
    const unsubscribe = this.#authority.onBundle(onEvent);
    signal.addEventListener("abort", onEvent);
    this.#metrics.trustStreams.set(++this.#open);
    try {
      let sent = -1;
      while (!signal.aborted) {
        const { bundle } = this.#authority;
        if (bundle.version !== sent) {
          sent = bundle.version;
          yield form(create(WatchTrustResponseSchema, { trustBundle: encodeBundle(bundle) }));
          continue; // it may have changed while the consumer was slow
        }
        await new Promise<void>((resolve) => wake = resolve);
      }
      if (this.#closing.signal.aborted) {
        throw new ConnectError("the controller is shutting down: reconnect", Code.Unavailable);
      }
    } finally {
      this.#metrics.trustStreams.set(--this.#open);
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
