/** Decoders for what all kinds share: metadata, references, selectors, names. */
import type { Reader } from "./_reader.ts";
import { ANNOTATION_KEYS, isMeshKey } from "../core/annotations.ts";
import { canonicalIp } from "../core/ip.ts";
import { suggest } from "../../src/base/suggest.ts";
import { describeFound } from "./problem.ts";
import type { LabelSelector, Meta, ObjectRef } from "./resources.ts";

/** Namespace of objects that do not say theirs, as kubectl has it. */
const DEFAULT_NAMESPACE = "default";

/** RFC 1123 label: names of Namespaces, Services and ports. */
export function isLabelName(text: string): boolean {
  return text.length <= 63 && /^[a-z0-9]([-a-z0-9]*[a-z0-9])?$/.test(text);
}

/** RFC 1123 subdomain: names of most objects. */
export function isObjectName(text: string): boolean {
  return text.length <= 253 && /^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$/.test(text);
}

export const LABEL_NAME_FORM = "a name of a–z, 0–9 and -, at most 63 characters";
export const OBJECT_NAME_FORM = "a name of a–z, 0–9, - and ., at most 253 characters";

/** Reads `metadata`. @param namespaced false for kinds that live outside namespaces */
export function readMeta(root: Reader, namespaced: boolean): Meta {
  const meta = root.object("metadata");
  const name = meta.text("name", OBJECT_NAME_FORM, isObjectName);
  const given = meta.textOr("namespace", DEFAULT_NAMESPACE, LABEL_NAME_FORM, isLabelName);
  const labels = meta.textMap("labels");
  const annotations = meta.textMap("annotations");
  for (const key of Object.keys(annotations)) {
    if (!isMeshKey(key) || ANNOTATION_KEYS.includes(key)) continue;
    const near = suggest(key, ANNOTATION_KEYS);
    const hint = near === null ? "" : `, did you mean "${near}"?`;
    meta.warn([...meta.path, "annotations", key], `unknown annotation${hint} (ignored)`, true);
  }
  const created = meta.textOr("creationTimestamp", null, "a time such as 2026-01-31T12:00:00Z", isTime);
  meta.ignore("generateName", "uid", "resourceVersion", "generation", "managedFields", "ownerReferences", "finalizers");
  meta.ignore("selfLink", "deletionTimestamp", "deletionGracePeriodSeconds");
  meta.done();
  const createdMs = created === null ? null : Date.parse(created);
  const kind = String(root.raw("kind"));
  return { kind, namespace: namespaced ? given : "", name, labels, annotations, createdMs };
}

function isTime(text: string): boolean {
  return /^\d{4}-\d\d-\d\dT/.test(text) && !Number.isNaN(Date.parse(text));
}

/** Reads group, kind, namespace and name of a reference; leaves the rest (and `done`) to the caller. */
export function readRef(ref: Reader, group: string, kind: string | null): ObjectRef {
  const foundGroup = ref.has("group") || ref.raw("group") === "" ? readGroup(ref, group) : group;
  const foundKind = kind === null
    ? ref.text("kind", "the kind of the object")
    : ref.textOr("kind", kind, "the kind of the object");
  const name = ref.text("name", OBJECT_NAME_FORM, isObjectName);
  const namespace = ref.textOr("namespace", null, LABEL_NAME_FORM, isLabelName);
  return { group: foundGroup === "core" ? "" : foundGroup, kind: foundKind, namespace, name };
}

function readGroup(ref: Reader, fallback: string): string {
  const value = ref.raw("group");
  return value === "" ? "" : ref.textOr("group", fallback, "an API group such as policy.tulle.dev");
}

/** Reads a label selector; null when the key is absent. An empty selector selects everything. */
export function readSelector(parent: Reader, key: string): LabelSelector | null {
  const selector = parent.objectOr(key);
  if (selector === null) return null;
  const matchLabels = selector.textMap("matchLabels");
  const matchExpressions = selector.objects("matchExpressions", 64, (item) => {
    const operator = item.oneOf("operator", ["In", "NotIn", "Exists", "DoesNotExist"], "Exists");
    if (!item.has("operator")) item.bad("operator", "one of In, NotIn, Exists, DoesNotExist");
    const values = item.texts("values", 256, "text");
    if ((operator === "In" || operator === "NotIn") && values.length === 0) {
      item.bad("values", `a value for ${operator}`);
    }
    const requirement = { key: item.text("key", "a label's key"), operator, values };
    item.done();
    return requirement;
  });
  selector.done();
  return { matchLabels, matchExpressions };
}

/** Reads a port given by number or name. */
export function readPort(parent: Reader, key: string): number | string {
  const value = parent.raw(key);
  if (typeof value === "number" && Number.isInteger(value) && value >= 1 && value <= 65535) return value;
  if (typeof value === "string" && isLabelName(value) && /[a-z]/.test(value)) return value;
  const quoted = typeof value === "string" && /^\d+$/.test(value) ? " without quotes" : "";
  parent.bad(key, `a number 1–65535${quoted} or the name of a port`);
  return 1;
}

/** Reads an IP address from a value at a path; "" after an error. */
export function readIp(reader: Reader, value: unknown, path: readonly (string | number)[]): string {
  const ip = typeof value === "string" ? canonicalIp(value) : null;
  if (ip === null) reader.fail(path, `found ${describeFound(value)}, want an IP address such as 10.0.0.7`);
  return ip ?? "";
}
