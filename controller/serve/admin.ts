/** The operator's port: metrics, health, and what is in force. Plain HTTP; nothing on it changes anything. */
import { Hono } from "hono";
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
  app.get("/metrics", (context) => {
    return context.body(options.registry.render(), 200, { "content-type": "text/plain; version=0.0.4; charset=utf-8" });
  });
  app.get("/config", async (context) =>
    context.body(JSON.stringify(await options.config(), null, 2) + "\n", 200, {
      "content-type": "application/json",
    }));
  app.notFound((context) => context.text("want /metrics, /ready, /live or /config\n", 404));
  // Without reusePort: false, development: false shares the port with whoever listens there (Bun 1.4.5).
  const settings = { development: false, reusePort: false };
  return Bun.serve({ ...settings, hostname: options.host, port: options.port, fetch: app.fetch });
}
