/**
 * Writes into objects what became of them. Level-based: it looks at what is there and writes what differs, so that its own
 * writes, seen again, lead to none.
 */
import { errorText } from "../../src/base/error.ts";
import { ApiError } from "../api/api_error.ts";
import type { KubeClient, KubeObject } from "../api/client.ts";
import type { Definitions } from "../api/definitions.ts";
import { ListWatch } from "../api/list_watch.ts";
import { TYPES } from "../api/resource_type.ts";
import { type Kind, resourceKey } from "../kube/resources.ts";
import type { ResourceSet } from "../kube/store.ts";
import { Alarm } from "./_alarm.ts";
import { WriterLoop } from "./_writer_loop.ts";

export interface StatusOptions {
  readonly client: KubeClient;
  readonly definitions: Definitions;
  readonly set: ResourceSet;
  readonly isWriter: () => boolean;
  readonly onTrouble: (object: string, detail: string) => void;
  /** Milliseconds since 1970. */
  readonly now: () => number;
  readonly random: () => number;
}

/** Kinds whose status is written. */
type StatusKind = Exclude<Kind, "ServiceAccount">;

/** What `status` of an object should be, as a merge patch; null when it is that already. @param now RFC 3339 */
export type StatusOf = (object: KubeObject, now: string) => Readonly<Record<string, unknown>> | null;

export interface StatusDuty {
  readonly kinds: readonly StatusKind[];
  /** Keys of objects ("Service shop/web") that the status depends on. */
  readonly concerned: RegExp;
  /** Asked once for each round over all objects. */
  readonly judge: (set: ResourceSet, nowMs: number) => StatusOf;
  /** Also look so often, milliseconds: for what depends on objects that change all the time; null: no. */
  readonly everyMs: number | null;
  /** When the time alone will change what is judged next, milliseconds since 1970; null: never. With `everyMs` at most MAX_ALARM_MS. */
  readonly nextMs: (set: ResourceSet, nowMs: number) => number | null;
}

export class StatusWriter {
  readonly #options: StatusOptions;
  readonly #duty: StatusDuty;
  readonly #objects = new Map<string, { readonly kind: StatusKind; readonly object: KubeObject }>();
  readonly #watches: readonly ListWatch[];
  readonly #loop: WriterLoop;
  readonly #alarm: Alarm;
  #timer: ReturnType<typeof setInterval> | null = null;

  constructor(options: StatusOptions, duty: StatusDuty) {
    this.#options = options;
    this.#duty = duty;
    this.#loop = new WriterLoop({ isWriter: options.isWriter, round: () => this.#round() });
    this.#alarm = new Alarm(options.now, () => this.look());
    this.#watches = duty.kinds.map((kind) => this.#watch(kind));
  }

  start(): void {
    for (const watch of this.#watches) watch.start();
    if (this.#duty.everyMs !== null) this.#timer = setInterval(() => this.look(), this.#duty.everyMs);
  }

  close(): void {
    for (const watch of this.#watches) watch.close();
    if (this.#timer !== null) clearInterval(this.#timer);
    this.#loop.close();
    this.#alarm.close();
  }

  /** Call when the writer changed. */
  look(): void {
    this.#loop.look();
  }

  /** Call when objects changed. @param keys "Service shop/web" */
  changed(keys: Iterable<string>): void {
    for (const key of keys) if (this.#duty.concerned.test(key)) return this.look();
  }

  #watch(kind: StatusKind): ListWatch {
    const take = (object: KubeObject) => this.#objects.set(keyOf(kind, object), { kind, object });
    const { client, definitions, random } = this.#options;
    return new ListWatch({
      client,
      definitions,
      type: TYPES[kind],
      namespace: null,
      random,
      listener: {
        onList: (objects) => {
          for (const [key, known] of this.#objects) if (known.kind === kind) this.#objects.delete(key);
          for (const object of objects) take(object);
          this.look();
        },
        onChange: (object) => {
          take(object);
          this.look();
        },
        onRemove: (object) => void this.#objects.delete(keyOf(kind, object)),
        onTrouble: () => {}, // the watches of the objects tell of an API server that is away
      },
    });
  }

  async #round(): Promise<boolean> {
    const { set, client, isWriter, onTrouble, now } = this.#options;
    if (this.#objects.size === 0) return true;
    const judgedMs = now();
    const statusOf = this.#duty.judge(set, judgedMs);
    let done = true;
    for (const [key, { kind, object }] of this.#objects) {
      if (!isWriter()) return true;
      const status = statusOf(object, new Date(now()).toISOString().replace(/\.\d+Z$/, "Z"));
      if (status === null) continue;
      const { namespace = null, name = "", resourceVersion } = object.metadata;
      try {
        // With its version: a change by somebody else is seen first.
        const patch = { metadata: { resourceVersion }, status };
        const version = object.apiVersion?.split("/").at(-1) ?? TYPES[kind].version;
        const written = await client.mergePatch({ ...TYPES[kind], version }, namespace, name, patch, "status");
        if (this.#objects.get(key)?.object === object) this.#objects.set(key, { kind, object: written });
      } catch (error) {
        // What has changed or gone meanwhile is told by the watch.
        if (error instanceof ApiError && (error.isConflict || error.isNotFound)) continue;
        done = false;
        onTrouble(key, errorText(error));
      }
    }
    this.#alarm.set(this.#duty.nextMs(set, judgedMs));
    return done;
  }
}

function keyOf(kind: StatusKind, { metadata }: KubeObject): string {
  return resourceKey(kind, metadata.namespace ?? "", metadata.name ?? "");
}
