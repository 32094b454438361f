/** DiscoveryService: one stream per proxy. */
import { Code, ConnectError, type HandlerContext, type ServiceImpl } from "@connectrpc/connect";
import {
  DiscoveryService,
  type Hello,
  type SubscribeRequest,
  SubscribeRequestSchema,
  type SubscribeResponse,
} from "../../proto/gen/tulle/discovery/v1/discovery_pb.ts";
import { errorText } from "../../src/base/error.ts";
import type { Logger } from "../../src/base/log.ts";
import type { DirectorySource } from "../core/directory.ts";
import type { ServeMetrics } from "./metrics.ts";
import { Shares } from "./_shares.ts";
import { Audience } from "./audience.ts";
import { frameOfPush, responseOf } from "./encode.ts";
import { CALLER, CUT, PEER } from "./peer.ts";
import { ProxySession, type Push } from "./session.ts";
import type { CallContext, StreamMethod } from "./stream_call.ts";

/** Largest message of a proxy, bytes: a hello with MAX_TARGETS known versions has about 400 KB. */
const MAX_MESSAGE_BYTES = 1024 * 1024;
/** Most streams: a proxy with its connection costs 110–145 KB (measured), so that these take more than a gigabyte. */
export const MAX_STREAMS = 10_000;
/** Most streams of one workload: its proxy has one, and another while it is exchanged, or its last connection is not known to be dead. */
const MAX_STREAMS_PER_WORKLOAD = 8;
/** How long a stream that is to end may take to take what waits for it, milliseconds. */
const CUT_AFTER_MS = 5_000;
/** Most streams that have not said hello yet, shared by callers. */
const MAX_OPENING = 4096;
/** How long a caller may take to say who it is, milliseconds. */
const HELLO_TIMEOUT_MS = 10_000;
/** After this long, ±10 %, a stream ends and is opened again: a certificate that has expired meanwhile is not carried on, and replicas share the load anew. */
const MAX_AGE_MS = 3_600_000;

export interface DiscoveryOptions {
  readonly source: DirectorySource;
  readonly metrics: ServeMetrics;
  readonly log: Logger;
  readonly now: () => number;
  /** Uniform in [0, 1). */
  readonly random: () => number;
}

export class DiscoveryHandler implements ServiceImpl<typeof DiscoveryService> {
  /** What proxies are sent, as frames. */
  readonly frames: StreamMethod<typeof SubscribeRequestSchema> = {
    method: DiscoveryService.method.subscribe,
    input: SubscribeRequestSchema,
    maxBytes: MAX_MESSAGE_BYTES,
    run: (requests, context) => this.#run(requests, context, frameOfPush),
  };
  /** Open streams, for /config. */
  readonly sessions = new Set<ProxySession>();
  readonly #options: DiscoveryOptions;
  readonly #audience: Audience;
  readonly #opening = new Shares(MAX_OPENING);
  /** By namespace/name: streams, the oldest first, with what ends each when it does not end by itself. */
  readonly #byWorkload = new Map<string, Map<ProxySession, () => void>>();
  #closing = false;

  constructor(options: DiscoveryOptions) {
    this.#options = options;
    this.#audience = new Audience(options.source);
  }

  subscribe(requests: AsyncIterable<SubscribeRequest>, context: HandlerContext): AsyncIterable<SubscribeResponse> {
    const isBinary = context.requestHeader.get("content-type")?.includes("json") !== true;
    return this.#run(requests, context, (push) => responseOf(push.name, push, isBinary));
  }

  async *#run<T>(
    requests: AsyncIterable<SubscribeRequest>,
    context: CallContext,
    form: (push: Push) => T,
  ): AsyncGenerator<T> {
    const { metrics } = this.#options;
    const iterator = requests[Symbol.asyncIterator]();
    let session: ProxySession | null = null;
    let ageTimer: ReturnType<typeof setTimeout> | null = null;
    const onAbort = () => session?.end(null);
    try {
      session = await this.#open(iterator, context);
      context.signal.addEventListener("abort", onAbort);
      if (context.signal.aborted) session.end(null);
      this.#enter(session, context.values.get(CUT));
      const aged = session;
      const age = MAX_AGE_MS * (0.9 + 0.2 * this.#options.random());
      ageTimer = setTimeout(() => aged.end(unavailable("the stream has reached its maximum age: reconnect")), age);
      void read(iterator, session);
      for (let push = await session.next(); push !== null; push = await session.next()) {
        yield form(push);
      }
    } catch (error) {
      const refusal = ConnectError.from(error);
      metrics.streamsRefused.add({ code: Code[refusal.code] });
      throw refusal;
    } finally {
      context.signal.removeEventListener("abort", onAbort);
      if (ageTimer !== null) clearTimeout(ageTimer);
      if (session !== null) {
        session.end(null);
        this.#leave(session);
      }
    }
  }

  /** Ends every stream with UNAVAILABLE, so that proxies look for another controller. */
  close(): void {
    this.#closing = true;
    for (const session of this.sessions) session.end(unavailable("the controller is shutting down: reconnect"));
  }

  /** Counts a stream. A workload that has too many loses its oldest: what is left of a proxy that is gone, or a flood of one that is not. */
  #enter(session: ProxySession, cut: () => void): void {
    const key = keyOf(session);
    let own = this.#byWorkload.get(key);
    if (own === undefined) this.#byWorkload.set(key, own = new Map());
    const [oldest] = own;
    if (own.size >= MAX_STREAMS_PER_WORKLOAD && oldest !== undefined) {
      const [, cutOldest] = oldest;
      own.delete(oldest[0]);
      setTimeout(cutOldest, CUT_AFTER_MS).unref();
      oldest[0].end(
        unavailable(`found more than ${MAX_STREAMS_PER_WORKLOAD} streams of ${key}, want one for each proxy`),
      );
    }
    own.set(session, cut);
    this.sessions.add(session);
    this.#options.metrics.streams.set(this.sessions.size);
  }

  #leave(session: ProxySession): void {
    const key = keyOf(session);
    const own = this.#byWorkload.get(key);
    own?.delete(session);
    if (own?.size === 0) this.#byWorkload.delete(key);
    this.sessions.delete(session);
    this.#options.metrics.streams.set(this.sessions.size);
  }

  async #open(iterator: AsyncIterator<SubscribeRequest>, context: CallContext): Promise<ProxySession> {
    const { source, metrics, log, now } = this.#options;
    const peer = context.values.get(PEER);
    if (peer.kind === "none") throw new ConnectError(peer.reason, Code.Unauthenticated);
    if (this.#closing) throw unavailable("the controller is shutting down: reconnect");
    if (this.sessions.size >= MAX_STREAMS) {
      throw unavailable(`found ${MAX_STREAMS} streams, want no more here: use another replica of the controller`);
    }
    const caller = context.values.get(CALLER);
    if (!this.#opening.enter(caller)) throw unavailable("too many streams of this caller have not said hello");
    const hello = await readHello(iterator).finally(() => this.#opening.leave(caller));
    const { namespace, name } = hello.workload ?? { namespace: "", name: "" };
    return new ProxySession({
      workload: { namespace, name },
      identity: peer.spiffeId,
      proxyVersion: hello.proxyVersion,
      known: new Map(Object.entries(hello.knownVersions)),
      source,
      audience: this.#audience,
      metrics,
      now,
      onRefusal: (session, resource, version, reason) => {
        const proxy = `${session.workload.namespace}/${session.workload.name}`;
        log.warn("a proxy refused a snapshot; its previous one stays in force", { proxy, resource, version, reason });
      },
    });
  }
}

function keyOf({ workload }: ProxySession): string {
  return `${workload.namespace}/${workload.name}`;
}

async function readHello(iterator: AsyncIterator<SubscribeRequest>): Promise<Hello> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<never>((_, reject) => {
    const error = new ConnectError(`found no hello within ${HELLO_TIMEOUT_MS} ms`, Code.DeadlineExceeded);
    timer = setTimeout(() => reject(error), HELLO_TIMEOUT_MS);
  });
  try {
    const { value, done } = await Promise.race([iterator.next(), late]);
    if (done === true || value.kind.case !== "hello") {
      const found = done === true ? "the end of the stream" : value.kind.case ?? "nothing";
      throw new ConnectError(`found ${found}, want hello as the first message`, Code.InvalidArgument);
    }
    return value.kind.value;
  } finally {
    clearTimeout(timer);
  }
}

/** Takes the proxy's messages until it has no more or the stream fails. */
async function read(iterator: AsyncIterator<SubscribeRequest>, session: ProxySession): Promise<void> {
  try {
    while (true) {
      const { value, done } = await iterator.next();
      if (done === true) return session.end(null);
      switch (value.kind.case) {
        case "watch":
          session.watch(value.kind.value.add, value.kind.value.remove);
          break;
        case "ack":
          session.ack(value.kind.value.name, value.kind.value.version, value.kind.value.error);
          break;
        case "hello":
          throw new ConnectError("found a second hello, want watch or ack", Code.InvalidArgument);
        default: // a newer proxy's message that this controller does not know
      }
    }
  } catch (error) {
    const own = error instanceof ConnectError &&
      (error.code === Code.InvalidArgument || error.code === Code.ResourceExhausted);
    session.end(own ? error : new ConnectError(errorText(error), Code.Canceled));
  }
}

function unavailable(detail: string): ConnectError {
  return new ConnectError(detail, Code.Unavailable);
}
