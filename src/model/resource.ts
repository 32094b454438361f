/** Names the object of the configuration that something comes from, for metrics, logs and explanations. */
export interface ResourceRef {
  /** API group, "" or "core" for Services. */
  readonly group: string;
  /** Service, HTTPRoute, Server, AuthorizationPolicy, ExternalWorkload; "default" for what no object says. */
  readonly kind: string;
  readonly namespace: string;
  readonly name: string;
  /** Port or rule inside the object, "" when it does not matter. */
  readonly section: string;
}

/** Stands where the controller named no object. */
export const NO_RESOURCE: ResourceRef = { group: "", kind: "", namespace: "", name: "", section: "" };

/** What holds when no object says otherwise, for instance `default` "all-unauthenticated". */
export function defaultResource(name: string): ResourceRef {
  return { group: "", kind: "default", namespace: "", name, section: "" };
}

/** One text per object and section: equal exactly when all fields are equal (names never hold "/"). */
export function resourceKey(ref: ResourceRef): string {
  return `${ref.group}/${ref.kind}/${ref.namespace}/${ref.name}/${ref.section}`;
}
