/**
 * Writes into routes what became of them (`status.parents`). Level-based: it looks at what is there and writes what differs, so
 * that its own writes, seen again, lead to none.
 */
import { errorText } from "../../src/base/error.ts";
import { ApiError } from "../api/api_error.ts";
import type { KubeClient, KubeObject } from "../api/client.ts";
import { ListWatch } from "../api/list_watch.ts";
import { TYPES } from "../api/resource_type.ts";
import { type Resource, resourceKey } from "../kube/resources.ts";
import type { ResourceSet } from "../kube/store.ts";
import { parentStatuses } from "./_parent_statuses.ts";
import { WriterLoop } from "./_writer_loop.ts";

const ROUTES = ["HTTPRoute", "GRPCRoute", "TCPRoute", "TLSRoute"] as const;
/** Kinds that conditions of routes depend on. Pods and endpoints, which change all the time, are none. */
const CONCERNED = /^(HTTPRoute|GRPCRoute|TCPRoute|TLSRoute|Service|Server|ReferenceGrant) /;

export interface RouteStatusOptions {
  readonly client: KubeClient;
  readonly set: ResourceSet;
  readonly isWriter: () => boolean;
  readonly onTrouble: (route: string, detail: string) => void;
  /** Milliseconds since 1970. */
  readonly now: () => number;
  readonly random: () => number;
}

type RouteKind = Extract<Resource["kind"], (typeof ROUTES)[number]>;

export class RouteStatusWriter {
  readonly #options: RouteStatusOptions;
  readonly #routes = new Map<string, { readonly kind: RouteKind; readonly object: KubeObject }>();
  readonly #watches: readonly ListWatch[];
  readonly #loop: WriterLoop;

  constructor(options: RouteStatusOptions) {
    this.#options = options;
    this.#loop = new WriterLoop({ isWriter: options.isWriter, round: () => this.#round() });
    this.#watches = ROUTES.map((kind) => this.#watch(kind));
  }

  start(): void {
    for (const watch of this.#watches) watch.start();
  }

  close(): void {
    for (const watch of this.#watches) watch.close();
    this.#loop.close();
  }

  /** Call when the writer changed. */
  look(): void {
    this.#loop.look();
  }

  /** Call when objects changed. @param keys "Service shop/web" */
  changed(keys: Iterable<string>): void {
    for (const key of keys) if (CONCERNED.test(key)) return this.look();
  }

  #watch(kind: RouteKind): ListWatch {
    const take = (object: KubeObject) => this.#routes.set(keyOf(kind, object), { kind, object });
    return new ListWatch({
      client: this.#options.client,
      type: TYPES[kind],
      namespace: null,
      optional: true,
      random: this.#options.random,
      listener: {
        onList: (objects) => {
          for (const [key, route] of this.#routes) if (route.kind === kind) this.#routes.delete(key);
          for (const object of objects) take({ apiVersion: "gateway.networking.k8s.io/v1", kind, ...object });
          this.look();
        },
        onChange: (object) => {
          take(object);
          this.look();
        },
        onRemove: (object) => void this.#routes.delete(keyOf(kind, object)),
        onTrouble: () => {}, // the watches of the objects tell of an API server that is away
      },
    });
  }

  async #round(): Promise<boolean> {
    const { set, client, isWriter, onTrouble, now } = this.#options;
    let done = true;
    for (const [key, { kind, object }] of this.#routes) {
      if (!isWriter()) return true;
      const parents = parentStatuses(object, set, new Date(now()).toISOString().replace(/\.\d+Z$/, "Z"));
      if (parents === null) continue;
      const { namespace = null, name = "", resourceVersion } = object.metadata;
      try {
        // With its version: a change by somebody else is seen first.
        const patch = { metadata: { resourceVersion }, status: { parents } };
        const written = await client.mergePatch(TYPES[kind], namespace, name, patch, "status");
        if (this.#routes.get(key)?.object === object) this.#routes.set(key, { kind, object: written });
      } catch (error) {
        // What has changed or gone meanwhile is told by the watch.
        if (error instanceof ApiError && (error.isConflict || error.isNotFound)) continue;
        done = false;
        onTrouble(key, errorText(error));
      }
    }
    return done;
  }
}

function keyOf(kind: RouteKind, { metadata }: KubeObject): string {
  return resourceKey(kind, metadata.namespace ?? "", metadata.name ?? "");
}
