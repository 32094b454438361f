/** Picks one of a rule's backends. */
import type { Backend, RouteRule, WeightedBackend } from "../../model/outbound.ts";

/**
 * Picks a backend by weight.
 *
 * @param rule the rule that matched
 * @param random in [0, 1)
 * @returns the backend; null when the share belongs to a reference that does not resolve, or no weight is left: the
 *   Gateway API asks for a 500 then
 */
export function pickBackend(rule: RouteRule, random: number): Backend | null {
  const list = rule.backends;
  let rest = random * rule.totalWeight;
  for (let i = 0; i < list.length; i++) {
    const share = list[i] as WeightedBackend; // in range
    if (rest < share.weight) return share.backend;
    rest -= share.weight;
  }
  return null;
}
