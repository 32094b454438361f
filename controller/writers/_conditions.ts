/** Conditions of a status as the API server has them: times that last, generations, and what has been written already. Pure. */
import type { KubeObject } from "../api/client.ts";
import { type Decoded, decodeResource } from "../kube/decode.ts";
import { formatPath, type KeyPath } from "../kube/problem.ts";

/** What a judge says; the writer adds the rest. */
export interface Condition {
  readonly type: string;
  readonly status: "True" | "False";
  readonly reason: string;
  readonly message: string;
}

export interface RawCondition extends Condition {
  readonly lastTransitionTime?: string;
  readonly observedGeneration?: number;
}

/** Objects are replaced, never changed: a thousand of them are looked at whenever one changes, and read once. */
const decoded = new WeakMap<KubeObject, Decoded>();

export function decodeOnce(object: KubeObject): Decoded {
  let found = decoded.get(object);
  if (found === undefined) {
    found = decodeResource(object);
    decoded.set(object, found);
  }
  return found;
}

/** The first error of an object, "" without one. */
export function firstError({ findings }: Decoded): string {
  const problem = findings.find(({ severity }) => severity === "error");
  return problem === undefined ? "" : `${formatPath(problem.path)}: ${problem.detail}`;
}

/**
 * The errors of a route, each with the rule, by its name if it has one, and the match it is about: a path of keys counts them
 * from 0, and a reader of the object from 1.
 */
export function routeErrors({ findings }: Decoded, object: KubeObject): string {
  const errors = findings.filter(({ severity }) => severity === "error");
  return errors.map(({ path, detail }) => `${placeOf(path, object)}${formatPath(path)}: ${detail}`).join("; ");
}

/** `rule "old" (2 of 3), match 1: `, or "" for what is about the route as a whole. */
function placeOf([spec, list, index, inner, at]: KeyPath, object: KubeObject): string {
  if (spec !== "spec" || list !== "rules" || typeof index !== "number") return "";
  const { rules = [] } = object["spec"] as { rules?: readonly { readonly name?: unknown }[] }; // the path leads there
  const name = rules[index]?.name;
  const rule = `rule ${typeof name === "string" ? `${JSON.stringify(name)} ` : ""}(${index + 1} of ${rules.length})`;
  return inner === "matches" && typeof at === "number" ? `${rule}, match ${at + 1}: ` : `${rule}: `;
}

/**
 * Conditions with generation and time: a status that holds on keeps its time.
 *
 * @param known what the object has
 * @param now for conditions that change, RFC 3339
 */
export function timed(
  conditions: readonly Condition[],
  known: readonly RawCondition[],
  object: KubeObject,
  now: string,
): RawCondition[] {
  const observedGeneration = Number(object.metadata["generation"] ?? 0);
  return conditions.map((condition) => {
    const before = known.find(({ type, status }) => type === condition.type && status === condition.status);
    return { ...condition, observedGeneration, lastTransitionTime: before?.lastTransitionTime ?? now };
  });
}

/** Whether two plain values are equal, whatever the order of their keys. */
export function isSame(a: unknown, b: unknown): boolean {
  return sorted(a) === sorted(b);
}

function sorted(value: unknown): string {
  return JSON.stringify(
    value,
    (_key, item: unknown) =>
      typeof item === "object" && item !== null && !Array.isArray(item)
        ? Object.fromEntries(Object.entries(item).sort(([a], [b]) => (a < b ? -1 : 1)))
        : item,
  );
}
