/** Answers of a directory as the bytes that a proxy gets, for who wants to ask a proxy's own functions. */
import { toBinary } from "@bufbuild/protobuf";
import { SubscribeResponseSchema } from "../../proto/gen/tulle/discovery/v1/discovery_pb.ts";
import type { InboundWorkload, OutboundTarget } from "../core/snapshot.ts";
import { encodeInbound, encodeOutbound, responseOf } from "./encode.ts";

/** A message about a target. @param key what was asked for, "host:port" */
export function targetMessage(key: string, target: OutboundTarget): Uint8Array {
  return toBinary(SubscribeResponseSchema, responseOf(`outbound/${key}`, encodeOutbound(target), true));
}

/** A message about the policy of a workload. */
export function policyMessage(workload: InboundWorkload): Uint8Array {
  return toBinary(SubscribeResponseSchema, responseOf("inbound", encodeInbound(workload), true));
}
