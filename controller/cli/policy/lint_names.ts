/** Names that mean nothing: annotations nobody reads, callers that do not exist, and what was probably meant. */
import { suggest } from "../../../src/base/suggest.ts";
import { ANNOTATION_KEYS, ANNOTATIONS, isMeshKey, type Place } from "../../core/annotations.ts";
import { spiffeId } from "../../kube/instances.ts";
import { keyOf, type Kind, type Resource } from "../../kube/resources.ts";
import type { Say } from "./lint_finding.ts";
import type { MeshView } from "./mesh_view.ts";

const PLACES: Readonly<Partial<Record<Kind, Place>>> = {
  Namespace: "namespace",
  Service: "service",
  HTTPRoute: "route",
  GRPCRoute: "route",
  Pod: "workload",
  ExternalWorkload: "workload",
};

/** Annotations under tulle.dev that nobody reads, or not where they stand. */
export function lintAnnotations({ state }: MeshView, say: Say): void {
  for (const resource of state.resources) {
    const place = PLACES[resource.kind];
    if (place === undefined) continue;
    const { kind, namespace, name } = resource.meta;
    const object = namespace === "" ? `${kind} ${name}` : keyOf(resource);
    for (const key of Object.keys(resource.meta.annotations)) {
      const known = ANNOTATIONS.find((annotation) => annotation.key === key);
      if (known === undefined && isMeshKey(key)) {
        const near = suggest(key, ANNOTATION_KEYS);
        const fix = near === null ? "remove it; the README lists all keys" : `did you mean ${near}?`;
        say("error", "mistyped", object, `nobody reads its annotation ${key}`, fix);
      } else if (known !== undefined && !known.places.includes(place)) {
        const where = known.places.join(" or ");
        say("warning", "mistyped", object, `annotation ${key} is not read on a ${place}`, `write it on a ${where}`);
      }
    }
  }
}

/** What a missing object was probably meant to be. @param detail a warning: "… Service shop/wep does not exist …" @returns "" or a hint */
export function nearby({ set }: MeshView, detail: string): string {
  const [, kind = "", namespace = "", name = ""] = /(\w+) ([^\s/]+)\/(\S+) does not exist/.exec(detail) ?? [];
  const found = NAMED.find((each) => each === kind);
  if (found === undefined) return "";
  const all: readonly Resource[] = set.list(found);
  const near = suggest(name, all.filter(({ meta }) => meta.namespace === namespace).map(({ meta }) => meta.name));
  return near === null ? "" : `; did you mean ${near}?`;
}

const NAMED = [
  "Service",
  "Server",
  "HTTPRoute",
  "GRPCRoute",
  "MeshTLSAuthentication",
  "NetworkAuthentication",
] as const;

/** Callers that are admitted and do not exist. Of manifests only what looks like a slip is said: others may have the rest. */
export function lintCallers({ set, subjects, state }: MeshView, say: Say): void {
  const identities = new Set(subjects.map(({ identity }) => identity));
  const inhabited = new Set(subjects.map(({ namespace }) => namespace));
  const namespaces = [...new Set([...set.list("Namespace").map(({ meta }) => meta.name), ...inhabited])];
  const namespaceSlip = (name: string) => namespaces.includes(name) ? null : suggest(name, namespaces);
  for (const authentication of set.list("MeshTLSAuthentication")) {
    const key = keyOf(authentication);
    for (const { kind, namespace: named, name } of authentication.identityRefs) {
      const namespace = kind === "Namespace" ? name : named ?? authentication.meta.namespace;
      const slip = namespaceSlip(namespace);
      if (slip !== null) {
        say("warning", "dangling", key, `nothing is in namespace ${namespace}`, `did you mean namespace ${slip}?`);
      }
      if (kind !== "ServiceAccount" || !inhabited.has(namespace)) continue;
      const exists = set.get("ServiceAccount", namespace, name) !== null ||
        identities.has(spiffeId(state.options.trustDomain, namespace, name));
      if (exists) continue;
      const accounts = subjects.filter((subject) => subject.namespace === namespace)
        .map(({ identity }) => identity.slice(identity.lastIndexOf("/") + 1));
      const near = suggest(name, accounts);
      say(
        "warning",
        "dangling",
        key,
        `no workload runs as ServiceAccount ${namespace}/${name}: it stands for nobody`,
        near === null ? "correct the name, or remove it" : `did you mean ${near}?`,
      );
    }
  }
}
