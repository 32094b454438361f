/** The port that API servers ask: HTTPS, whose certificate changes while it runs. */
import { createSecureServer, type Http2SecureServer } from "node:http2";
import { getRequestListener, type Http2Bindings, type HttpBindings } from "@hono/node-server";
import { type Context, Hono } from "hono";
import { INJECT_PATH, VALIDATE_PATH } from "../core/cluster_names.ts";
import { Connections } from "./_connections.ts";
import type { Counter, Registry } from "../core/metrics.ts";
import { HANDSHAKE_TIMEOUT_MS, listeningPort, startListening } from "./_listen.ts";
import { type ReviewLimits, Reviews } from "./_reviews.ts";
import type { Admission, AdmissionRequest, AdmissionResponse } from "./admission.ts";

/** Streams of one connection, as many as Go's servers have: a client that needs more makes another connection. */
const MAX_STREAMS_PER_CONNECTION = 250;
/**
 * When a review that was refused for want of room may come again, seconds. Kubernetes' clients do so while the webhook's
 * timeout lasts; then failurePolicy decides.
 */
const RETRY_AFTER_SECONDS = "1";

/** The adapter would put its own Request and Response in place of Bun's, which Bun.serve does not take. */
const NO_GLOBALS = { overrideGlobalObjects: false };

export interface WebhookOptions {
  readonly host: string;
  readonly port: number;
  readonly identity: { readonly keyPem: string; readonly certificatePem: string };
  readonly admission: Admission;
  readonly registry: Registry;
  /** Others than usual, for tests. */
  readonly limits?: ReviewLimits;
}

type Env = { Bindings: HttpBindings | Http2Bindings };
type Answer = (request: AdmissionRequest) => AdmissionResponse | Promise<AdmissionResponse>;

interface AdmissionReview {
  readonly apiVersion?: string;
  readonly request?: AdmissionRequest;
}

export class WebhookServer {
  readonly #server: Http2SecureServer;
  readonly #connections: Connections;

  private constructor({ identity, admission, registry, limits }: WebhookOptions) {
    const app = new Hono<Env>();
    const reviews = new Reviews(limits);
    const refused = registry.counter(
      "admission_reviews_refused_total",
      "Admission reviews that were not looked at, by reason.",
    );
    const review = (answer: Answer) => (context: Context<Env>) => serveReview(context, reviews, refused, answer);
    app.post(INJECT_PATH, review((request) => admission.inject(request)));
    app.post(VALIDATE_PATH, review((request) => admission.validate(request)));
    app.get("/live", (context) => context.text("live\n"));
    app.notFound((context) => context.text(`want POST ${INJECT_PATH} or ${VALIDATE_PATH}\n`, 404));
    app.onError((error, context) => context.text(`bad review: ${error.message}\n`, 400));
    const settings = {
      key: identity.keyPem,
      cert: identity.certificatePem,
      allowHTTP1: true,
      minVersion: "TLSv1.3" as const,
      handshakeTimeout: HANDSHAKE_TIMEOUT_MS,
      settings: { maxConcurrentStreams: MAX_STREAMS_PER_CONNECTION },
    };
    this.#server = createSecureServer(settings, getRequestListener(app.fetch, NO_GLOBALS));
    this.#connections = new Connections(this.#server);
  }

  /** Starts listening. @throws Error of the socket, with its code */
  static async listen(options: WebhookOptions): Promise<WebhookServer> {
    const webhook = new WebhookServer(options);
    await startListening(webhook.#server, options.port, options.host);
    return webhook;
  }

  get port(): number {
    return listeningPort(this.#server);
  }

  /** New connections see the new certificate. */
  setIdentity({ keyPem, certificatePem }: WebhookOptions["identity"]): void {
    this.#server.setSecureContext({ key: keyPem, cert: certificatePem });
  }

  /** Stops accepting; a review that is under way is answered, since a pod whose review is cut off gets no sidecar. */
  async close(graceMs: number): Promise<void> {
    await this.#connections.end(graceMs);
  }
}

/** Answers a review, or says why not; an API server takes any status but 200 as a webhook that failed. */
async function serveReview(
  context: Context<Env>,
  reviews: Reviews,
  refused: Counter,
  answer: Answer,
): Promise<Response> {
  const { incoming, outgoing } = context.env;
  const run = await reviews.run(addressOf(incoming), incoming, async (text) => {
    const { apiVersion, request } = JSON.parse(text) as AdmissionReview; // checked next
    if (request?.uid === undefined) return context.json({ error: "want an AdmissionReview with a request" }, 400);
    return context.json({ apiVersion, kind: "AdmissionReview", response: await answer(request) });
  });
  if (run.kind === "answer") return run.answer;
  refused.add({ reason: run.kind });
  outgoing.once("finish", () => incoming.destroy()); // the rest of it is not read
  const retry = run.kind === "busy" ? { "retry-after": RETRY_AFTER_SECONDS } : {};
  return context.text(`${REFUSED[run.kind]}\n`, run.status, retry);
}

const REFUSED = {
  busy: "busy: too many reviews of this address, or bytes of them, are under way; try again",
  too_large: "too_large: the review is larger than any object of Kubernetes",
  late: "late: the review did not arrive in time",
} as const;

function addressOf(incoming: HttpBindings["incoming"] | Http2Bindings["incoming"]): string {
  const socket = "stream" in incoming ? incoming.stream.session?.socket : incoming.socket;
  return socket?.remoteAddress ?? "";
}
