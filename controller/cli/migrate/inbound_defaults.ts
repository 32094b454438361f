/** Annotations for what ports admit that no Server is about. */
import type { Subject } from "./istio_subjects.ts";
import { asMapping, type Migration, type Source } from "./migration.ts";
import type { Json } from "./view.ts";

export const DEFAULT_POLICY = "tulle.dev/default-inbound-policy";

/** What holds in a namespace for ports that no Server is about. */
export function setNamespaceDefault(migration: Migration, namespace: string, policy: string, because: Source): void {
  const source = migration.find("", "Namespace", "", namespace);
  const written = migration.outputs().find(({ value }) => {
    return value["kind"] === "Namespace" && asMapping(value["metadata"])["name"] === namespace;
  });
  if (source === null && written !== undefined) return annotate(written.value, policy);
  if (source === null) {
    migration.emit(because, {
      apiVersion: "v1",
      kind: "Namespace",
      metadata: { name: namespace, annotations: { [DEFAULT_POLICY]: policy } },
    });
  } else annotate(migration.changed(source, because), policy);
}

/** What holds on ports of a workload that no Server is about. */
export function setDefault(migration: Migration, subject: Subject, policy: string, because: Source): void {
  for (const source of subject.sources) {
    const copy = migration.changed(source, because);
    const template = source.kind === "Pod"
      ? copy
      : source.kind === "CronJob"
      ? asMapping(asMapping(asMapping(asMapping(copy["spec"])["jobTemplate"])["spec"])["template"])
      : asMapping(asMapping(copy["spec"])["template"]);
    annotate(template, policy);
  }
  if (subject.sources.length > 0) return;
  const effect = policy === "all-unauthenticated" ? "stricter" : "wider";
  migration.say(
    effect,
    because,
    "spec.selector",
    `for ports that no Server is about, annotate the workloads of ${subject.name} with ${DEFAULT_POLICY}: ${policy}`,
  );
}

function annotate(object: Json, policy: string): void {
  const metadata = asMapping(object["metadata"]);
  metadata["annotations"] = { ...asMapping(metadata["annotations"]), [DEFAULT_POLICY]: policy };
  object["metadata"] = metadata;
}
