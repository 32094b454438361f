/** The nameservers of the workload (resolv.conf(5)): the only ones whose answers are believed. */
import { formatIp, parseIp } from "../../model/ip.ts";

export interface Nameserver {
  readonly host: string;
  readonly port: number;
}

const DNS_PORT = 53;
/** As many as the C library uses (MAXNS). */
const MAX_NAMESERVERS = 3;
/** Larger files are no resolv.conf, bytes. */
export const MAX_RESOLV_CONF = 64 * 1024;

/** @param text of resolv.conf; lines that cannot be read are left out, as resolvers do */
export function parseNameservers(text: string): Nameserver[] {
  const found: Nameserver[] = [];
  for (const line of text.split("\n")) {
    const [, host = ""] = /^\s*nameserver\s+(\S+)/.exec(line) ?? [];
    const ip = parseIp(host);
    if (ip !== null && found.length < MAX_NAMESERVERS) found.push({ host: formatIp(ip), port: DNS_PORT });
  }
  return found;
}
