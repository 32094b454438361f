/**
 * Many proxies in one process, as far as a controller can see: each has a token of its own pod, a key and a certificate, a TLS
 * connection with the two streams of a sidecar, and acknowledges what it is sent. It decodes nothing but names and versions.
 */
import type { KubeClient, KubeObject } from "../../../controller/api/client.ts";
import { resourcePath, TYPES } from "../../../controller/api/resource_type.ts";
import { TOKEN_AUDIENCE } from "../../../controller/core/cluster_names.ts";
import { identityTransport } from "../../../src/discovery/identity_transport.ts";
import { ControllerClient } from "../../../src/discovery/rpc/client.ts";
import { Subscription } from "../../../src/discovery/subscription.ts";
import { IdentityStore } from "../../../src/identity/store.ts";
import { type TlsPeer, verifyPeer } from "../../../src/identity/verify.ts";
import { isControllerId } from "../../../src/model/spiffe_id.ts";
import type { PodAt } from "./objects.ts";

/** A token of a pod, as the kubelet mounts one. */
export async function podToken(client: KubeClient, { namespace, name, serviceAccount }: PodAt): Promise<string> {
  const pod = await client.get(TYPES.Pod, namespace, name);
  const path = resourcePath(TYPES.ServiceAccount, namespace, serviceAccount, "token");
  const answer = await client.json<KubeObject>("POST", path, {
    body: {
      spec: {
        audiences: [TOKEN_AUDIENCE],
        expirationSeconds: 3600,
        boundObjectRef: { apiVersion: "v1", kind: "Pod", name, uid: pod.metadata.uid },
      },
    },
  });
  return (answer["status"] as { token: string }).token; // by the API's schema
}

export interface ProxyOptions {
  /** Of the controller; asked for each connection. */
  readonly port: number;
  /** PEM. */
  readonly roots: string;
  readonly pod: PodAt;
  readonly token: string;
  /** "ip:port" each. */
  readonly targets: readonly string[];
  /** Called for each snapshot, with its size on the wire. */
  readonly onUpdate: (proxy: SimulatedProxy, name: string, version: string, bytes: number) => void;
}

export class SimulatedProxy {
  readonly pod: PodAt;
  readonly targets: readonly string[];
  /** Version in force, by resource. */
  readonly versions = new Map<string, string>();
  readonly #identity: IdentityStore;
  readonly #client: ControllerClient;
  readonly #subscription: Subscription;

  constructor({ port, roots, pod, token, targets, onUpdate }: ProxyOptions) {
    this.pod = pod;
    this.targets = targets;
    this.#identity = new IdentityStore({
      readToken: () => Promise.resolve(token),
      now: Date.now,
      monotonic: () => performance.now(),
      random: Math.random,
      onProblem: () => {},
      saved: null,
    });
    this.#client = new ControllerClient({
      host: "127.0.0.1",
      port,
      mountedRoots: () => roots,
      credentials: () => this.#identity.current(),
      verify(socket, ok, error) {
        const result = verifyPeer(socket as TlsPeer, ok, error, {
          nowMs: Date.now(),
          trustDomain: null,
          expected: isControllerId,
        });
        return result.ok ? "" : result.reason;
      },
    });
    const { namespace, name } = pod;
    this.#subscription = new Subscription(this.#client, {
      hello: () => ({ namespace, name, proxyVersion: "bench", knownVersions: this.versions }),
      keys: () => targets,
      onUpdate: (update, message) => {
        this.versions.set(update.name, update.version);
        onUpdate(this, update.name, update.version, message.length);
        return "";
      },
    }, Math.random);
    this.#identity.onChange(() => this.#subscription.wake());
  }

  start(): void {
    this.#identity.start(identityTransport(this.#client));
    this.#subscription.start();
  }

  stop(): void {
    this.#subscription.stop();
    this.#identity.stop();
  }

  /** True once it has an answer for each of its resources. */
  get isComplete(): boolean {
    return this.versions.size === this.targets.length + 1;
  }

  /** Its certificate and those above it, PEM; "" before the first. */
  get certificate(): string {
    return this.#identity.current()?.certPem ?? "";
  }

  /** Number of roots that it trusts. */
  get roots(): number {
    return this.#identity.current()?.caPem.match(/BEGIN CERTIFICATE/g)?.length ?? 0;
  }

  /** State of its stream, for messages. */
  report() {
    return this.#subscription.report();
  }
}
