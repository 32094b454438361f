/** A real controller process on a folder of its own, and clients that speak to it as proxies do. */
import { createHash } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Client, createClient } from "@connectrpc/connect";
import { createConnectTransport } from "@connectrpc/connect-node";
import { x509 } from "../../controller/issuer/_x509.ts";
import {
  DiscoveryService,
  type SubscribeRequest,
  SubscribeRequestSchema,
  type SubscribeResponse,
} from "../../proto/gen/tulle/discovery/v1/discovery_pb.ts";
import { IdentityService } from "../../proto/gen/tulle/identity/v1/identity_pb.ts";
import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { type Child, startProcess } from "../support/process.ts";

const ROOT = join(import.meta.dir, "../..");
/** Longest wait for a message that is to come, milliseconds: a push takes some tens. */
const MESSAGE_MS = 5000;

export const FRONT = { namespace: "shop", serviceAccount: "front", workload: "front-0" };
export const BACK = { namespace: "shop", serviceAccount: "back", workload: "back-0" };

export const SHOP = `
apiVersion: workload.tulle.dev/v1alpha1
kind: ExternalWorkload
metadata: {name: front, namespace: shop, labels: {app: front}}
spec:
  serviceAccountName: front
  workloadIPs: [{ip: 10.77.0.2}]
  ports: [{name: http, port: 8080}]
---
apiVersion: workload.tulle.dev/v1alpha1
kind: ExternalWorkload
metadata: {name: back, namespace: shop, labels: {app: back}}
spec:
  serviceAccountName: back
  workloadIPs: [{ip: 10.77.0.3}]
  ports: [{name: http, port: 9090}]
---
apiVersion: v1
kind: Service
metadata: {name: back, namespace: shop}
spec:
  clusterIP: 10.96.0.3
  selector: {app: back}
  ports: [{port: 80, targetPort: http}]
`;

export interface KeyAndCertificate {
  readonly key: string;
  readonly cert: string;
}

export class TestController implements AsyncDisposable {
  readonly folder = mkdtempSync(join(tmpdir(), "tulle-control-"));
  readonly flags: readonly string[];
  #process: Child | null = null;
  #listen = "";
  #admin = "";

  constructor(files: Readonly<Record<string, string>>, flags: readonly string[] = []) {
    this.flags = flags;
    const { folder } = this;
    for (const name of ["mesh", "state"]) Bun.spawnSync(["mkdir", join(folder, name)]);
    for (const [name, text] of Object.entries(files)) this.write(name, text);
    const tokens = [FRONT, BACK].map((subject) => [sha256(`token-${subject.workload}`), subject]);
    writeFileSync(join(folder, "tokens.json"), JSON.stringify(Object.fromEntries(tokens)));
  }

  /** Starts the process and waits until it is ready. */
  async start(): Promise<this> {
    const { folder } = this;
    const at = (name: string) => join(folder, name);
    const listen = this.#listen === "" ? "127.0.0.1:0" : this.#listen;
    this.#process = startProcess({
      name: "controller",
      argv: [
        process.execPath,
        join(import.meta.dir, "_main.ts"),
        "--config-dir",
        at("mesh"),
        "--state-dir",
        at("state"),
        "--tokens",
        at("tokens.json"),
        "--listen",
        listen,
        "--admin",
        "127.0.0.1:0",
        ...this.flags,
      ],
      cwd: ROOT,
    });
    const [line] = await this.#process.waitForOutput(/\{"ready":true.*\}/);
    const ready = JSON.parse(line);
    this.#listen = ready.listen;
    this.#admin = ready.admin;
    return this;
  }

  /** SIGTERM; resolves to the exit code. */
  async stop(): Promise<number | null> {
    return await this.#process?.stop() ?? null;
  }

  /** Writes a file of the configuration. */
  write(name: string, text: string): void {
    writeFileSync(join(this.folder, "mesh", name), text);
  }

  remove(name: string): void {
    rmSync(join(this.folder, "mesh", name));
  }

  /** Writes a file of the state folder. */
  writeState(name: string, text: string): void {
    writeFileSync(join(this.folder, "state", name), text);
  }

  get bundle(): string {
    return readFileSync(join(this.folder, "state/trust-bundle.pem"), "utf8");
  }

  output(): string {
    return this.#process?.output() ?? "";
  }

  // deno-lint-ignore no-explicit-any -- the shape is what the tests are about
  async config(): Promise<any> {
    return await (await fetch(`http://${this.#admin}/config`)).json();
  }

  async metrics(): Promise<string> {
    return await (await fetch(`http://${this.#admin}/metrics`)).text();
  }

  transport(identity: KeyAndCertificate | null) {
    return createConnectTransport({
      httpVersion: "2",
      baseUrl: `https://${this.#listen}`,
      nodeOptions: { ca: this.bundle, servername: "mesh.tulle.dev", ...identity },
    });
  }

  identity(): Client<typeof IdentityService> {
    return createClient(IdentityService, this.transport(null));
  }

  /** Gets a certificate by a token. */
  async certify(
    token: string,
  ): Promise<KeyAndCertificate & { readonly spiffeId: string; readonly notAfterMs: number }> {
    const { key, csr } = await makeCsr();
    const answer = await this.identity().certify({ token, certificateSigningRequest: csr });
    const cert = answer.certificateChain.map((der) => x509.PemConverter.encode(Uint8Array.from(der), "CERTIFICATE"));
    return {
      key,
      cert: cert.join("\n"),
      spiffeId: answer.spiffeId,
      notAfterMs: Number(answer.notAfter?.seconds) * 1000,
    };
  }

  /** Opens a discovery stream and says hello. */
  subscribe(
    identity: KeyAndCertificate | null,
    workload: { readonly namespace: string; readonly workload: string },
    knownVersions: Record<string, string> = {},
  ): Subscription {
    const subscription = new Subscription(createClient(DiscoveryService, this.transport(identity)));
    const { namespace, workload: name } = workload;
    subscription.send({ case: "hello", value: { workload: { namespace, name }, proxyVersion: "test", knownVersions } });
    return subscription;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
    rmSync(this.folder, { recursive: true, force: true });
  }
}

type RequestKind = NonNullable<MessageInitShape<typeof SubscribeRequestSchema>["kind"]>;

/** A discovery stream, from the proxy's side. */
export class Subscription implements AsyncDisposable {
  readonly #abort = new AbortController();
  readonly #responses: AsyncIterator<SubscribeResponse>;
  readonly #outgoing: SubscribeRequest[] = [];
  #wake: (() => void) | null = null;
  #pending: Promise<IteratorResult<SubscribeResponse>> | null = null;

  constructor(client: Client<typeof DiscoveryService>) {
    this.#responses = client.subscribe(this.#requests(), { signal: this.#abort.signal })[Symbol.asyncIterator]();
  }

  send(kind: RequestKind): void {
    this.#outgoing.push(create(SubscribeRequestSchema, { kind }));
    this.#wake?.();
  }

  watch(add: string[], remove: string[] = []): void {
    this.send({ case: "watch", value: { add, remove } });
  }

  /** The next message, or an error when none comes in time. */
  async next(): Promise<SubscribeResponse> {
    const result = await this.#nextOr(MESSAGE_MS, "no message came");
    if (result === null || result.done === true) throw new Error("the stream ended");
    return result.value;
  }

  /** Asserts that nothing comes for a while. */
  async silent(ms: number): Promise<boolean> {
    return await this.#nextOr(ms, null) === null;
  }

  async #nextOr(ms: number, error: string | null): Promise<IteratorResult<SubscribeResponse> | null> {
    this.#pending ??= this.#responses.next();
    const { promise, resolve } = Promise.withResolvers<null>();
    const timer = setTimeout(() => resolve(null), ms);
    const result = await Promise.race([this.#pending, promise]).finally(() => clearTimeout(timer));
    if (result !== null) this.#pending = null;
    else if (error !== null) throw new Error(error);
    return result;
  }

  async *#requests(): AsyncGenerator<SubscribeRequest> {
    while (!this.#abort.signal.aborted) {
      const request = this.#outgoing.shift();
      if (request !== undefined) yield request;
      else await new Promise<void>((resolve) => this.#wake = resolve);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#abort.abort();
    this.#wake?.();
    await this.#pending?.catch(() => {});
  }
}

/** A new key and a request for it. */
export async function makeCsr(): Promise<{ key: string; csr: Uint8Array<ArrayBuffer> }> {
  const keys = await crypto.subtle.generateKey({ name: "ECDSA", namedCurve: "P-256" }, true, ["sign", "verify"]);
  const signingAlgorithm = { name: "ECDSA", hash: "SHA-256" };
  const request = await x509.Pkcs10CertificateRequestGenerator.create({ name: "CN=proxy", keys, signingAlgorithm });
  const key = x509.PemConverter.encode(await crypto.subtle.exportKey("pkcs8", keys.privateKey), "PRIVATE KEY");
  return { key, csr: new Uint8Array(request.rawData) };
}

export function sha256(text: string): string {
  return createHash("sha256").update(text).digest("hex");
}
