/**
 * The admin server of a proxy.
 *
 * /metrics, /ready and /live are for everyone on the network: kubelet and Prometheus have no identity. What shows configuration
 * or traffic is for loopback and the networks that the operator names; what changes something is for loopback alone.
 *
 * What is asked all the time is answered here; the rest, and the router with it, is loaded when it is asked for.
 */
import type { IpBlock } from "../model/ip.ts";
import type { AccessEntry } from "../telemetry/access_log.ts";
import { METRICS_CONTENT_TYPE } from "../telemetry/render.ts";
import type { Caller } from "./access.ts";
import { Scrapes } from "../base/scrapes.ts";

/** Whether the proxy can serve, and what it still waits for. */
export interface Readiness {
  readonly ready: boolean;
  /** Short texts such as "no certificate yet"; empty when ready. */
  readonly reasons: readonly string[];
}

/** A new program is to take this proxy's place. */
export interface UpgradeAsked {
  /** Absolute path; null for the file that this process runs. */
  readonly binary: string | null;
  /** How long it may take to become ready, milliseconds. */
  readonly timeoutMs: number;
  /** Contents of the file that an answer of 401 has named: shows that the caller may look into this process. */
  readonly proof: string | null;
}

/** An answer as JSON. */
export interface UpgradeAnswer {
  readonly status: 200 | 401 | 409 | 502;
  readonly body: Readonly<Record<string, unknown>>;
}

/** What the server asks of the proxy. None throws. */
export interface AdminDeps {
  readonly renderMetrics: () => string | Promise<string>;
  readonly isReady: () => Readiness;
  /** A value for JSON: what the proxy runs now. Never a key or a token. */
  readonly configDump: () => unknown | Promise<unknown>;
  /** A value for JSON: who has called this workload, as far as it is kept. */
  readonly flows: () => unknown | Promise<unknown>;
  /** @returns the way to end it, or null when there are too many watchers */
  readonly subscribeTap: (watcher: (entry: AccessEntry) => void) => (() => void) | null;
  /** Begins to drain; the process stays. */
  readonly drain: () => void;
  /** Drains and ends the process. */
  readonly shutdown: () => void;
  /** Has a new program take this proxy's place; answers once that serves, or will not. */
  readonly upgrade: (asked: UpgradeAsked) => Promise<UpgradeAnswer>;
  /** Asks the application on behalf of the kubelet. @returns "" when it is well, why not, or null when there is no such probe */
  readonly probe: (index: number) => Promise<string | null>;
  /** Networks that may read /config, /flows and /tap beside loopback. */
  readonly allow: readonly IpBlock[];
}

/** The server as a function of a request and its caller. */
export interface Admin {
  fetch(request: Request, caller: Caller): Response | Promise<Response>;
}

type Frequent = (deps: AdminDeps, scrapes: Scrapes) => Response | Promise<Response>;

/** Paths that are asked of an idle proxy. */
const FREQUENT: Readonly<Record<string, Frequent>> = {
  "/live": () => new Response("live\n"),
  "/ready": (deps) => {
    const { ready, reasons } = deps.isReady();
    return ready ? new Response("ready\n") : new Response(`not ready: ${reasons.join("; ")}\n`, { status: 503 });
  },
  "/metrics": async (_deps, scrapes) => {
    const text = scrapes.text();
    if (text === null) return new Response("too many scrapes\n", { status: 429, headers: { "retry-after": "1" } });
    return new Response(await text, { headers: { "content-type": METRICS_CONTENT_TYPE } });
  },
};

/** Makes the server. */
export function createAdmin(deps: AdminDeps): Admin {
  let app: Admin | null = null;
  const scrapes = new Scrapes(deps.renderMetrics, () => performance.now());
  return {
    async fetch(request, caller) {
      const frequent = FREQUENT[new URL(request.url).pathname];
      if (frequent !== undefined) return await answer(request.method, () => frequent(deps, scrapes));
      app ??= (await import("./app.ts")).adminApp(deps);
      return await app.fetch(request, caller);
    },
  };
}

async function answer(method: string, frequent: () => Response | Promise<Response>): Promise<Response> {
  if (method !== "GET" && method !== "HEAD") {
    return new Response("want GET\n", { status: 405, headers: { allow: "GET, HEAD" } });
  }
  const response = await frequent();
  return method === "GET" ? response : new Response(null, response);
}
