/** The paths of the admin server that people and tools ask for, by hono. */
import { Hono, type MiddlewareHandler } from "hono";
import { type Caller, isAllowed, isLoopback } from "./access.ts";
import type { Admin, AdminDeps } from "./admin.ts";
import { parseTapQuery } from "./tap_query.ts";
import { tapStream } from "./tap_stream.ts";

/** Header of a request to upgrade. */
const PROOF = "tulle-proof";
/** How long a new program may take to become ready: far above what it takes, for busy machines. */
const DEFAULT_UPGRADE_MS = 60_000;
const MAX_UPGRADE_MS = 600_000;

type Env = { Bindings: Caller };

/** All but the frequent paths. */
export function adminApp(deps: AdminDeps): Admin {
  const app = new Hono<Env>();
  app.get("/probe/:index", async (context) => {
    const trouble = await deps.probe(Number(context.req.param("index")));
    if (trouble === null) return context.text("no such probe: TULLE_PROBES lists them\n", 404);
    return trouble === "" ? context.text("ok\n") : context.text(`${trouble}\n`, 503);
  });
  app.get(
    "/config",
    readers(deps),
    async (context) => context.text(JSON.stringify(await deps.configDump(), plainValue, 2) + "\n", 200, JSON_TYPE),
  );
  app.get(
    "/flows",
    readers(deps),
    async (context) => context.text(JSON.stringify(await deps.flows()) + "\n", 200, JSON_TYPE),
  );
  app.get("/tap", readers(deps), (context) => {
    const query = parseTapQuery(new URL(context.req.url).searchParams);
    if (typeof query === "string") return context.text(`${query}\n`, 400);
    const stream = tapStream(query, deps.subscribeTap);
    if (stream === null) return context.text("too many watchers: end another tap first\n", 429);
    return context.body(stream, 200, { "content-type": "application/x-ndjson", "cache-control": "no-store" });
  });
  app.post("/drain", operators, (context) => {
    deps.drain();
    return context.text("draining\n", 202);
  });
  app.post("/shutdown", operators, (context) => {
    deps.shutdown();
    return context.text("shutting down\n", 202);
  });
  app.post("/upgrade", operators, async (context) => {
    const { searchParams } = new URL(context.req.url);
    const binary = searchParams.get("binary");
    const timeoutMs = Number(searchParams.get("timeout-ms") ?? DEFAULT_UPGRADE_MS);
    if (binary !== null && !binary.startsWith("/")) return context.text("binary: want an absolute path\n", 400);
    if (!(timeoutMs >= 1 && timeoutMs <= MAX_UPGRADE_MS)) {
      return context.text(`timeout-ms: want 1–${MAX_UPGRADE_MS}\n`, 400);
    }
    const { status, body } = await deps.upgrade({ binary, timeoutMs, proof: context.req.header(PROOF) ?? null });
    return context.text(JSON.stringify(body) + "\n", status, JSON_TYPE);
  });
  for (const path of ["/config", "/flows", "/tap"]) {
    app.all(path, (context) => notAllowed(context, "GET"));
  }
  for (const path of ["/drain", "/shutdown", "/upgrade"]) app.all(path, (context) => notAllowed(context, "POST"));
  app.notFound((context) => context.text(`nothing at ${context.req.path}: ${PATHS}\n`, 404));
  app.onError((error, context) => context.text(`internal: ${error.message}\n`, 500));
  return { fetch: (request, caller) => app.fetch(request, caller) };
}

const PATHS = "GET /metrics /ready /live /config /flows /tap /probe/N, POST /drain /shutdown /upgrade";
const JSON_TYPE = { "content-type": "application/json; charset=utf-8" };

function readers(deps: AdminDeps): MiddlewareHandler<Env> {
  return async (context, next) => {
    if (isBrowser(context.req.raw.headers)) return context.text(BROWSER, 403);
    if (!isAllowed(context.env.address, deps.allow)) {
      return context.text(
        "only for loopback and the networks in TULLE_ADMIN_ALLOW: ask from inside the workload's network namespace\n",
        403,
      );
    }
    return await next();
  };
}

const operators: MiddlewareHandler<Env> = async (context, next) => {
  if (isBrowser(context.req.raw.headers)) return context.text(BROWSER, 403);
  if (!isLoopback(context.env.address)) {
    return context.text("only for loopback: call it from inside the workload's network namespace\n", 403);
  }
  return await next();
};

const BROWSER = "not for web pages: call it without an Origin header\n";

/** A page in a browser on this machine calls from loopback, too, whatever site it came from. */
function isBrowser(headers: Headers): boolean {
  return headers.has("origin") || (headers.get("sec-fetch-site") ?? "none") !== "none";
}

function notAllowed(
  context: { text: (text: string, status: 405, headers: Record<string, string>) => Response },
  method: string,
): Response {
  return context.text(`want ${method}\n`, 405, { allow: method });
}

/** What JSON has no form for: big numbers, and maps, which would be written as {}. */
function plainValue(_key: string, value: unknown): unknown {
  if (typeof value === "bigint") return value.toString();
  if (value instanceof Map) return Object.fromEntries(value);
  return value instanceof Set ? [...value] : value;
}
