/**
 * Keeps the trust bundle in a ConfigMap of each namespace whose pods are meshed: a sidecar that starts trusts nothing else.
 * Level-based: it looks at what is there, writes what differs, and tries again what failed.
 */
import { errorText } from "../../src/base/error.ts";
import { ApiError } from "../api/api_error.ts";
import type { KubeClient, KubeObject } from "../api/client.ts";
import { ListWatch } from "../api/list_watch.ts";
import { TYPES } from "../api/resource_type.ts";
import { BUNDLE_CONFIG_MAP, BUNDLE_KEY, CONTROL_PLANE_LABEL } from "../core/cluster_names.ts";
import { WriterLoop } from "./_writer_loop.ts";

/** Label of the ConfigMaps, so that one watch sees them all and an uninstall finds them. */
const BUNDLE_LABEL = "tulle.dev/trust-bundle";
const MANAGER = "tulle-controller";

export interface BundleOptions {
  readonly client: KubeClient;
  /** The bundle in force, PEM. */
  readonly bundlePem: () => string;
  /** Namespaces that need it. */
  readonly namespaces: () => Iterable<string>;
  /** Only one controller writes on its own; any may write what an admission waits for. */
  readonly isWriter: () => boolean;
  readonly onTrouble: (namespace: string, detail: string) => void;
  readonly random: () => number;
}

export class BundleWriter {
  readonly #options: BundleOptions;
  /** Content of the ConfigMaps there are, by namespace. */
  readonly #present = new Map<string, string>();
  readonly #watch: ListWatch;
  readonly #loop: WriterLoop;

  constructor(options: BundleOptions) {
    this.#options = options;
    this.#loop = new WriterLoop({ isWriter: options.isWriter, round: () => this.#round() });
    const take = (object: KubeObject) => this.#present.set(object.metadata.namespace ?? "", contentOf(object));
    this.#watch = new ListWatch({
      client: options.client,
      type: TYPES.ConfigMap,
      namespace: null,
      query: { labelSelector: BUNDLE_LABEL },
      random: options.random,
      listener: {
        onList: (objects) => {
          this.#present.clear();
          for (const object of objects) take(object);
          this.look();
        },
        onChange: (object) => {
          take(object);
          this.look();
        },
        onRemove: (object) => {
          this.#present.delete(object.metadata.namespace ?? "");
          this.look();
        },
        onTrouble: () => {}, // the watches of the objects tell of an API server that is away
      },
    });
  }

  start(): void {
    this.#watch.start();
  }

  close(): void {
    this.#watch.close();
    this.#loop.close();
  }

  /** Call when the bundle, the namespaces or the writer changed. */
  look(): void {
    this.#loop.look();
  }

  /** Makes sure that a namespace has the bundle, whoever writes otherwise. @throws ApiError */
  async ensure(namespace: string): Promise<void> {
    const pem = this.#options.bundlePem();
    if (this.#present.get(namespace) === pem) return;
    await this.#write(namespace, pem);
  }

  async #round(): Promise<boolean> {
    let done = true;
    for (const namespace of this.#options.namespaces()) {
      const pem = this.#options.bundlePem();
      if (this.#present.get(namespace) === pem) continue;
      try {
        await this.#write(namespace, pem);
      } catch (error) {
        // A namespace that is going takes nothing new.
        if (error instanceof ApiError && (error.isNotFound || error.status === 403)) continue;
        done = false;
        this.#options.onTrouble(namespace, errorText(error));
      }
    }
    return done;
  }

  async #write(namespace: string, pem: string): Promise<void> {
    const labels = { [BUNDLE_LABEL]: "", [CONTROL_PLANE_LABEL]: "" };
    const metadata = { namespace, name: BUNDLE_CONFIG_MAP, labels };
    await this.#options.client.apply(TYPES.ConfigMap, { metadata, data: { [BUNDLE_KEY]: pem } }, MANAGER);
    this.#present.set(namespace, pem);
  }
}

function contentOf(object: KubeObject): string {
  const data = (object["data"] ?? {}) as Readonly<Record<string, string>>; // text to text by the API's schema
  return data[BUNDLE_KEY] ?? "";
}
