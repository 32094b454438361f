/** The port that API servers ask: HTTPS, whose certificate changes while it runs. */
import { createSecureServer, type Http2SecureServer } from "node:http2";
import { getRequestListener } from "@hono/node-server";
import { Hono } from "hono";
import { bodyLimit } from "hono/body-limit";
import { INJECT_PATH, VALIDATE_PATH } from "../core/cluster_names.ts";
import { Connections } from "./_connections.ts";
import { HANDSHAKE_TIMEOUT_MS, listeningPort, startListening } from "./_listen.ts";
import type { Admission, AdmissionRequest, AdmissionResponse } from "./admission.ts";

/** Largest review, bytes: objects are limited to 1.5 MiB by etcd, and an update carries two. */
const MAX_REVIEW_BYTES = 4 * 1024 * 1024;

/** The adapter would put its own Request and Response in place of Bun's, which Bun.serve does not take. */
const NO_GLOBALS = { overrideGlobalObjects: false };

export interface WebhookOptions {
  readonly host: string;
  readonly port: number;
  readonly identity: { readonly keyPem: string; readonly certificatePem: string };
  readonly admission: Admission;
}

interface AdmissionReview {
  readonly apiVersion?: string;
  readonly request?: AdmissionRequest;
}

export class WebhookServer {
  readonly #server: Http2SecureServer;
  readonly #connections: Connections;

  private constructor({ identity, admission }: WebhookOptions) {
    const app = new Hono();
    app.use(bodyLimit({ maxSize: MAX_REVIEW_BYTES }));
    const review = (answer: (request: AdmissionRequest) => AdmissionResponse | Promise<AdmissionResponse>) => {
      return async (context: { req: { json(): Promise<unknown> }; json(body: unknown, status?: 400): Response }) => {
        const { apiVersion, request } = await context.req.json() as AdmissionReview; // checked next
        if (request?.uid === undefined) return context.json({ error: "want an AdmissionReview with a request" }, 400);
        return context.json({ apiVersion, kind: "AdmissionReview", response: await answer(request) });
      };
    };
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
