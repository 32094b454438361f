/** Upgrade: the protocols that a client asks an HTTP/1.1 connection to change to (RFC 9110 §7.8). */
import { isToken } from "./_bytes.ts";
import { trim } from "./_connection.ts";

/**
 * Adds the protocols of one Upgrade value to those seen before.
 *
 * HTTP/2 is never upgraded to through a proxy that speaks it natively (RFC 9113 §3.1 deprecates h2c by Upgrade), and a
 * forwarded h2c upgrade tunnels requests past every policy. Elements that are not `token[/token]` are dropped.
 */
export function upgradeWithoutHttp2(seen: string, value: string): string {
  let out = seen;
  for (const part of value.split(",")) {
    const protocol = trim(part);
    const slash = protocol.indexOf("/");
    const name = slash < 0 ? protocol : protocol.slice(0, slash);
    if (!isToken(name) || (slash >= 0 && !isToken(protocol.slice(slash + 1)))) continue;
    const lower = name.toLowerCase();
    if (lower === "h2c" || lower === "h2") continue;
    out = out === "" ? protocol : `${out}, ${protocol}`;
  }
  return out;
}
