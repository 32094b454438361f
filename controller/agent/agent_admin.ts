/** The agent's own port: /metrics /ready /live, for the kubelet and Prometheus. */
import type { Registry } from "../core/metrics.ts";

export interface AgentAdminOptions {
  readonly host: string;
  readonly port: number;
  readonly registry: Registry;
  /** Why the agent is not ready; "" when it is. */
  readonly trouble: () => string;
}

/** @throws Error of the socket, with its code */
export function serveAgentAdmin(options: AgentAdminOptions): { stop(): void } {
  // Without reusePort: false, development: false shares the port with whoever listens there (Bun 1.4.5).
  const settings = { development: false, reusePort: false };
  const server = Bun.serve({
    ...settings,
    hostname: options.host,
    port: options.port,
    fetch(request) {
      switch (new URL(request.url).pathname) {
        case "/live":
          return new Response("live\n");
        case "/ready": {
          const trouble = options.trouble();
          return trouble === "" ? new Response("ready\n") : new Response(`${trouble}\n`, { status: 503 });
        }
        case "/metrics":
          return new Response(options.registry.render(), {
            headers: { "content-type": "text/plain; version=0.0.4; charset=utf-8" },
          });
        default:
          return new Response("want /metrics, /ready or /live\n", { status: 404 });
      }
    },
  });
  return { stop: () => void server.stop(true) };
}
