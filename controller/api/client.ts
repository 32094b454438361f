/**
 * Requests to a Kubernetes API server, over the runtime's fetch: it alone applies the cluster's CA and a client certificate
 * here. Objects are plain data; who asks knows their kind.
 */
import { errorText } from "../../src/base/error.ts";
import { VERSION } from "../../src/base/version.ts";
import { ApiError, apiError } from "./api_error.ts";
import type { Credentials } from "./exec_login.ts";
import type { KubeTarget } from "./kube_target.ts";
import { apiVersion, resourcePath, type ResourceType } from "./resource_type.ts";

/** Longest wait for an answer that is no watch, milliseconds: a page of 500 pods from a busy server takes a few seconds. */
const REQUEST_TIMEOUT_MS = 30_000;
const UNAUTHORIZED = 401;

/** An object of the API. */
export interface KubeObject {
  readonly apiVersion?: string;
  readonly kind?: string;
  readonly metadata: {
    readonly name?: string;
    readonly namespace?: string;
    readonly uid?: string;
    readonly resourceVersion?: string;
    readonly labels?: Readonly<Record<string, string>>;
    readonly annotations?: Readonly<Record<string, string>>;
    readonly [key: string]: unknown;
  };
  readonly [key: string]: unknown;
}

export interface ListPage {
  readonly items: readonly KubeObject[];
  readonly resourceVersion: string;
  /** "" on the last page. */
  readonly next: string;
}

export interface WatchEvent {
  readonly type: "ADDED" | "MODIFIED" | "DELETED" | "BOOKMARK" | "ERROR";
  readonly object: KubeObject;
}

/** Parameters of a request's address. */
export type Query = Readonly<Record<string, string>>;

interface Send {
  readonly query?: Query;
  readonly body?: unknown;
  readonly contentType?: string;
  readonly signal?: AbortSignal;
  readonly accept?: string;
  /** A watch may be quiet for minutes; all else ends in time. */
  readonly isWatch?: true;
}

/** Bun's option of fetch beside the standard ones. */
interface TlsOptions {
  readonly ca?: string;
  readonly cert?: string;
  readonly key?: string;
  readonly rejectUnauthorized?: boolean;
  readonly serverName?: string;
}

export class KubeClient {
  readonly target: KubeTarget;
  readonly #tls: TlsOptions;

  constructor(target: KubeTarget) {
    this.target = target;
    this.#tls = {
      ...(target.ca === null ? {} : { ca: target.ca }),
      ...(target.clientCertificate ?? {}),
      ...(target.insecure ? { rejectUnauthorized: false } : {}),
      ...(target.serverName === null ? {} : { serverName: target.serverName }),
    };
  }

  /** One object, or null when it is not there. @throws ApiError */
  async find(type: ResourceType, namespace: string | null, name: string): Promise<KubeObject | null> {
    try {
      return await this.get(type, namespace, name);
    } catch (error) {
      if (error instanceof ApiError && error.isNotFound) return null;
      throw error;
    }
  }

  /** @throws ApiError, also when it is not there */
  async get(type: ResourceType, namespace: string | null, name: string): Promise<KubeObject> {
    return await this.json("GET", resourcePath(type, namespace, name));
  }

  /** One page of a list. @param query limit, continue, labelSelector, fieldSelector, resourceVersion … @param metadataOnly no more of each object @throws ApiError */
  async listPage(
    type: ResourceType,
    namespace: string | null,
    query: Query = {},
    metadataOnly = false,
  ): Promise<ListPage> {
    const list = await this.json<KubeObject & { items?: KubeObject[] }>("GET", resourcePath(type, namespace), {
      query,
      ...(metadataOnly ? { accept: metadataOf("PartialObjectMetadataList") } : {}),
    });
    const { resourceVersion = "", continue: next } = list.metadata;
    // Items of a list carry neither apiVersion nor kind.
    const head = { apiVersion: apiVersion(type), kind: type.kind };
    return {
      items: (list.items ?? []).map((item) => ({ ...head, ...item })),
      resourceVersion,
      next: typeof next === "string" ? next : "",
    };
  }

  /** All objects of a list, page by page. @throws ApiError */
  async list(type: ResourceType, namespace: string | null, query: Query = {}): Promise<readonly KubeObject[]> {
    const items: KubeObject[] = [];
    let next = "";
    do {
      const page = await this.listPage(type, namespace, {
        limit: "500",
        ...query,
        ...(next === "" ? {} : { continue: next }),
      });
      items.push(...page.items);
      next = page.next;
    } while (next !== "");
    return items;
  }

  /** @throws ApiError; isConflict when it exists */
  async create(type: ResourceType, namespace: string | null, object: unknown): Promise<KubeObject> {
    return await this.json("POST", resourcePath(type, namespace), { body: object });
  }

  /** Replaces an object; with `metadata.resourceVersion` only if nobody wrote since. @throws ApiError; isConflict otherwise */
  async replace(type: ResourceType, object: KubeObject, subresource = ""): Promise<KubeObject> {
    const { namespace = null, name = "" } = object.metadata;
    return await this.json("PUT", resourcePath(type, namespace, name, subresource), { body: object });
  }

  /** Server-side apply: the object holds what `manager` owns, and only that. @throws ApiError */
  async apply(type: ResourceType, object: KubeObject, manager: string, subresource = ""): Promise<KubeObject> {
    const { namespace = null, name = "" } = object.metadata;
    return await this.json("PATCH", resourcePath(type, namespace, name, subresource), {
      query: { fieldManager: manager, force: "true" },
      body: { apiVersion: apiVersion(type), kind: type.kind, ...object },
      contentType: "application/apply-patch+yaml",
    });
  }

  /** JSON merge patch (RFC 7386). @throws ApiError */
  async mergePatch(
    type: ResourceType,
    namespace: string | null,
    name: string,
    patch: unknown,
    subresource = "",
  ): Promise<KubeObject> {
    const path = resourcePath(type, namespace, name, subresource);
    return await this.json("PATCH", path, { body: patch, contentType: "application/merge-patch+json" });
  }

  /** @returns false when it was not there @throws ApiError */
  async delete(type: ResourceType, namespace: string | null, name: string, options: unknown = {}): Promise<boolean> {
    try {
      await this.json("DELETE", resourcePath(type, namespace, name), { body: options });
      return true;
    } catch (error) {
      if (error instanceof ApiError && error.isNotFound) return false;
      throw error;
    }
  }

  /** A path of the server that is no object: "/version", "/readyz", a pod's log or a proxied port. @throws ApiError */
  async text(path: string, query: Query = {}, signal?: AbortSignal): Promise<string> {
    const response = await this.#send("GET", path, {
      query,
      accept: "*/*",
      ...(signal === undefined ? {} : { signal }),
    });
    return await response.text();
  }

  /** @throws ApiError */
  async json<T = KubeObject>(method: string, path: string, send: Send = {}): Promise<T> {
    const response = await this.#send(method, path, send);
    try {
      return await response.json() as T; // the API's word for it; decoders check what they read
    } catch (error) {
      throw new ApiError(`${method} ${path}`, 0, "", errorText(error));
    }
  }

  /**
   * Follows a collection from a version on, until the server ends the stream or `signal` aborts.
   * @param query resourceVersion, labelSelector, fieldSelector …
   * @throws ApiError; isExpired when the version is too old
   */
  async *watch(
    type: ResourceType,
    namespace: string | null,
    query: Query,
    signal: AbortSignal,
    metadataOnly = false,
  ): AsyncGenerator<WatchEvent> {
    const path = resourcePath(type, namespace);
    const all = { watch: "1", allowWatchBookmarks: "true", ...query };
    const accept = metadataOnly ? { accept: metadataOf("PartialObjectMetadata") } : {};
    const response = await this.#send("GET", path, { query: all, signal, isWatch: true, ...accept });
    const decoder = new TextDecoder();
    let rest = "";
    try {
      for await (const chunk of response.body ?? []) {
        rest += decoder.decode(chunk, { stream: true });
        let start = 0;
        for (let end = rest.indexOf("\n"); end >= 0; end = rest.indexOf("\n", start)) {
          const line = rest.slice(start, end);
          start = end + 1;
          if (line !== "") yield JSON.parse(line) as WatchEvent; // the API's word for it
        }
        rest = rest.slice(start);
      }
    } catch (error) {
      if (signal.aborted) return;
      throw error instanceof ApiError ? error : new ApiError(`WATCH ${path}`, 0, "", errorText(error));
    }
  }

  async #send(method: string, path: string, send: Send): Promise<Response> {
    const { login } = this.target;
    if (login === null) return await this.#sendAs(null, method, path, send);
    const credentials = await login.credentials();
    try {
      return await this.#sendAs(credentials, method, path, send);
    } catch (error) {
      if (!(error instanceof ApiError) || error.status !== UNAUTHORIZED) throw error;
      // They may have been withdrawn before their time.
      login.forget(credentials);
      return await this.#sendAs(await login.credentials(), method, path, send);
    }
  }

  /** @param credentials of a login; null: those of the target */
  async #sendAs(credentials: Credentials | null, method: string, path: string, send: Send): Promise<Response> {
    const query = new URLSearchParams(send.query).toString();
    const headers: Record<string, string> = {
      accept: send.accept ?? "application/json",
      "user-agent": `tulle/${VERSION}`,
    };
    if (send.body !== undefined) headers["content-type"] = send.contentType ?? "application/json";
    const request = `${method} ${path}`;
    let response: Response;
    try {
      const token = credentials?.token ?? this.target.token?.();
      if (token !== undefined) headers["authorization"] = `Bearer ${token}`;
      const init = {
        method,
        headers,
        signal: send.isWatch === true ? send.signal ?? null : within(send.signal), // a login has its own time
        body: send.body === undefined ? null : JSON.stringify(send.body),
        tls: credentials?.clientCertificate == null ? this.#tls : { ...this.#tls, ...credentials.clientCertificate },
        timeout: false, // watches are quiet for minutes; others carry a signal
      };
      response = await fetch(`${this.target.server}${path}${query === "" ? "" : `?${query}`}`, init);
    } catch (error) {
      throw new ApiError(request, 0, "", errorText(error));
    }
    if (!response.ok) throw await apiError(request, response);
    return response;
  }
}

/** What to accept, so that the server leaves everything but `metadata` out. */
function metadataOf(kind: string): string {
  return `application/json;as=${kind};g=meta.k8s.io;v=v1,application/json`;
}

/** Ends a request that takes too long. */
function within(signal: AbortSignal | undefined): AbortSignal {
  const timeout = AbortSignal.timeout(REQUEST_TIMEOUT_MS);
  return signal === undefined ? timeout : AbortSignal.any([signal, timeout]);
}
