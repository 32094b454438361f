/** Binds the admin server. */
import type { createAdmin } from "./admin.ts";

/** Seconds after which a silent connection is closed. A tap may be silent for longer and is exempt. */
const IDLE_SECONDS = 60;
/** No path takes a body; the largest that is read before it is refused, bytes. */
const MAX_BODY_BYTES = 1024;

/** A server that listens. */
export interface AdminServer {
  readonly port: number;
  /** Stops; open connections are closed. */
  stop(): Promise<void>;
}

/** Listens. Throws when the address cannot be had. @param at IP address and port; port 0 takes any */
export function listenAdmin(
  admin: ReturnType<typeof createAdmin>,
  at: { readonly host: string; readonly port: number },
): AdminServer {
  const server = Bun.serve({
    hostname: at.host,
    port: at.port,
    idleTimeout: IDLE_SECONDS,
    maxRequestBodySize: MAX_BODY_BYTES,
    development: false,
    // Without this line `development: false` shares the port with whoever listens there (Bun 1.4.5).
    reusePort: false,
    fetch(request, server) {
      if (new URL(request.url).pathname === "/tap") server.timeout(request, 0);
      return admin.fetch(request, { address: server.requestIP(request)?.address ?? null });
    },
    error: (error) => new Response(`internal: ${error.message}\n`, { status: 500 }),
  });
  return { port: server.port ?? at.port, stop: () => server.stop(true) };
}
