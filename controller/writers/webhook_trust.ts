/** Tells the API server whom to trust as our webhook: the bundle goes into the webhook configurations, and follows its changes. */
import { errorText } from "../../src/base/error.ts";
import type { KubeClient, KubeObject } from "../api/client.ts";
import { ListWatch } from "../api/list_watch.ts";
import { TYPES } from "../api/resource_type.ts";
import { INJECT_WEBHOOK, VALIDATE_WEBHOOK } from "../core/cluster_names.ts";

const CONFIGURATIONS = [
  { type: TYPES.MutatingWebhookConfiguration, name: INJECT_WEBHOOK },
  { type: TYPES.ValidatingWebhookConfiguration, name: VALIDATE_WEBHOOK },
] as const;

const RETRY_MS = 2000;

export interface WebhookTrustOptions {
  readonly client: KubeClient;
  readonly bundlePem: () => string;
  readonly isWriter: () => boolean;
  readonly onTrouble: (detail: string) => void;
  readonly random: () => number;
}

interface Webhook {
  readonly name?: string;
  readonly clientConfig?: Readonly<Record<string, unknown>>;
}

export class WebhookTrust {
  readonly #options: WebhookTrustOptions;
  readonly #watches: readonly ListWatch[];
  readonly #present = new Map<string, KubeObject>();
  #timer: ReturnType<typeof setTimeout> | null = null;
  #running = false;
  #again = false;

  constructor(options: WebhookTrustOptions) {
    this.#options = options;
    this.#watches = CONFIGURATIONS.map(({ type, name }) => {
      const take = (object: KubeObject | undefined) => {
        if (object === undefined) this.#present.delete(name);
        else this.#present.set(name, object);
        this.look();
      };
      return new ListWatch({
        client: options.client,
        type,
        namespace: null,
        query: { fieldSelector: `metadata.name=${name}` },
        random: options.random,
        listener: {
          onList: ([object]) => take(object),
          onChange: take,
          onRemove: () => take(undefined),
          onTrouble: () => {}, // the watches of the objects tell of an API server that is away
        },
      });
    });
  }

  start(): void {
    for (const watch of this.#watches) watch.start();
  }

  close(): void {
    for (const watch of this.#watches) watch.close();
    if (this.#timer !== null) clearTimeout(this.#timer);
  }

  /** Call when the bundle or the writer changed. */
  look(): void {
    this.#again = true;
    if (!this.#running) void this.#run();
  }

  async #run(): Promise<void> {
    this.#running = true;
    let failed = false;
    while (this.#again && this.#options.isWriter()) {
      this.#again = false;
      failed = false;
      const caBundle = Buffer.from(this.#options.bundlePem()).toString("base64");
      for (const { type, name } of CONFIGURATIONS) {
        const object = this.#present.get(name);
        if (object === undefined) continue;
        const webhooks = (object["webhooks"] ?? []) as readonly Webhook[]; // by the API's schema
        if (webhooks.every((webhook) => webhook.clientConfig?.["caBundle"] === caBundle)) continue;
        try {
          // With its version: somebody else's change is seen first, and ours is made on top of it.
          const changed = webhooks.map((webhook) => {
            return { ...webhook, clientConfig: { ...webhook.clientConfig, caBundle } };
          });
          this.#present.set(name, await this.#options.client.replace(type, { ...object, webhooks: changed }));
        } catch (error) {
          failed = true;
          this.#options.onTrouble(`${type.kind} ${name}: ${errorText(error)}`);
        }
      }
    }
    this.#running = false;
    if (!failed) return;
    this.#timer ??= setTimeout(() => {
      this.#timer = null;
      this.look();
    }, RETRY_MS);
  }
}
