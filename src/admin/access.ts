/** Who may use which part of the admin server. */
import { blockContains, type IpBlock, parseIp } from "../model/ip.ts";

/** What is known of a caller: the address of its connection, never a header. */
export interface Caller {
  /** Null when it cannot be told; then only public paths are served. */
  readonly address: string | null;
}

/** Whether the address is the machine's (or the network namespace's) own loopback. */
export function isLoopback(address: string | null): boolean {
  const ip = address === null ? null : parseIp(address);
  if (ip === null) return false;
  return ip.v4 ? ip.d >>> 24 === 127 : ip.a === 0 && ip.b === 0 && ip.c === 0 && ip.d === 1;
}

/** Whether the address is loopback or in one of the blocks. */
export function isAllowed(address: string | null, blocks: readonly IpBlock[]): boolean {
  if (isLoopback(address)) return true;
  const ip = address === null ? null : parseIp(address);
  return ip !== null && blocks.some((block) => blockContains(block, ip));
}
