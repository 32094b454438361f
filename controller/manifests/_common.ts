/** What the objects of an installation share. */
import { CONTROL_PLANE_LABEL, MESH_NAMESPACE } from "../core/cluster_names.ts";
import type { InstallValues, Resources } from "./values.ts";

/** An object of the API as plain data. */
export type Manifest = Readonly<Record<string, unknown>>;

/** Labels of every object, so that an uninstall finds what an install has made. */
export function labels(component: string, { version }: Pick<InstallValues, "version">): Record<string, string> {
  return {
    "app.kubernetes.io/name": "tulle",
    "app.kubernetes.io/component": component,
    "app.kubernetes.io/part-of": "tulle",
    "app.kubernetes.io/version": version,
    [CONTROL_PLANE_LABEL]: component,
  };
}

/** Labels by which a part's pods are selected: they never change. */
export function selector(component: string): Record<string, string> {
  return { "app.kubernetes.io/name": "tulle", "app.kubernetes.io/component": component };
}

/** An object of the mesh's namespace. */
export function namespaced(
  apiVersion: string,
  kind: string,
  name: string,
  component: string,
  values: InstallValues,
  rest: Manifest,
): Manifest {
  const metadata = { name, namespace: MESH_NAMESPACE, labels: labels(component, values) };
  return { apiVersion, kind, metadata, ...rest };
}

/** An object without a namespace. */
export function clusterWide(
  apiVersion: string,
  kind: string,
  name: string,
  component: string,
  values: InstallValues,
  rest: Manifest,
): Manifest {
  return { apiVersion, kind, metadata: { name, labels: labels(component, values) }, ...rest };
}

/** Requests and limits of a container. */
export function resources({ cpuRequest, memoryRequest, memoryLimit }: Resources): Manifest {
  return { requests: { cpu: cpuRequest, memory: memoryRequest }, limits: { memory: memoryLimit } };
}

/** A probe over HTTP. @param periodSeconds between two looks @param failureThreshold looks that must fail */
export function httpProbe(path: string, port: number, periodSeconds: number, failureThreshold: number): Manifest {
  return { httpGet: { path, port }, periodSeconds, failureThreshold, timeoutSeconds: 2 };
}

/** A subject and the role that it gets. */
export function binding(kind: "ClusterRole" | "Role", role: string, account: string): Manifest {
  return {
    roleRef: { apiGroup: "rbac.authorization.k8s.io", kind, name: role },
    subjects: [{ kind: "ServiceAccount", name: account, namespace: MESH_NAMESPACE }],
  };
}
