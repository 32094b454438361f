/** `status.conditions` of our own kinds: our conditions as they should be, those of others as they are. Pure. */
import type { KubeObject } from "../api/client.ts";
import { type PolicyJudge, type PolicyResource, unreadablePolicy } from "../index/policy_status.ts";
import { POLICY_KINDS, type Resource } from "../kube/resources.ts";
import { decodeOnce, firstError, isSame, type RawCondition, timed } from "./_conditions.ts";

/** Ours, also those that an object has no more. */
const OWN_TYPES: ReadonlySet<string> = new Set(["Accepted", "ResolvedRefs"]);
const KINDS: ReadonlySet<string> = new Set(POLICY_KINDS);

/**
 * What `status.conditions` should be; null when it is that already.
 *
 * @param object as the API server has it
 * @param now for conditions that change, RFC 3339
 */
export function policyStatus(object: KubeObject, judge: PolicyJudge, now: string): readonly RawCondition[] | null {
  const status = (object["status"] ?? {}) as { readonly conditions?: readonly RawCondition[] }; // by our schema
  const before = status.conditions ?? [];
  const foreign = before.filter(({ type }) => !OWN_TYPES.has(type));
  const own = before.filter(({ type }) => OWN_TYPES.has(type));
  const read = decodeOnce(object);
  const conditions = read.resource !== null && isPolicy(read.resource)
    ? judge.conditions(read.resource)
    : unreadablePolicy(firstError(read));
  const wanted = timed(conditions, own, object, now);
  return isSame(own, wanted) ? null : [...foreign, ...wanted];
}

function isPolicy(resource: Resource): resource is PolicyResource {
  return KINDS.has(resource.kind);
}
