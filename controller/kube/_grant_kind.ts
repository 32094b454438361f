/** Decoder of ReferenceGrant (gateway.networking.k8s.io/v1 and v1beta1). */
import { isLabelName, isObjectName, LABEL_NAME_FORM, OBJECT_NAME_FORM, readMeta } from "./_meta.ts";
import type { Reader } from "./_reader.ts";
import type { ReferenceGrant } from "./resources.ts";

/** Most entries, as the API limits them. */
const MAX_ENTRIES = 16;

export function readReferenceGrant(root: Reader): ReferenceGrant {
  const meta = readMeta(root, true);
  const spec = root.object("spec");
  const from = spec.objects("from", MAX_ENTRIES, (item) => {
    const entry = {
      group: readGroup(item),
      kind: item.text("kind", "the kind of the object that refers"),
      namespace: item.text("namespace", LABEL_NAME_FORM, isLabelName),
    };
    item.done();
    return entry;
  });
  const to = spec.objects("to", MAX_ENTRIES, (item) => {
    const entry = {
      group: readGroup(item),
      kind: item.text("kind", "the kind that is referred to"),
      name: item.textOr("name", null, OBJECT_NAME_FORM, isObjectName),
    };
    item.done();
    return entry;
  });
  spec.done();
  return { kind: "ReferenceGrant", meta, from, to };
}

/** "" and "core" are the core group. */
function readGroup(item: Reader): string {
  const group = item.raw("group");
  return group === "" || group === "core" || group === undefined ? "" : item.text("group", "an API group");
}
