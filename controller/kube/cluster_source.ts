/** Follows an API server: every kind that the mesh reads, each by its own list-watch, into one store. */
import type { KubeClient } from "../api/client.ts";
import type { Definitions } from "../api/definitions.ts";
import { ListWatch, type PageListener } from "../api/list_watch.ts";
import { TYPES } from "../api/resource_type.ts";
import { ObjectSink } from "./object_sink.ts";
import type { Kind } from "./resources.ts";
import type { ResourceStore } from "./store.ts";

/** What is followed. Kinds of others' or our own definitions may be missing from a cluster: then there are none of them. */
export const FOLLOWED: readonly { readonly kind: Kind; readonly optional: boolean }[] = [
  { kind: "Namespace", optional: false },
  { kind: "Service", optional: false },
  { kind: "EndpointSlice", optional: false },
  { kind: "Pod", optional: false },
  { kind: "HTTPRoute", optional: true },
  { kind: "GRPCRoute", optional: true },
  { kind: "TCPRoute", optional: true },
  { kind: "TLSRoute", optional: true },
  { kind: "ReferenceGrant", optional: true },
  { kind: "Server", optional: true },
  { kind: "AuthorizationPolicy", optional: true },
  { kind: "MeshTLSAuthentication", optional: true },
  { kind: "NetworkAuthentication", optional: true },
  { kind: "RateLimitPolicy", optional: true },
  { kind: "BackendPolicy", optional: true },
  { kind: "EgressNetwork", optional: true },
  { kind: "FaultInjection", optional: true },
  { kind: "ExternalWorkload", optional: true },
];

export interface ClusterSourceOptions {
  readonly client: KubeClient;
  readonly definitions: Definitions;
  readonly store: ResourceStore;
  readonly random: () => number;
  /** All problems of objects, after each change of them. */
  readonly onProblems: (problems: readonly string[]) => void;
}

/** State of one watch, for /config and metrics. */
export interface WatchStatus {
  readonly kind: Kind;
  /** Times that everything was listed; more than one means that the server had forgotten where we were. */
  readonly lists: number;
  /** What is wrong now; "" when nothing is. What was read before stays in force. */
  readonly trouble: string;
}

export class ClusterSource {
  readonly sink: ObjectSink;
  /** Resolves once every kind has been listed: a controller that knows half of the cluster must not speak. */
  readonly synced: Promise<void>;
  readonly #watches = new Map<Kind, ListWatch>();
  readonly #troubles = new Map<Kind, string>();

  constructor({ client, definitions, store, random, onProblems }: ClusterSourceOptions) {
    this.sink = new ObjectSink(store, onProblems);
    const waits: Promise<void>[] = [];
    for (const { kind, optional } of FOLLOWED) {
      const listed = Promise.withResolvers<void>();
      waits.push(listed.promise);
      const listener: PageListener = {
        onListStart: () => this.sink.listing(kind),
        onPage: (objects) => this.sink.page(kind, objects),
        onListEnd: () => {
          this.sink.listed(kind);
          listed.resolve();
        },
        onChange: (object) => this.sink.change(kind, object),
        onRemove: (object) => this.sink.remove(kind, object),
        onTrouble: (detail) => {
          if (detail === null) this.#troubles.delete(kind);
          else this.#troubles.set(kind, detail);
        },
      };
      this.#watches.set(
        kind,
        new ListWatch({
          ...{ client, type: TYPES[kind], namespace: null, listener, random },
          ...(optional ? { definitions } : {}),
        }),
      );
    }
    this.synced = Promise.all(waits).then(() => {});
  }

  start(): void {
    for (const watch of this.#watches.values()) watch.start();
  }

  close(): void {
    for (const watch of this.#watches.values()) watch.close();
    this.sink.close();
  }

  status(): WatchStatus[] {
    return [...this.#watches].map(([kind, { lists }]) => ({ kind, lists, trouble: this.#troubles.get(kind) ?? "" }));
  }
}
