/**
 * Where a redirected connection was going (SO_ORIGINAL_DST of netfilter, for IPv4 and IPv6).
 *
 * The buffers are backed by an ArrayBuffer of their own, and pinned: otherwise the kernel would write to memory that is
 * no longer ours (seen as misrouting, and as a broken heap).
 */
import { ipText } from "../base/ip.ts";
import { libc, pinnedPtr } from "./_libc.ts";

const SOL_IP = 0;
const SOL_IPV6 = 41;
/** Same number in both families (linux/netfilter_ipv4.h, ip6_tables.h). */
const SO_ORIGINAL_DST = 80;
/** struct sockaddr_in6, the larger of the two. */
const SOCKADDR_BYTES = 28;

const address = new Uint8Array(new ArrayBuffer(SOCKADDR_BYTES));
const addressView = new DataView(address.buffer);
const length = new Int32Array(new ArrayBuffer(4));
const addressPtr = pinnedPtr(address);
const lengthPtr = pinnedPtr(length);

/** An address and port; `ip` in its shortest usual form. */
export interface SocketAddress {
  readonly ip: string;
  readonly port: number;
}

/**
 * Asks the kernel for the original destination of an accepted socket.
 *
 * @param fd descriptor of the accepted socket
 * @param isIPv6 the connection is IPv6 (not v4-mapped)
 * @returns the address, or null when the kernel knows none (connection tracking does not see it)
 */
export function originalDestination(fd: number, isIPv6: boolean): SocketAddress | null {
  length[0] = SOCKADDR_BYTES;
  const level = isIPv6 ? SOL_IPV6 : SOL_IP;
  if (libc.getsockopt(fd, level, SO_ORIGINAL_DST, addressPtr, lengthPtr) !== 0) return null;
  const port = addressView.getUint16(2);
  if (!isIPv6) return { ip: `${address[4]}.${address[5]}.${address[6]}.${address[7]}`, port };
  return { ip: ipText(address.subarray(8, 24)), port };
}
