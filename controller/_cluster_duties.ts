/** What a controller does for its cluster beside serving proxies: admission, trust bundles, and whom the API server trusts. */
import { hostname } from "node:os";
import type { Logger } from "../src/base/log.ts";
import { VERSION } from "../src/base/version.ts";
import type { KubeClient, KubeObject } from "./api/client.ts";
import type { Definitions } from "./api/definitions.ts";
import { Lease } from "./api/lease.ts";
import { TYPES } from "./api/resource_type.ts";
import type { ControllerOptions } from "./cli/controller_options.ts";
import { INJECT_ANNOTATION, MESH_NAMESPACE, WRITER_LEASE } from "./core/cluster_names.ts";
import type { Registry } from "./core/metrics.ts";
import type { CertificateAuthority, KeyedCertificate } from "./issuer/authority.ts";
import type { ResourceStore } from "./kube/store.ts";
import { Admission, type NamespaceMeta } from "./serve/admission.ts";
import { WebhookServer } from "./serve/webhook.ts";
import type { EventTeller } from "./writers/event_teller.ts";
import { type Mistake, mistakeEvents } from "./writers/mistakes.ts";
import { BundleWriter } from "./writers/bundles.ts";
import { type UnmeshedPod, unmeshedPodEvents } from "./writers/unmeshed_pods.ts";
import { policyStatusWriter } from "./writers/policy_status.ts";
import { routeStatusWriter } from "./writers/route_status.ts";
import type { StatusWriter } from "./writers/status_writer.ts";
import { WebhookTrust } from "./writers/webhook_trust.ts";

/** How long reviews that are under way may take once the controller ends, milliseconds: an API server waits five seconds. */
const REVIEW_GRACE_MS = 5000;

export interface DutyDeps {
  readonly client: KubeClient;
  readonly definitions: Definitions;
  readonly authority: CertificateAuthority;
  readonly store: ResourceStore;
  readonly log: Logger;
  readonly registry: Registry;
  readonly mistakes: () => readonly Mistake[];
}

export class ClusterDuties {
  readonly #deps: DutyDeps;
  readonly #lease: Lease;
  readonly #bundles: BundleWriter;
  readonly #trust: WebhookTrust;
  readonly #unmeshed: EventTeller<UnmeshedPod>;
  readonly #statuses: readonly StatusWriter[];
  readonly #mistakes: EventTeller<Mistake>;
  #webhook: WebhookServer | null = null;

  constructor(deps: DutyDeps) {
    this.#deps = deps;
    const { client, definitions, authority, store, log } = deps;
    const random = Math.random;
    const bundlePem = () => authority.bundlePem;
    const isWriter = () => this.#lease.isHolder;
    this.#bundles = new BundleWriter({
      client,
      bundlePem,
      isWriter,
      random,
      namespaces: () => meshedNamespaces(store),
      onTrouble: (namespace, detail) => log.warn("cannot write the trust bundle; trying again", { namespace, detail }),
    });
    this.#trust = new WebhookTrust({
      client,
      bundlePem,
      isWriter,
      random,
      onTrouble: (detail) => log.warn("cannot write the webhook's trust; trying again", { detail }),
    });
    this.#unmeshed = unmeshedPodEvents({
      client,
      store,
      isWriter,
      now: Date.now,
      gauge: deps.registry.gauge("unmeshed_pods", "Pods that ask for a sidecar and have none."),
      onTrouble: (pod, detail) => log.warn("cannot write an event", { pod, detail }),
    });
    const statuses = {
      client,
      definitions,
      set: store,
      isWriter,
      random,
      now: Date.now,
      onTrouble: (object: string, detail: string) =>
        log.warn("cannot write the status of an object; trying again", { object, detail }),
    };
    this.#statuses = [routeStatusWriter(statuses), policyStatusWriter(statuses)];
    this.#mistakes = mistakeEvents({
      client,
      mistakes: deps.mistakes,
      isWriter,
      now: Date.now,
      onTrouble: (object, detail) => log.warn("cannot write an event", { object, detail }),
    });
    this.#lease = new Lease({
      client,
      namespace: MESH_NAMESPACE,
      name: WRITER_LEASE,
      identity: `${hostname()}_${process.pid}`, // the same after a restart in its pod, another on one machine
      clock: () => performance.now(),
      now: Date.now,
      random,
      onChange: (isHolder) => {
        log.info(isHolder ? "this controller writes now" : "another controller writes now");
        this.#look();
      },
    });
    const writer = deps.registry.gauge("writer", "1 while this controller is the one that writes into the cluster.");
    deps.registry.collect(() => writer.set(this.#lease.isHolder ? 1 : 0));
  }

  /** @throws Error of the socket when the webhook's port cannot be had */
  async start(options: ControllerOptions, own: KeyedCertificate): Promise<void> {
    const { authority, store, client, log, registry } = this.#deps;
    if (options.webhook !== null) {
      const admission = new Admission({
        inject: { defaults: options.sidecar, version: VERSION },
        namespace: (name) => namespaceMeta(store, client, name),
        ensureBundle: (namespace) => this.#bundles.ensure(namespace),
        log,
        registry,
      });
      this.#webhook = await WebhookServer.listen({ ...options.webhook, identity: own, admission, registry });
    }
    store.onChange((changed) => {
      this.#bundles.look();
      for (const writer of this.#statuses) writer.changed(changed.keys());
    });
    authority.onBundle(() => this.#look());
    this.#bundles.start();
    this.#trust.start();
    this.#unmeshed.start();
    for (const writer of this.#statuses) writer.start();
    this.#mistakes.start();
    this.#lease.start();
  }

  setIdentity(own: KeyedCertificate): void {
    this.#webhook?.setIdentity(own);
  }

  async close(): Promise<void> {
    await this.#webhook?.close(REVIEW_GRACE_MS);
    this.#bundles.close();
    this.#trust.close();
    this.#unmeshed.close();
    for (const writer of this.#statuses) writer.close();
    this.#mistakes.close();
    await this.#lease.close();
  }

  #look(): void {
    this.#bundles.look();
    this.#trust.look();
    for (const writer of this.#statuses) writer.look();
  }
}

/** Namespaces that ask for sidecars, or have pods with one. */
function meshedNamespaces(store: ResourceStore): Set<string> {
  const found = new Set<string>();
  for (const { meta } of store.list("Namespace")) {
    if (meta.annotations[INJECT_ANNOTATION] === "enabled") found.add(meta.name);
  }
  for (const pod of store.list("Pod")) if (pod.meshed && !pod.finished) found.add(pod.meta.namespace);
  return found;
}

async function namespaceMeta(store: ResourceStore, client: KubeClient, name: string): Promise<NamespaceMeta | null> {
  const known = store.get("Namespace", "", name);
  if (known !== null) return known.meta;
  const found: KubeObject | null = await client.find(TYPES.Namespace, null, name);
  if (found === null) return null;
  return { annotations: found.metadata.annotations ?? {}, labels: found.metadata.labels ?? {} };
}
