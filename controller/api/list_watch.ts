/**
 * Follows a collection: lists it once, watches from there, resumes after a cut, lists again when the server has forgotten
 * the version. The listener is level-based: what it is told is what is, however it came to be known.
 */
import { errorText } from "../../src/base/error.ts";
import { ApiError } from "./api_error.ts";
import type { KubeClient, KubeObject, Query } from "./client.ts";
import type { Definitions } from "./definitions.ts";
import { type ResourceType, typeVersions } from "./resource_type.ts";

/** Objects in a page of a list: a page is what memory holds twice. */
const PAGE = "500";
/** How long a watch may last, seconds, before it is opened again: what a silent middlebox has cut is noticed then. */
const WATCH_SECONDS = 290;
/** First and longest wait after a failure, milliseconds; the wait doubles, and half of it is random. */
const MIN_BACKOFF_MS = 200;
const MAX_BACKOFF_MS = 15_000;

interface ChangeListener {
  onChange(object: KubeObject): void;
  onRemove(object: KubeObject): void;
  /** A failure, after which it is tried again; null once it works again. */
  onTrouble(detail: string | null): void;
}

export interface Listener extends ChangeListener {
  /** All objects there are; those not among them are gone. */
  onList(objects: readonly KubeObject[]): void;
}

/** For lists of thousands: the pages never stand in memory together. */
export interface PageListener extends ChangeListener {
  /** Also after a list that broke off. */
  onListStart(): void;
  onPage(objects: readonly KubeObject[]): void;
  /** Objects that were in no page since the start are gone. */
  onListEnd(): void;
}

export interface ListWatchOptions {
  readonly client: KubeClient;
  /** Followed at the newest of its versions that the cluster serves. */
  readonly type: ResourceType;
  /** null: all namespaces. */
  readonly namespace: string | null;
  /** labelSelector, fieldSelector. */
  readonly query?: Query;
  /** The cluster may not know the type: then there are no objects until these tell of its definition. */
  readonly definitions?: Definitions;
  /** Objects come with `metadata` alone. */
  readonly metadataOnly?: boolean;
  readonly listener: Listener | PageListener;
  readonly random: () => number;
}

export class ListWatch {
  readonly #options: ListWatchOptions;
  readonly #listener: PageListener;
  readonly #types: readonly ResourceType[];
  readonly #closing = new AbortController();
  /** Which of the types the cluster serves, as far as is known. */
  #at = 0;
  /** Version to resume from; "" lists again. */
  #version = "";
  #failures = 0;
  /** Times in a row that the cluster did not know the type. */
  #unknown = 0;
  /** Ends a wait. */
  #wake: (() => void) | null = null;
  /** Lists made so far, for metrics and tests. */
  lists = 0;

  constructor(options: ListWatchOptions) {
    this.#options = options;
    this.#types = typeVersions(options.type);
    const { listener } = options;
    this.#listener = "onList" in listener ? gathering(listener) : listener;
    options.definitions?.tell(options.type, () => {
      if (this.#unknown > 0) this.#wake?.();
      this.#unknown = 0;
    });
  }

  /** Follows until `close`. Never throws. */
  start(): void {
    void this.#run();
  }

  close(): void {
    this.#closing.abort();
    this.#wake?.();
  }

  async #run(): Promise<void> {
    while (!this.#closing.signal.aborted) {
      try {
        if (this.#version === "") await this.#list();
        // A server that ends watches at once must not be asked in a busy loop.
        if (await this.#watch() === 0) await this.#wait(MIN_BACKOFF_MS);
      } catch (error) {
        if (this.#closing.signal.aborted) return;
        if (error instanceof ApiError && error.isExpired) {
          this.#version = "";
          continue;
        }
        if (error instanceof ApiError && error.isNotFound && this.#options.definitions !== undefined) {
          this.#version = "";
          this.#at = (this.#at + 1) % this.#types.length;
          if (this.#at > 0) continue;
          this.#listener.onListStart();
          this.#listener.onListEnd();
          await this.#wait(this.#backoffMs(++this.#unknown));
          continue;
        }
        this.#failures++;
        this.#listener.onTrouble(errorText(error));
        await this.#wait(Math.max(error instanceof ApiError ? error.retryAfterMs : 0, this.#backoffMs(this.#failures)));
      }
    }
  }

  get #type(): ResourceType {
    return this.#types[this.#at] ?? this.#options.type;
  }

  async #list(): Promise<void> {
    const { client, namespace, query, metadataOnly = false } = this.#options;
    this.#listener.onListStart();
    let next = "";
    let version = "";
    do {
      const page = await client.listPage(this.#type, namespace, {
        limit: PAGE,
        ...query,
        ...(next === "" ? {} : { continue: next }),
      }, metadataOnly);
      if (this.#closing.signal.aborted) return;
      this.#listener.onPage(page.items);
      version = page.resourceVersion;
      next = page.next;
    } while (next !== "" && !this.#closing.signal.aborted);
    if (this.#closing.signal.aborted) return;
    this.lists++;
    this.#worked();
    this.#listener.onListEnd();
    this.#version = version;
  }

  /** @returns events that came */
  async #watch(): Promise<number> {
    const { client, namespace, query, metadataOnly = false } = this.#options;
    // Jitter, so that a fleet of watches does not come back in one moment.
    const seconds = Math.floor(WATCH_SECONDS * (0.75 + this.#options.random() / 4));
    const watch = client.watch(
      this.#type,
      namespace,
      {
        ...query,
        resourceVersion: this.#version,
        timeoutSeconds: String(seconds),
      },
      this.#closing.signal,
      metadataOnly,
    );
    let events = 0;
    for await (const { type: event, object } of watch) {
      if (this.#closing.signal.aborted) return events;
      events++;
      if (event === "ERROR") throw streamError(object);
      this.#worked();
      if (event === "ADDED" || event === "MODIFIED") this.#listener.onChange(object);
      else if (event === "DELETED") this.#listener.onRemove(object);
      this.#version = object.metadata.resourceVersion ?? this.#version;
    }
    return events;
  }

  #worked(): void {
    if (this.#failures > 0) this.#listener.onTrouble(null);
    this.#failures = 0;
    this.#unknown = 0;
  }

  /** @param times that it failed in a row */
  #backoffMs(times: number): number {
    const backoff = Math.min(MAX_BACKOFF_MS, MIN_BACKOFF_MS * 2 ** Math.min(10, times - 1));
    return backoff / 2 + this.#options.random() * backoff / 2;
  }

  async #wait(ms: number): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    const timer = setTimeout(resolve, ms);
    this.#wake = resolve;
    await promise;
    this.#wake = null;
    clearTimeout(timer);
  }
}

/** Tells of a list when it is whole. */
function gathering(listener: Listener): PageListener {
  let objects: KubeObject[] = [];
  return {
    onListStart: () => void (objects = []),
    onPage: (page) => void objects.push(...page),
    onListEnd: () => listener.onList(objects.splice(0)),
    onChange: (object) => listener.onChange(object),
    onRemove: (object) => listener.onRemove(object),
    onTrouble: (detail) => listener.onTrouble(detail),
  };
}

/** The Status object of an ERROR event. */
function streamError(object: KubeObject): ApiError {
  const { code, reason, message } = object as Readonly<Record<string, unknown>>;
  return new ApiError("WATCH", Number(code ?? 0), String(reason ?? ""), String(message ?? "the watch ended"));
}
