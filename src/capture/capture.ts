/**
 * Installs, removes and looks for the capture rules of the network namespace in which this thread is. For another one:
 * `namespace.run(() => installCapture(plan))`.
 */
import type { CapturePlan } from "./capture_plan.ts";
import { captureRules } from "./capture_rules.ts";
import { NETLINK_NETFILTER, NetlinkSocket } from "./netlink_socket.ts";
import { Hook, NftBatch, PRIORITY_DSTNAT, writeGetTable } from "./nft_batch.ts";
import { Errno, SystemError } from "./system_error.ts";

/** Name of our table, family inet. Nobody else's tables are touched. */
export const TABLE = "tulle";

/**
 * Puts the plan into force. Atomic: connections see the old rules or the new ones. Idempotent: what was there under our
 * name is replaced.
 *
 * @throws SystemError: EPERM without CAP_NET_ADMIN, ENOENT or EOPNOTSUPP when the kernel lacks NAT in nf_tables
 * @throws RangeError when the plan has a malformed port or block
 */
export function installCapture(plan: CapturePlan): void {
  using socket = new NetlinkSocket(NETLINK_NETFILTER);
  const { bytes, acks } = encodeInstall(plan, socket.sequence(MAX_MESSAGES));
  socket.request("install the capture rules", bytes, acks);
}

/** Removes our table; nothing happens when there is none. @throws SystemError */
export function removeCapture(): void {
  using socket = new NetlinkSocket(NETLINK_NETFILTER);
  const batch = new NftBatch(socket.sequence(MAX_MESSAGES));
  batch.addTable(TABLE);
  batch.deleteTable(TABLE);
  const bytes = batch.finish();
  socket.request("remove the capture rules", bytes, batch.acks);
}

/** Whether our table is there. @throws SystemError */
export function hasCapture(): boolean {
  using socket = new NetlinkSocket(NETLINK_NETFILTER);
  try {
    socket.request("look for the capture rules", writeGetTable(socket.sequence(1), TABLE), 1);
    return true;
  } catch (error) {
    if (error instanceof SystemError && error.errno === Errno.ENOENT) return false;
    throw error;
  }
}

/** Room for the sequence numbers of a batch: 256 skip rules and the fixed ones. */
const MAX_MESSAGES = 512;

/** The transaction of a plan: drop our table if it is there, build it anew. */
export function encodeInstall(plan: CapturePlan, sequence: number): { bytes: Uint8Array<ArrayBuffer>; acks: number } {
  const batch = new NftBatch(sequence);
  batch.addTable(TABLE); // so that the deletion finds one
  batch.deleteTable(TABLE);
  batch.addTable(TABLE);
  batch.addNatChain(TABLE, "output", Hook.OUTPUT, PRIORITY_DSTNAT);
  batch.addNatChain(TABLE, "prerouting", Hook.PREROUTING, PRIORITY_DSTNAT);
  for (const rule of captureRules(plan)) batch.addRule(TABLE, rule.chain, rule.expressions, rule.comment);
  const bytes = batch.finish();
  return { bytes, acks: batch.acks };
}
