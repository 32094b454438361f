/** EndpointSlices that Kubernetes would make for pods of manifests: without them a Service leads nowhere. */
import { decodeResource } from "../../kube/decode.ts";
import type { Pod, Resource, Service } from "../../kube/resources.ts";

/** @returns one slice for each Service and pod that it selects: pods may give a named port different numbers */
export function standInSlices(resources: readonly Resource[]): Resource[] {
  const pods = resources.filter((resource): resource is Pod => resource.kind === "Pod");
  return resources.filter((resource): resource is Service => resource.kind === "Service").flatMap((service) =>
    pods.filter((pod) => isSelected(service, pod)).flatMap((pod) => sliceOf(service, pod))
  );
}

function isSelected({ selector, meta }: Service, pod: Pod): boolean {
  return selector !== null && meta.namespace === pod.meta.namespace &&
    Object.entries(selector).every(([key, value]) => pod.meta.labels[key] === value);
}

function sliceOf(service: Service, pod: Pod): Resource[] {
  const { namespace, name } = service.meta;
  const ports = service.ports.flatMap(({ name, targetPort, protocol, appProtocol }) => {
    const port = typeof targetPort === "number"
      ? targetPort
      : pod.ports.find((candidate) => candidate.name === targetPort)?.port;
    return port === undefined ? [] : [{ name, port, protocol, ...(appProtocol === null ? {} : { appProtocol }) }];
  });
  const targetRef = { kind: "Pod", namespace, name: pod.meta.name };
  const { resource } = decodeResource({
    apiVersion: "discovery.k8s.io/v1",
    kind: "EndpointSlice",
    metadata: { name: `${name}-${pod.meta.name}`, namespace, labels: { "kubernetes.io/service-name": name } },
    addressType: "IPv4",
    ports,
    endpoints: [{ addresses: pod.podIPs, conditions: { ready: true }, targetRef }],
  });
  return resource === null ? [] : [resource];
}
