/** Whether TLS will take a key, a certificate chain and roots, before anything depends on them. */
import type { SocketHandler } from "bun";

/** Nothing connects: the name is ours alone, and the socket is gone before the function returns. */
const NOBODY: SocketHandler = { data() {} };

/**
 * Loads the parts as a listener would, on an abstract Unix socket. (`node:tls` has a function for it, at the price of 6 MB
 * of resident memory for modules that nothing else here needs.)
 *
 * @param parts PEM; the leaf comes first in `cert`
 * @returns "" or what is wrong with them
 */
export function tlsProblem(parts: { readonly key: string; readonly cert: string; readonly ca: string }): string {
  try {
    const unix = `\0tulle-tls-check-${process.pid}-${Math.random()}`;
    Bun.listen({ unix, tls: { ...parts }, socket: NOBODY }).stop(true);
    return "";
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}
