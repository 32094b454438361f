/** What a proxy asks about: an original destination or a name, each with a port. */
import { canonicalIp } from "./ip.ts";

export type Target =
  | { readonly kind: "address"; readonly text: string; readonly ip: string; readonly port: number }
  | { readonly kind: "name"; readonly text: string; readonly host: string; readonly port: number };

/** What to write, for messages. */
export const TARGET_FORM = "a target such as 10.0.0.7:80, [fd00::7]:80 or web.shop.svc.cluster.local:80";

/** Parses "ip:port", "[ip]:port", "host:port". @returns null when it is none of them; `text` is kept as it was given */
export function parseTarget(text: string): Target | null {
  if (text.length > 300) return null; // a DNS name has at most 253 characters
  const colon = text.lastIndexOf(":");
  const portText = text.slice(colon + 1);
  if (colon <= 0 || !/^[1-9][0-9]{0,4}$/.test(portText)) return null;
  const port = Number(portText);
  if (port > 65535) return null;
  const host = text.slice(0, colon);
  if (host.startsWith("[")) {
    const ip = host.endsWith("]") && host.includes(":") ? canonicalIp(host.slice(1, -1)) : null;
    return ip === null ? null : { kind: "address", text, ip, port };
  }
  if (host.includes(":")) return null; // IPv6 without brackets: where the port starts would be a guess
  const ip = canonicalIp(host);
  if (ip !== null) return { kind: "address", text, ip, port };
  const name = host.toLowerCase().replace(/\.$/, "");
  if (!/^[a-z0-9_]([-a-z0-9_]*[a-z0-9_])?(\.[a-z0-9_]([-a-z0-9_]*[a-z0-9_])?)*$/.test(name)) return null;
  return { kind: "name", text, host: name, port };
}
