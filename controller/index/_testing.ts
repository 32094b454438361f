/** Builders for tests of the index: text of a folder in, a world out. */
import { NO_ADDRESSES, parseAddresses } from "../kube/addresses.ts";
import { parseFile } from "../kube/parse_file.ts";
import { formatProblem } from "../kube/problem.ts";
import type { Resource } from "../kube/resources.ts";
import { ResourceStore } from "../kube/store.ts";
import { parseTarget } from "../core/target.ts";
import type { OutboundTarget } from "../core/snapshot.ts";
import { type IndexOptions, World } from "./world.ts";

export const OPTIONS: IndexOptions = {
  trustDomain: "cluster.local",
  clusterDomain: "cluster.local",
  clusterNetworks: ["10.0.0.0/8"],
  probeNetworks: ["0.0.0.0/0", "::/0"],
  defaultPolicy: "all-unauthenticated",
  injectByDefault: true,
};

/** Resources of a YAML text. @throws Error with the problems */
export function resources(text: string): readonly Resource[] {
  const { errors, resources } = parseFile("test.yaml", text);
  if (errors.length > 0) throw new Error(errors.map(formatProblem).join("\n"));
  return resources.map((placed) => placed.resource);
}

/** A world of the objects in a YAML text. */
export function world(text: string, addresses = "{}", objects = resources(text)): World {
  const store = new ResourceStore();
  store.replace(objects);
  const parsed = parseAddresses("addresses.json", addresses);
  return new World(store, "workloads" in parsed ? parsed : NO_ADDRESSES, OPTIONS);
}

/** What a client in a namespace, or a certain one in it, is told about a target. */
export function outbound(from: World, target: string, namespace = "shop", name = ""): OutboundTarget {
  const parsed = parseTarget(target);
  if (parsed === null) throw new Error(`no target: ${target}`);
  return from.outbound(parsed, namespace, name);
}

/** An ExternalWorkload in YAML. */
export function workload(name: string, ip: string, spec = "ports: [{name: http, port: 8080}]", metadata = ""): string {
  return `---
apiVersion: workload.tulle.dev/v1alpha1
kind: ExternalWorkload
metadata: {name: ${name}, namespace: shop, labels: {app: ${name}}${metadata}}
spec:
  serviceAccountName: ${name}
  workloadIPs: [{ip: ${ip}}]
  ${spec}
`;
}

/** A Service in YAML that selects the workload of its name. */
export function service(name: string, ip: string, ports = "[{port: 80, targetPort: http}]", metadata = ""): string {
  return `---
apiVersion: v1
kind: Service
metadata: {name: ${name}, namespace: shop${metadata}}
spec:
  clusterIP: ${ip}
  selector: {app: ${name}}
  ports: ${ports}
`;
}

/** An HTTPRoute in YAML attached to a Service (or what `parent` says). */
export function httpRoute(
  name: string,
  rules: string,
  options: { parent?: string; metadata?: string; hostnames?: string } = {},
): string {
  const { parent = "kind: Service, name: web", metadata = "", hostnames = "[]" } = options;
  return `---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: ${name}, namespace: shop${metadata}}
spec:
  parentRefs: [{${parent}}]
  hostnames: ${hostnames}
  rules: ${rules}
`;
}
