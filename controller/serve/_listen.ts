/** What our node servers have in common. */
import type { Http2SecureServer } from "node:http2";

/** How long a client may take to complete its handshake, milliseconds. */
export const HANDSHAKE_TIMEOUT_MS = 10_000;

/** Starts listening. @throws Error of the socket, with its code (EADDRINUSE, …) */
export async function startListening(server: Http2SecureServer, port: number, host: string): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  server.once("error", reject);
  server.listen(port, host, resolve);
  await promise;
  server.off("error", reject);
}

/** The port it listens on; 0 when it does not. */
export function listeningPort(server: Http2SecureServer): number {
  const address = server.address();
  return typeof address === "object" && address !== null ? address.port : 0;
}
