/** What references of routes lead to: a port of a Service, or a reason of the Gateway API why not. */
import type { Service, ServicePort } from "../kube/resources.ts";
import type { BackendPort, ReferenceGrant } from "../kube/resources.ts";
import type { ResourceSet } from "../kube/store.ts";
import { servicePort } from "./_services.ts";
import type { AnyRoute } from "./_routes.ts";

/** Reasons of the condition ResolvedRefs. */
export type RefReason = "RefNotPermitted" | "InvalidKind" | "BackendNotFound";

export type Resolved =
  | { readonly ok: true; readonly service: Service; readonly port: ServicePort }
  | { readonly ok: false; readonly reason: RefReason; readonly detail: string };

/**
 * Resolves a reference.
 *
 * Another namespace must allow it by a ReferenceGrant: clients would otherwise be sent there, with their identity, by whoever
 * may write routes for what they call. The namespace that the route's parent is in needs none: they have called it anyway.
 *
 * @param parentNamespace of the Service that the route is attached to
 */
export function resolveBackend(
  ref: BackendPort,
  route: AnyRoute,
  parentNamespace: string,
  set: ResourceSet,
): Resolved {
  if (ref.group !== "" || ref.kind !== "Service") {
    return { ok: false, reason: "InvalidKind", detail: `its backend ${ref.kind} ${ref.name} is no Service` };
  }
  const own = route.meta.namespace;
  const namespace = ref.namespace ?? own;
  const name = `${namespace}/${ref.name}`;
  // Before it is looked for: who may not refer to it may not find out whether it is there either.
  if (namespace !== own && namespace !== parentNamespace && !isGranted(ref, route, namespace, set)) {
    const detail = `no ReferenceGrant of ${namespace} allows its backend Service ${name}`;
    return { ok: false, reason: "RefNotPermitted", detail };
  }
  const service = set.get("Service", namespace, ref.name);
  if (service === null) {
    return { ok: false, reason: "BackendNotFound", detail: `its backend Service ${name} does not exist` };
  }
  const port = servicePort(service, ref.port ?? 0);
  if (port === null) {
    return { ok: false, reason: "BackendNotFound", detail: `its backend Service ${name} has no TCP port ${ref.port}` };
  }
  return { ok: true, service, port };
}

function isGranted(ref: BackendPort, route: AnyRoute, namespace: string, set: ResourceSet): boolean {
  return set.list("ReferenceGrant").some((grant) => grant.meta.namespace === namespace && grants(grant, ref, route));
}

function grants({ from, to }: ReferenceGrant, ref: BackendPort, { kind, meta }: AnyRoute): boolean {
  return from.some((one) =>
    one.group === "gateway.networking.k8s.io" && one.kind === kind && one.namespace === meta.namespace
  ) && to.some((one) => one.group === "" && one.kind === "Service" && (one.name === null || one.name === ref.name));
}
