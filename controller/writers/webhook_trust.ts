/** Tells the API server whom to trust as our webhook: the bundle goes into the webhook configurations, and follows its changes. */
import { errorText } from "../../src/base/error.ts";
import type { KubeClient, KubeObject } from "../api/client.ts";
import { followObject } from "../api/follow_object.ts";
import type { ListWatch } from "../api/list_watch.ts";
import { TYPES } from "../api/resource_type.ts";
import { INJECT_WEBHOOK, VALIDATE_WEBHOOK } from "../core/cluster_names.ts";
import { WriterLoop } from "./_writer_loop.ts";

const CONFIGURATIONS = [
  { type: TYPES.MutatingWebhookConfiguration, name: INJECT_WEBHOOK },
  { type: TYPES.ValidatingWebhookConfiguration, name: VALIDATE_WEBHOOK },
] as const;

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
  readonly #loop: WriterLoop;

  constructor(options: WebhookTrustOptions) {
    this.#options = options;
    this.#loop = new WriterLoop({ isWriter: options.isWriter, round: () => this.#round() });
    this.#watches = CONFIGURATIONS.map(({ type, name }) => {
      const take = (object: KubeObject | null) => {
        if (object === null) this.#present.delete(name);
        else this.#present.set(name, object);
        this.look();
      };
      return followObject({ client: options.client, type, namespace: null, name, take, random: options.random });
    });
  }

  start(): void {
    for (const watch of this.#watches) watch.start();
  }

  close(): void {
    for (const watch of this.#watches) watch.close();
    this.#loop.close();
  }

  /** Call when the bundle or the writer changed. */
  look(): void {
    this.#loop.look();
  }

  async #round(): Promise<boolean> {
    let done = true;
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
        done = false;
        this.#options.onTrouble(`${type.kind} ${name}: ${errorText(error)}`);
      }
    }
    return done;
  }
}
