/** The operator's port: metrics, health, and what is in force. Plain HTTP; nothing on it changes anything. */
import { type Context, Hono } from "hono";
import { Scrapes } from "../../src/base/scrapes.ts";
import type { Registry } from "../core/metrics.ts";

export interface AdminOptions {
  readonly host: string;
  readonly port: number;
  readonly registry: Registry;
  /** True once proxies can be served. */
  readonly isReady: () => boolean;
  /** What /config shows: plain data. */
  readonly config: () => Promise<unknown>;
}

/** Starts the port. The caller owns the server. @throws Error of the socket, with its code */
export function serveAdmin(options: AdminOptions): Bun.Server<undefined> {
  const app = new Hono();
  app.get("/live", (context) => context.text("live\n"));
  app.get("/ready", (context) => options.isReady() ? context.text("ready\n") : context.text("starting\n", 503));
  const now = () => performance.now();
  const metrics = new Scrapes(() => options.registry.render(), now);
  const config = new Scrapes(async () => JSON.stringify(await options.config(), null, 2) + "\n", now);
  app.get("/metrics", (context) => serveText(context, metrics, "text/plain; version=0.0.4; charset=utf-8"));
  app.get("/config", (context) => serveText(context, config, "application/json"));
  app.notFound((context) => context.text("want /metrics, /ready, /live or /config\n", 404));
  // Without reusePort: false, development: false shares the port with whoever listens there (Bun 1.4.5).
  const settings = { development: false, reusePort: false };
  return Bun.serve({ ...settings, hostname: options.host, port: options.port, fetch: app.fetch });
}

async function serveText(context: Context, scrapes: Scrapes, type: string): Promise<Response> {
  const text = scrapes.text();
  if (text === null) return context.text("too many scrapes\n", 429, { "retry-after": "1" });
  return context.body(await text, 200, { "content-type": type });
}
