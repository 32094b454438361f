/** Label selectors. */
import type { LabelRequirement, LabelSelector } from "../kube/resources.ts";

type Labels = Readonly<Record<string, string>>;

/** True when every label of the selector has that value. */
export function selectsLabels(selector: Labels, labels: Labels): boolean {
  for (const key in selector) if (!Object.hasOwn(labels, key) || labels[key] !== selector[key]) return false;
  return true;
}

/** Kubernetes' LabelSelector: all labels and all expressions hold; an empty one selects everything. */
export function selects(selector: LabelSelector, labels: Labels): boolean {
  return selectsLabels(selector.matchLabels, labels) &&
    selector.matchExpressions.every((requirement) => holds(requirement, labels));
}

function holds({ key, operator, values }: LabelRequirement, labels: Labels): boolean {
  const value = Object.hasOwn(labels, key) ? labels[key] : undefined;
  switch (operator) {
    case "In":
      return value !== undefined && values.includes(value);
    case "NotIn":
      return value === undefined || !values.includes(value);
    case "Exists":
      return value !== undefined;
    case "DoesNotExist":
      return value === undefined;
    default:
      operator satisfies never;
      return false;
  }
}
