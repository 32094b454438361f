/**
 * A controller whose every answer the test decides: the real services over the generated code and another HTTP/2
 * implementation (node:http2), so that the proxy's hand-written client is held against something foreign.
 *
 *     await using controller = await ScriptedController.start();
 *     controller.setInbound({ … });
 *     controller.setOutbound("10.96.0.1:80", { known: true, … });
 */
import "reflect-metadata";
import { create, type MessageInitShape, toBinary } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { Code, ConnectError, type ConnectRouter, createContextKey, createContextValues } from "@connectrpc/connect";
import { connectNodeAdapter } from "@connectrpc/connect-node";
import {
  ExtendedKeyUsage,
  ExtendedKeyUsageExtension,
  Pkcs10CertificateRequest,
  SubjectAlternativeNameExtension,
  X509Certificate,
  X509CertificateGenerator,
} from "@peculiar/x509";
import { createHash } from "node:crypto";
import { createSecureServer, type Http2SecureServer, type ServerHttp2Session } from "node:http2";
import type { TLSSocket } from "node:tls";
import {
  type Ack,
  DiscoveryService,
  type Hello,
  InboundWorkloadSchema,
  OutboundTargetSchema,
  type SubscribeRequest,
  SubscribeResponseSchema,
} from "../../proto/gen/tulle/discovery/v1/discovery_pb.ts";
import { IdentityService } from "../../proto/gen/tulle/identity/v1/identity_pb.ts";
import { createCa, type TestCa } from "./certificates.ts";

const ALGORITHM = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" } as const;
const PEER = createContextKey("", { description: "serial of the client's certificate, empty without one" });

type Response = MessageInitShape<typeof SubscribeResponseSchema>;

/** A proxy's stream, as the controller sees it. */
export interface Subscriber {
  hello: Hello | null;
  readonly watched: Set<string>;
  readonly acks: Ack[];
  /** Serial of its certificate. */
  readonly peer: string;
  send(response: Response): void;
  /** Ends the stream. */
  fail(code: Code, message: string): void;
}

export class ScriptedController {
  readonly ca: TestCa;
  /** Roots that are given out, PEM; the first is the one that signs. */
  roots: string[];
  trustVersion = 1n;
  leafLifetimeMs = 3_600_000;
  spiffeId = "spiffe://cluster.local/ns/shop/sa/front";
  token = "secret";
  port = 0;
  readonly subscribers: Subscriber[] = [];
  /** Every stream there ever was. */
  streams = 0;
  certified = 0;
  /** Sends what a subscriber has in its known versions too. */
  ignoreKnown = false;
  readonly #resources = new Map<string, Response>();
  readonly #trustWatchers = new Set<() => void>();
  readonly #sessions = new Set<ServerHttp2Session>();
  #server: Http2SecureServer | null = null;

  private constructor(ca: TestCa) {
    this.ca = ca;
    this.roots = [ca.certificate];
  }

  static async start(): Promise<ScriptedController> {
    const controller = new ScriptedController(await createCa("scripted controller"));
    await controller.listen();
    return controller;
  }

  /** Listens on the port it had before, or on a free one. */
  async listen(uri = "spiffe://cluster.local/ns/tulle/sa/controller"): Promise<void> {
    const leaf = await this.ca.issue({ uris: [uri], dnsNames: ["mesh.tulle.dev"] });
    const tls = {
      key: leaf.key,
      cert: leaf.certificate,
      ca: this.ca.certificate,
      requestCert: true,
      rejectUnauthorized: false,
    };
    const handler = connectNodeAdapter({
      routes: (router) => this.#routes(router),
      contextValues: (request) => {
        const socket = request.socket as TLSSocket; // a secure server has no other
        return createContextValues().set(PEER, socket.authorized ? socket.getPeerCertificate().serialNumber ?? "" : "");
      },
    });
    const server = createSecureServer(tls, handler);
    server.on("session", (session) => {
      this.#sessions.add(session);
      session.on("close", () => this.#sessions.delete(session));
      session.on("error", () => {});
    });
    await new Promise<void>((resolve) => server.listen(this.port, "127.0.0.1", resolve));
    const address = server.address();
    this.port = typeof address === "object" && address !== null ? address.port : 0;
    this.#server = server;
  }

  /** Cuts all connections and stops listening, as a process that dies does. */
  async kill(): Promise<void> {
    const server = this.#server;
    this.#server = null;
    for (const session of this.#sessions) session.destroy();
    this.subscribers.length = 0;
    if (server !== null) await new Promise<void>((resolve) => server.close(() => resolve()));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.kill();
  }

  /** Says a polite goodbye on every connection. */
  goAway(): void {
    for (const session of this.#sessions) session.goaway();
  }

  /** Sets the inbound policy and sends it to all. */
  setInbound(value: MessageInitShape<typeof InboundWorkloadSchema>): string {
    const version = versionOf(toBinary(InboundWorkloadSchema, create(InboundWorkloadSchema, value)));
    return this.#set({ name: "inbound", version, resource: { case: "inbound", value } });
  }

  /** Sets a destination and sends it to those who watch it. */
  setOutbound(key: string, value: MessageInitShape<typeof OutboundTargetSchema>): string {
    const version = versionOf(toBinary(OutboundTargetSchema, create(OutboundTargetSchema, value)));
    return this.#set({ name: `outbound/${key}`, version, resource: { case: "outbound", value } });
  }

  /** Gives out other roots. */
  setRoots(roots: string[]): void {
    this.roots = roots;
    this.trustVersion++;
    for (const tell of this.#trustWatchers) tell();
  }

  #set(response: Response): string {
    const name = response.name ?? "";
    this.#resources.set(name, response);
    for (const subscriber of this.subscribers) if (wants(subscriber, name)) subscriber.send(response);
    return response.version ?? "";
  }

  #routes(router: ConnectRouter): void {
    router.service(IdentityService, {
      certify: (request) => this.#certify(request.token, request.certificateSigningRequest),
      watchTrust: (_request, context) => this.#watchTrust(context.signal),
    });
    router.service(DiscoveryService, {
      subscribe: (requests, context) => this.#subscribe(requests, context.values.get(PEER), context.signal),
    });
  }

  async #certify(token: string, der: Uint8Array) {
    if (token !== this.token) throw new ConnectError("token unknown", Code.Unauthenticated);
    const request = new Pkcs10CertificateRequest(Uint8Array.from(der));
    if (!await request.verify()) throw new ConnectError("signature wrong", Code.InvalidArgument);
    const keyDer = Buffer.from(this.ca.key.replace(/-----[^-]+-----|\s/g, ""), "base64");
    const notBefore = new Date(Date.now() - 60_000);
    const notAfter = new Date(Date.now() + this.leafLifetimeMs);
    const leaf = await X509CertificateGenerator.create({
      subject: "",
      issuer: new X509Certificate(this.ca.certificate).subject,
      notBefore,
      notAfter,
      signingAlgorithm: ALGORITHM,
      publicKey: await request.publicKey.export(),
      signingKey: await crypto.subtle.importKey("pkcs8", keyDer, ALGORITHM, true, ["sign"]),
      extensions: [
        new ExtendedKeyUsageExtension([ExtendedKeyUsage.serverAuth, ExtendedKeyUsage.clientAuth]),
        new SubjectAlternativeNameExtension([
          { type: "url", value: this.spiffeId },
          { type: "dns", value: "mesh.tulle.dev" },
        ]),
      ],
    });
    this.certified++;
    return {
      certificateChain: [new Uint8Array(leaf.rawData)],
      spiffeId: this.spiffeId,
      notBefore: timestampFromMs(notBefore.getTime()),
      notAfter: timestampFromMs(notAfter.getTime()),
      trustBundle: this.#bundle(),
    };
  }

  async *#watchTrust(signal: AbortSignal) {
    let wake = () => {};
    const tell = () => wake();
    this.#trustWatchers.add(tell);
    signal.addEventListener("abort", tell);
    try {
      while (!signal.aborted) {
        const changed = new Promise<void>((resolve) => wake = resolve);
        yield { trustBundle: this.#bundle() };
        if (!signal.aborted) await changed;
      }
    } finally {
      this.#trustWatchers.delete(tell);
    }
  }

  #bundle() {
    const roots = this.roots.map((pem) => new Uint8Array(new X509Certificate(pem).rawData));
    return { trustDomain: "cluster.local", roots, version: this.trustVersion };
  }

  async *#subscribe(requests: AsyncIterable<SubscribeRequest>, peer: string, signal: AbortSignal) {
    if (peer === "") throw new ConnectError("no client certificate", Code.Unauthenticated);
    this.streams++;
    const queue: Response[] = [];
    let failure: ConnectError | null = null;
    let wake = () => {};
    const subscriber: Subscriber = {
      hello: null,
      watched: new Set(),
      acks: [],
      peer,
      send(response) {
        queue.push(response);
        wake();
      },
      fail(code, message) {
        failure = new ConnectError(message, code);
        wake();
      },
    };
    this.subscribers.push(subscriber);
    signal.addEventListener("abort", () => wake());
    void this.#read(requests, subscriber);
    try {
      while (!signal.aborted) {
        const changed = new Promise<void>((resolve) => wake = resolve);
        for (let next = queue.shift(); next !== undefined; next = queue.shift()) yield next;
        if (failure !== null) throw failure;
        if (!signal.aborted) await changed;
      }
    } finally {
      const at = this.subscribers.indexOf(subscriber);
      if (at >= 0) this.subscribers.splice(at, 1);
    }
  }

  async #read(requests: AsyncIterable<SubscribeRequest>, subscriber: Subscriber): Promise<void> {
    try {
      for await (const { kind } of requests) {
        if (kind.case === "hello") {
          subscriber.hello = kind.value;
          this.#offer(subscriber, "inbound");
        } else if (kind.case === "ack") subscriber.acks.push(kind.value);
        else if (kind.case === "watch") {
          for (const key of kind.value.add) {
            subscriber.watched.add(key);
            this.#offer(subscriber, `outbound/${key}`);
          }
          for (const key of kind.value.remove) subscriber.watched.delete(key);
        }
      }
    } catch {
      return; // the proxy went away
    }
  }

  #offer(subscriber: Subscriber, name: string): void {
    const resource = this.#resources.get(name);
    const known = subscriber.hello?.knownVersions[name];
    if (resource !== undefined && (this.ignoreKnown || resource.version !== known)) subscriber.send(resource);
  }
}

function wants(subscriber: Subscriber, name: string): boolean {
  return name === "inbound" || subscriber.watched.has(name.slice("outbound/".length));
}

function versionOf(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex").slice(0, 16);
}
