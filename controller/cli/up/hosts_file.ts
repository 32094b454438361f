/** /etc/hosts of a workload: names of Services as a cluster's DNS gives them. */
import type { Service } from "../../kube/resources.ts";
import type { AddressBook } from "./address_book.ts";
import type { Instance, MeshFolder } from "./mesh_folder.ts";

/** Suffix of a cluster's Service names; fixed, as in most clusters. */
const CLUSTER_SUFFIX = "svc.cluster.local";

/**
 * Names of all Services as one instance sees them. A meshed instance gets the Service's address (its sidecar balances), an
 * unmeshed one the endpoints themselves, as nothing would answer at a virtual address.
 *
 * @param missing instances that do not run
 */
export function hostsFile(
  instance: Instance,
  folder: MeshFolder,
  book: AddressBook,
  missing: ReadonlySet<string>,
): string {
  const lines = [
    "127.0.0.1 localhost",
    "::1 localhost ip6-localhost",
    `${book.instance(instance.key)} ${instance.name}`,
  ];
  for (const service of folder.services) {
    const virtual = instance.meshed ? book.service(service) : null;
    const ips = virtual === null ? endpointsOf(service, folder, book, missing) : [virtual];
    const names = serviceNames(service, instance.namespace).join(" ");
    for (const ip of ips) lines.push(`${ip} ${names}`);
  }
  return `${lines.join("\n")}\n`;
}

/** Addresses of the workloads that a Service selects, in the order of the folder. */
export function endpointsOf(
  service: Service,
  folder: MeshFolder,
  book: AddressBook,
  missing: ReadonlySet<string>,
): string[] {
  const { selector, meta } = service;
  if (selector === null) return [];
  const selects = (namespace: string, labels: Readonly<Record<string, string>>) =>
    namespace === meta.namespace && Object.entries(selector).every(([key, value]) => labels[key] === value);
  const running = folder.instances.filter((each) => !missing.has(each.key) && selects(each.namespace, each.labels));
  const outside = folder.outside.filter((each) => selects(each.namespace, each.labels));
  return [...running.flatMap((each) => book.allOf(each.key)), ...outside.flatMap((each) => each.ips)];
}

/** A process in the same namespace may use the bare name. */
function serviceNames(service: Service, fromNamespace: string): string[] {
  const { name, namespace } = service.meta;
  const names = [`${name}.${namespace}.${CLUSTER_SUFFIX}`, `${name}.${namespace}.svc`, `${name}.${namespace}`];
  if (namespace === fromNamespace) names.push(name);
  return names;
}
