/** A SubscribeResponse as what it carries. */
import type { InboundPolicy } from "../model/inbound.ts";
import type { OutboundTarget } from "../model/outbound.ts";
import { bad, ok, type Result } from "../base/result.ts";
import { decodeInbound } from "./decode_inbound.ts";
import { decodeOutbound } from "./decode_outbound.ts";
import { decodeUpdate, type RawUpdate } from "./messages.ts";

/** Names of resources: this workload's policy, and what stands before the key of a target. */
export const INBOUND = "inbound";
export const OUTBOUND = "outbound/";

export type Snapshot =
  | { readonly kind: "outbound"; readonly target: OutboundTarget }
  | { readonly kind: "inbound"; readonly policy: InboundPolicy };

/** Decodes and validates a whole message. */
export function decodeSnapshot(message: Uint8Array): Result<Snapshot> {
  const update = decodeUpdate(message);
  return update === null ? bad("update", "malformed protobuf", "a SubscribeResponse") : snapshotOf(update);
}

/** The same for an update whose envelope was read. */
export function snapshotOf(update: RawUpdate): Result<Snapshot> {
  const { name, version, body } = update;
  if (update.kind === "inbound" && name === INBOUND) {
    const policy = decodeInbound(version, body);
    return policy.ok ? ok({ kind: "inbound", policy: policy.value }) : policy;
  }
  if (update.kind === "outbound" && name.startsWith(OUTBOUND)) {
    const target = decodeOutbound(name.slice(OUTBOUND.length), version, body);
    return target.ok ? ok({ kind: "outbound", target: target.value }) : target;
  }
  return bad("name", JSON.stringify(name), `"${INBOUND}" or "${OUTBOUND}<target>" with its resource`);
}
